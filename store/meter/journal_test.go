package meter_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/meter"
)

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// reported returns the store's report of the day, by client and product.
func reported(t testing.TB, u store.Usage, day int) map[string]int64 {
	t.Helper()
	report, err := u.Report(t.Context(), store.Query{API: "api", Issuer: "iss", From: store.Day(day), To: store.Day(day)})
	must(t, err)
	q := map[string]int64{}
	for r, err := range report.Rows() {
		must(t, err)
		q[r.Client+" "+r.Product] = r.Quantity
	}
	return q
}

// clone copies the files of a folder. No process holds the locks of the copies.
func clone(t testing.TB, from string) (to string) {
	t.Helper()
	to = filepath.Join(t.TempDir(), "clone")
	must(t, os.CopyFS(to, os.DirFS(from)))
	must(t, os.Chmod(to, 0o700))
	return to
}

// journals returns the files of a folder.
func journals(t testing.TB, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.usage"))
	must(t, err)
	return files
}

// left returns a folder with the file of a process that counted 1 for client a, 2 for b,
// and so on. The process was killed before it recorded anything.
func left(t testing.TB, clients string) (dir, file string) {
	t.Helper()
	alive := filepath.Join(t.TempDir(), "alive")
	p := product(t, open(t, alive, memory.New(), meter.Config{}), "p")
	for i, client := range clients {
		must(t, adder(t, p, string(client))(int64(i)+1))
	}
	dir = clone(t, alive)
	return dir, journals(t, dir)[0]
}

