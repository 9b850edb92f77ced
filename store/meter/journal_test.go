package meter_test

import (
	"context"
	"encoding/binary"
	"errors"
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

// reported returns what a store reports of the day, by client and product.
func reported(t testing.TB, u store.Usage, day int) map[string]int64 {
	t.Helper()
	rows, _, err := u.Report(t.Context(), store.Query{API: "api", Issuer: "iss", From: day, To: day})
	must(t, err)
	q := map[string]int64{}
	for r, err := range rows {
		must(t, err)
		q[r.Client+" "+r.Product] = r.Quantity
	}
	return q
}

// clone copies the files of a folder as they are: nobody holds their locks.
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

// left returns a folder with the file of a process that counted 1 for client a,
// 2 for b, and so on, and was killed before it told anybody.
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

// change changes a file's bytes.
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
		must(t, m.Close(t.Context()))
		if _, err := os.Stat(file); err != nil {
			t.Errorf("the old file: %v, want it kept", err)
		}
		again := open(t, dir, db, meter.Config{})
		if got := quantities(t, again)["a p"]; got != 11 {
			t.Errorf("told again: got %d, want 11", got)
		}
	}
}

// TestStoreForgetsLeftovers puts the store back to nothing: what was left and
// told is told again, and so is what this process has counted.
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
	m3 := open(t, dir, db, meter.Config{}) // finds the files of both, locked
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

// TestClonedFolder starts a folder and its clones at once, on one store.
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

// TestClonedWhileCounting starts a clone of a folder that is counted in.
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

func TestSpoiltFiles(t *testing.T) {
	slot := func(i int) int { return meter.PageSize + i*2*meter.BlockSize } // of 128 bytes, with the names of use
	long := strings.Repeat("x", 60)
	for name, tt := range map[string]struct {
		spoil func(b []byte) []byte
		want  string // how the reason begins
		slots int
		told  string // clients
	}{
		"torn header":         {func(b []byte) []byte { b[meter.HeadLength-10] ^= 1; return b }, "has a torn header", 0, ""},
		"newer":               {func(b []byte) []byte { b[meter.VersionAt]++; b[100] = 7; return b }, "is a journal of a newer version", 0, ""},
		"version 0":           {func(b []byte) []byte { b[meter.VersionAt] = 0; return b }, "has a torn header", 0, ""},
		"foreign":             {func([]byte) []byte { return []byte("hello") }, "is not a journal", 0, ""},
		"empty":               {func([]byte) []byte { return nil }, "is not a journal", 0, ""},
		"only the magic":      {func(b []byte) []byte { return b[:20] }, "is not as long as its header says", 0, ""},
		"truncated":           {func(b []byte) []byte { return b[:slot(2)] }, "is not as long as its header says", 0, "ab"},
		"truncated in a slot": {func(b []byte) []byte { return b[:slot(1)+70] }, "is not as long as its header says", 1, "a"},
		"torn names":          {func(b []byte) []byte { b[slot(1)+meter.NamesAt+1] ^= 4; return b }, "has torn slots", 1, "ac"},
		"torn word":           {func(b []byte) []byte { b[slot(1)+meter.PublishedAt] ^= 4; return b }, "has torn slots", 1, "ac"},
		"lost word":           {func(b []byte) []byte { clear(b[slot(1)+meter.PublishedAt:][:8]); return b }, "has torn slots", 1, "ac"},
		"moved slot":          {func(b []byte) []byte { copy(b[slot(5):slot(6)], b[slot(1):]); return b }, "has torn slots", 1, "abc"},
		"lost sector":         {func(b []byte) []byte { clear(b[slot(0):slot(2)]); return b }, "", 0, "c"},
	} {
		t.Run(name, func(t *testing.T) {
			alive := filepath.Join(t.TempDir(), "alive")
			p := product(t, open(t, alive, memory.New(), meter.Config{}), "p")
			for i, client := range "abc" {
				must(t, adder(t, p, string(client)+long)(int64(i)+1))
			}
			dir := clone(t, alive)
			file := journals(t, dir)[0]
			change(t, file, tt.spoil)
			before, err := os.ReadFile(file)
			must(t, err)
			m := open(t, dir, memory.New(), meter.Config{})
			got := quantities(t, m)
			for i, client := range "abc" {
				want := int64(0)
				if strings.ContainsRune(tt.told, client) {
					want = int64(i) + 1
				}
				if n := got[string(client)+long+" p"]; n != want {
					t.Errorf("client %c: got %d, want %d", client, n, want)
				}
			}
			asides := m.Stats().Asides
			if tt.want == "" {
				if len(asides) != 0 {
					t.Errorf("set aside: %+v", asides)
				}
				return
			}
			if len(asides) != 1 || asides[0].File != filepath.Base(file) || asides[0].Slots != tt.slots || !strings.HasPrefix(asides[0].Err.Error(), tt.want) {
				t.Errorf("set aside: %+v, want one file that %s, %d slots", asides, tt.want, tt.slots)
			}
			if after, err := os.ReadFile(file); err != nil || len(after) != len(before) {
				t.Errorf("the file was not left as it was: %d bytes of %d, %v", len(after), len(before), err)
			}
			use(t, product(t, m, "p"), "z", 1) // nothing of it stops others
			must(t, m.Close(t.Context()))
		})
	}
}

