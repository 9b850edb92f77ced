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

func TestSpoiltFiles(t *testing.T) {
	slot := func(i int) int { return meter.PageSize + i*2*meter.BlockSize } // slots of use have 128 bytes
	long := strings.Repeat("x", 60)
	for name, tt := range map[string]struct {
		spoil func(b []byte) []byte
		want  string // prefix of the reason
		slots int
		told  string // clients whose counts must be recorded
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
			examined, err := meter.Examine(dir)
			must(t, err)
			if tt.want == "" && len(examined) > 0 || tt.want != "" && (len(examined) != 1 || !strings.HasPrefix(examined[0].Err.Error(), tt.want) || examined[0].Slots != tt.slots) {
				t.Errorf("Examine found %v, want %q", examined, tt.want)
			}
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
			use(t, product(t, m, "p"), "z", 1) // others can still count
			must(t, m.Close())
		})
	}
}

// TestForeign puts all kinds of foreign files into the folder.
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

// TestStreamClosed records a stream that the store has folded. If the store had
// acknowledged the stream, nothing is lost.
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
	if closed.batches != 1 {
		t.Errorf("%d batches, want 1", closed.batches)
	}
	db := memory.New()
	must(t, open(t, dir, db, meter.Config{}).Flush(t.Context())) // acknowledges the counts
	m = open(t, dir, &closing{}, meter.Config{})
	must(t, m.Flush(t.Context()))
	if asides := m.Stats().Asides; len(asides) != 0 {
		t.Errorf("acknowledged before, and set aside: %+v", asides)
	}
}

// closing is a store that has closed every stream.
type closing struct {
	store.Usage
	batches int
}

func (c *closing) Record(context.Context, store.Stream, store.Batch) (uint64, error) {
	c.batches++
	return 0, store.ErrStreamClosed
}

// TestLiveStreamClosed closes the stream of a process that counts. Counts that were not
// acknowledged are set aside, and the process counts on in another stream.
func TestLiveStreamClosed(t *testing.T) {
	db := memory.New()
	f := &forgetful{Usage: db}
	dir := filepath.Join(t.TempDir(), "usage")
	m := open(t, dir, f, meter.Config{})
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
	for _, name := range journals(t, dir) {
		must(t, os.Remove(name))
	}
	must(t, m.Scan())
	if a := m.Stats().Asides; len(a) != 0 {
		t.Errorf("set aside, and removed: %+v", a)
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

// FuzzDecode damages a journal. Every count that is read must have been in it, and every
// slot's checksum must be right.
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
