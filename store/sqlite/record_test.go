package sqlite_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/sqlite"
)

func BenchmarkRecord(b *testing.B) {
	s, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "a.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	n := 0
	for b.Loop() {
		t := store.Batch{Through: time.Now()}
		for range 5000 {
			t.Counts = append(t.Counts, store.Count{Counter: uint32(n), Day: 20000 + store.Day(n/10000), Issuer: "i", API: "api",
				Client: fmt.Sprint("client-", n%10000), Product: "p", Label: "l", Total: 1})
			n++
		}
		if _, err := s.Record(b.Context(), store.Stream{1}, t); err != nil {
			b.Fatal(err)
		}
	}
}