// TestForeign puts all kinds of things into the folder.
func TestForeign(t *testing.T) {
	dir, _ := left(t, "a")
	must(t, os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("x"), 0o600))
	must(t, os.Mkdir(filepath.Join(dir, "lost+found"), 0o700))
	must(t, os.Symlink("/etc/passwd", filepath.Join(dir, "link.usage")))
	must(t, os.WriteFile(filepath.Join(dir, "2000-01-01-00.usage.new"), make([]byte, 5000), 0o600))
	m := open(t, dir, memory.New(), meter.Config{})
	if got := quantities(t, m)["a p"]; got != 1 {
		t.Errorf("got %d, want 1", got)
	}
	var names []string
	for _, a := range m.Stats().Asides {
		names = append(names, a.File)
	}
	if got := fmt.Sprint(names); got != "[link.usage lost+found notes.txt]" {
		t.Errorf("set aside: %s", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "2000-01-01-00.usage.new")); err == nil {
		t.Error("what nobody lived to finish is still there")
	}
}

// TestStreamClosed tells of a stream that the store has folded: of one that the
// store had acknowledged nothing is lost.
func TestStreamClosed(t *testing.T) {
	dir, file := left(t, "ab")
	closed := &closing{}
	m := open(t, dir, closed, meter.Config{})
	must(t, m.Flush(t.Context()))
	asides := m.Stats().Asides
	if len(asides) != 1 || !errors.Is(asides[0].Err, store.ErrStreamClosed) || asides[0].File != filepath.Base(file) {
		t.Errorf("set aside: %+v", asides)
	}
	must(t, m.Flush(t.Context()))
	if closed.tellings != 1 {
		t.Errorf("%d tellings, want 1", closed.tellings)
	}
	db := memory.New()
	must(t, open(t, dir, db, meter.Config{}).Flush(t.Context())) // acknowledges
	m = open(t, dir, &closing{}, meter.Config{})
	must(t, m.Flush(t.Context()))
	if asides := m.Stats().Asides; len(asides) != 0 {
		t.Errorf("acknowledged before, and set aside: %+v", asides)
	}
}

// closing is a store that has closed every stream.
type closing struct {
	store.Usage
	tellings int
}

func (c *closing) Tell(context.Context, store.Stream, store.Telling) (uint64, error) {
	c.tellings++
	return 0, store.ErrStreamClosed
}