// change changes the bytes of a file.
func change(t testing.TB, file string, f func(b []byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(file)
	must(t, err)
	must(t, os.WriteFile(file, f(b), 0o600))
}

func TestLeftoverIsTold(t *testing.T) {
	for _, unmapped := range []bool{false, true} {
		dir, file := left(t, "abc")
		db := memory.New()
		m := open(t, dir, db, meter.Config{Unmapped: unmapped})
		if got := quantities(t, m); got["a p"] != 1 || got["b p"] != 2 || got["c p"] != 3 {
			t.Errorf("got %v", got)
		}
		use(t, product(t, m, "p"), "a", 10)
		if got := quantities(t, m)["a p"]; got != 11 {
			t.Errorf("counting on: got %d, want 11", got)
		}
		if n := len(journals(t, dir)); n != 2 {
			t.Errorf("%d files, want the old one and a new one", n)
		}
		must(t, m.Close())
		if _, err := os.Stat(file); err != nil {
			t.Errorf("the old file: %v, want it kept", err)
		}
		again := open(t, dir, db, meter.Config{})
		if got := quantities(t, again)["a p"]; got != 11 {
			t.Errorf("told again: got %d, want 11", got)
		}
	}
}

// TestStoreForgetsLeftovers puts the store back to an empty one. The meter must record
// leftovers and its own counts again.
func TestStoreForgetsLeftovers(t *testing.T) {
	dir, _ := left(t, "ab")
	f := &forgetful{Usage: memory.New()}
	m := open(t, dir, f, meter.Config{})
	use(t, product(t, m, "p"), "b", 5)
	must(t, m.Flush(t.Context()))
	f.Usage = memory.New()
	if got := quantities(t, m); got["a p"] != 1 || got["b p"] != 7 {
		t.Errorf("got %v, want 1 and 7", got)
	}
}

func TestTwoProcessesOnOneFolder(t *testing.T) {
	dir, db := t.TempDir(), memory.New()
	must(t, os.Chmod(dir, 0o700))
	m1, m2 := open(t, dir, db, meter.Config{}), open(t, dir, db, meter.Config{})
	use(t, product(t, m1, "p"), "a", 1)
	use(t, product(t, m2, "p"), "a", 2)
	m3 := open(t, dir, db, meter.Config{}) // the files of both are locked
	for _, m := range []*meter.Meter{m3, m1, m2} {
		must(t, m.Flush(t.Context()))
	}
	use(t, product(t, m1, "p"), "a", 4)
	if got := quantities(t, m1)["a p"]; got != 7 {
		t.Errorf("got %d, want 7", got)
	}
	if s := m3.Stats(); len(s.Asides) != 0 || s.Leftovers != 0 {
		t.Errorf("files that are in use: got %+v", s)
	}
}

// TestClonedFolder opens a folder and its clones at once, on one store.
func TestClonedFolder(t *testing.T) {
	dir, _ := left(t, "ab")
	db := memory.New()
	for i, d := range []string{dir, clone(t, dir), clone(t, dir)} {
		m := open(t, d, db, meter.Config{})
		use(t, product(t, m, "p"), "a", 10)
		if got, want := quantities(t, m), int64(1+10*(i+1)); got["a p"] != want || got["b p"] != 2 {
			t.Errorf("folder %d: got %v, want %d and 2", i, got, want)
		}
	}
}

// TestClonedWhileCounting opens a clone of a folder in which a process counts.
func TestClonedWhileCounting(t *testing.T) {
	dir, db := filepath.Join(t.TempDir(), "usage"), memory.New()
	m := open(t, dir, db, meter.Config{})
	p := product(t, m, "p")
	use(t, p, "a", 1)
	other := open(t, clone(t, dir), db, meter.Config{})
	must(t, other.Flush(t.Context()))
	use(t, p, "a", 2)
	if got := quantities(t, m)["a p"]; got != 3 {
		t.Errorf("got %d, want 3", got)
	}
}

// TestFileSizes fills several files of a day. None may grow or have holes.
func TestFileSizes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "usage")
	m := open(t, dir, memory.New(), meter.Config{MaxBytes: 1 << 20})
	p := product(t, m, "p")
	var refused error
	made := 0
	for ; refused == nil && made < 1e6; made++ {
		_, refused = p.Counter(day, "iss", fmt.Sprint("client ", made))
	}
	if refused == nil || made < 1000 {
		t.Fatalf("MaxBytes of 1 MiB: got %v after %d counters", refused, made)
	}
	must(t, m.Flush(t.Context()))
	var sum int64
	for _, file := range journals(t, dir) {
		fi, err := os.Stat(file)
		must(t, err)
		if sum += fi.Size(); holes(fi) {
			t.Errorf("%s has holes", file)
		}
	}
	if s := m.Stats(); s.Bytes != sum || sum > 1<<20 || s.Counters != made-1 || s.Unflushed != 0 {
		t.Errorf("got %+v for files of %d bytes and %d counters", s, sum, made-1)
	}
	use(t, p, "client 7", 3) // existing counters still count
	if got := quantities(t, m)["client 7 p"]; got != 3 {
		t.Errorf("got %d, want 3", got)
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o770))
	if _, err := meter.Open(t.Context(), dir, memory.New(), nil); err == nil || !strings.Contains(err.Error(), "0700") {
		t.Errorf("others can write: got %v", err)
	}
	made := filepath.Join(t.TempDir(), "usage")
	m := open(t, made, memory.New(), meter.Config{})
	use(t, product(t, m, "p"), "a", 1)
	for path, want := range map[string]os.FileMode{made: 0o700 | os.ModeDir, journals(t, made)[0]: 0o600} {
		if fi, err := os.Stat(path); err != nil || fi.Mode() != want {
			t.Errorf("%s: got %v, %v, want %v", path, fi.Mode(), err, want)
		}
	}
	if _, err := meter.Open(t.Context(), journals(t, made)[0], memory.New(), nil); err == nil {
		t.Error("a file in place of the folder: no error")
	}
	if _, err := meter.Open(t.Context(), made, nil, nil); err == nil {
		t.Error("no store: no error")
	}
}

func TestU01U03Names(t *testing.T) {
	dir, db := filepath.Join(t.TempDir(), "usage"), memory.New()
	m := open(t, dir, db, meter.Config{})
	p := product(t, m, "p")
	room := meter.MaxNames - len("apiplabel piss")
	good := []string{"", "💶", "' OR 1=1--", "%_\\", "a\nb", strings.Repeat("é", room/2), strings.Repeat("x", room)}
	for _, client := range good {
		must(t, adder(t, p, client)(1))
	}
	for _, client := range []string{"a\x00b", "\xff", strings.Repeat("x", room+1), strings.Repeat("x", 64<<10)} {
		if _, err := p.Counter(day, "iss", client); err == nil || len(err.Error()) > 200 {
			t.Errorf("%.20q: got %v", client, err)
		}
		if _, err := m.Product("api", "q"+client, ""); err == nil && len(client) != room+1 {
			t.Errorf("a product of the name %.20q: no error", client)
		}
	}
	other := open(t, clone(t, dir), memory.New(), meter.Config{}) // reads the counts from the file
	for _, got := range []map[string]int64{quantities(t, m), quantities(t, other)} {
		for _, client := range good {
			if got[client+" p"] != 1 {
				t.Errorf("%.20q: got %d, want 1", client, got[client+" p"])
			}
		}
	}
}
