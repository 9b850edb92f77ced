package paths_test

import (
	"net/url"
	"testing"

	"github.com/authtier/authtier/middleware/internal/paths"
)

func demoTable(t testing.TB) *paths.Table {
	t.Helper()
	var table paths.Table
	for _, p := range []string{"/ext/", "/public/", "/user/", "/pro/"} {
		if err := table.Add(p); err != nil {
			t.Fatal(err)
		}
	}
	return &table
}

func TestPlainPathAllocatesNothing(t *testing.T) {
	table, u := demoTable(t), &url.URL{Path: "/user/profile/42"}
	if n := testing.AllocsPerRun(100, func() { table.Find(u) }); n != 0 {
		t.Errorf("finding the tier of %s: %v allocations, want none", u.Path, n)
	}
}

func BenchmarkFind(b *testing.B) {
	table := demoTable(b)
	for _, path := range []string{"/user/profile/42", "/elsewhere", "/user/A"} {
		b.Run("path="+path, func(b *testing.B) {
			u := &url.URL{Path: path}
			b.ReportAllocs()
			for b.Loop() {
				table.Find(u)
			}
		})
	}
}