// TestLiveStreamClosed loses the stream of a process that counts: what was not
// acknowledged is set aside, and counting goes on in another one.
func TestLiveStreamClosed(t *testing.T) {
	db := memory.New()
	f := &forgetful{Usage: db}
	m := open(t, filepath.Join(t.TempDir(), "usage"), f, meter.Config{})
	p := product(t, m, "p")
	old := adder(t, p, "a")
	must(t, old(1))
	must(t, m.Flush(t.Context()))
	must(t, old(2))
	f.Usage = &closing{}
	must(t, m.Flush(t.Context()))
	if a := m.Stats().Asides; len(a) != 1 || !errors.Is(a[0].Err, store.ErrStreamClosed) {
		t.Errorf("set aside: %+v", a)
	}
	if err := old(4); !errors.Is(err, meter.ErrDayClosed) {
		t.Errorf("a counter of the closed stream: got %v", err)
	}
	f.Usage = db
	use(t, p, "a", 8)
	if got := quantities(t, m)["a p"]; got != 9 {
		t.Errorf("got %d, want 9: the acknowledged one, and what came after", got)
	}
}

// TestFileSizes fills several files of a day: none grows, or has holes.
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
	use(t, p, "client 7", 3) // those that are there count on
	if got := quantities(t, m)["client 7 p"]; got != 3 {
		t.Errorf("got %d, want 3", got)
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o770))
	if _, err := meter.Open(t.Context(), dir, memory.New(), meter.Config{}); err == nil || !strings.Contains(err.Error(), "0700") {
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
	if _, err := meter.Open(t.Context(), journals(t, made)[0], memory.New(), meter.Config{}); err == nil {
		t.Error("a file in place of the folder: no error")
	}
	if _, err := meter.Open(t.Context(), made, nil, meter.Config{}); err == nil {
		t.Error("no store: no error")
	}
}

func TestNames(t *testing.T) { // U01, U03
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
	other := open(t, clone(t, dir), memory.New(), meter.Config{}) // reads them from the file
	for _, got := range []map[string]int64{quantities(t, m), quantities(t, other)} {
		for _, client := range good {
			if got[client+" p"] != 1 {
				t.Errorf("%.20q: got %d, want 1", client, got[client+" p"])
			}
		}
	}
}

// FuzzDecode spoils a journal: what is read of it was in it, and each slot's
// checksum is right.
func FuzzDecode(f *testing.F) {
	_, file := left(f, "abcdefghijklmnopqrstuvwxyz")
	whole, err := os.ReadFile(file)
	must(f, err)
	whole = whole[:3*meter.PageSize]
	f.Add(len(whole), uint32(0), byte(0), uint32(0), uint64(0))
	f.Add(meter.PageSize+100, uint32(meter.PageSize+3), byte(1), uint32(meter.PageSize+9), uint64(1)<<40)
	f.Add(len(whole), uint32(meter.VersionAt), byte(2), uint32(meter.PageSize), ^uint64(0))
	f.Fuzz(func(t *testing.T, length int, at uint32, flip byte, wordAt uint32, word uint64) {
		b := append([]byte(nil), whole[:min(max(length, 0), len(whole))]...)
		if int(at) < len(b) {
			b[at] ^= flip
		}
		if n := int(wordAt) &^ 7; n+8 <= len(b) {
			binary.NativeEndian.PutUint64(b[n:], word^binary.NativeEndian.Uint64(b[n:]))
		}
		stream, counts, _, _, err := meter.Decode(b)
		if err != nil && len(counts) > 0 {
			t.Errorf("%d counts beside the error %v", len(counts), err)
		}
		seen := map[uint32]bool{}
		for _, c := range counts {
			begin := int(c.Counter) * meter.BlockSize
			published := binary.NativeEndian.Uint64(b[begin+meter.PublishedAt:])
			size := int(published>>32&0xFFFF) * meter.BlockSize
			if seen[c.Counter] || c.Total < 0 || meter.Published(stream, begin, b[begin:begin+size]) != published {
				t.Errorf("counter %d was not in the journal: %+v", c.Counter, c)
			}
			seen[c.Counter] = true
		}
	})
}
