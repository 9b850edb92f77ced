package importing

import (
	"bytes"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store/memory"
)

// A generator is a file of any length.
type generator struct {
	rest  []byte
	next  int
	lines int
}

func (g *generator) Read(p []byte) (int, error) {
	if len(g.rest) == 0 {
		if g.next == g.lines {
			return 0, io.EOF
		}
		g.rest = []byte(keyLine(g.next))
		g.next++
	}
	n := copy(p, g.rest)
	g.rest = g.rest[n:]
	return n, nil
}

// TestStreams checks that the memory for a large file is far less than the file.
func TestStreams(t *testing.T) {
	iss, err := issuer.New(t.Context(), "http://127.0.0.1", memory.New(), &issuer.Config{OpaqueTokens: true})
	if err != nil {
		t.Fatal(err)
	}
	k := &keys{iss: iss}
	defer k.Close()

	const size = 150_000
	file := &generator{lines: size}
	rs, err := newRows(io.MultiReader(strings.NewReader("id,client,key,scopes,name,expires\n"), file))
	if err != nil {
		t.Fatal(err)
	}
	h, err := readHeader(rs, k.columns())
	if err != nil {
		t.Fatal(err)
	}

	p := &parser[keyRecord]{kind: k, rows: rs, header: h, size: 1000, seen: map[uint64]uint32{}}
	to, done := make(chan batch[keyRecord]), make(chan error, 1)
	go func() { done <- p.parse(t.Context(), to); close(to) }()
	before, records := heap(), 0
	for b := range to {
		for _, e := range b.entries {
			if len(e.faults) > 0 || e.line != records+2 {
				t.Fatalf("line %d: %v", e.line, e.faults)
			}
			records++
		}
	}
	if err := <-done; err != nil || records != size {
		t.Fatalf("%d records, %v", records, err)
	}

	// A line of the file has more than 70 bytes, and its record several hundred.
	perLine := float64(heap()-before) / size
	runtime.KeepAlive(p)
	if perLine > 100 {
		t.Errorf("%.0f bytes are kept for each line, want at most 100", perLine)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestBatchesOfLongRecords(t *testing.T) {
	rs, err := newRows(strings.NewReader("login,hash\n" + strings.Repeat(strings.Repeat("x", maxRecord/2)+",\n", 100)))
	if err != nil {
		t.Fatal(err)
	}
	u := &users{}
	h, err := readHeader(rs, u.columns())
	if err != nil {
		t.Fatal(err)
	}
	p := &parser[userRecord]{kind: u, rows: rs, header: h, size: maxBatch, seen: map[uint64]uint32{}}
	if b, err := p.batch(); err != nil || len(b.entries) > 2*maxBytes/maxRecord+2 {
		t.Errorf("a batch has %d records, %v", len(b.entries), err)
	}
}

func TestBar(t *testing.T) {
	var out bytes.Buffer
	if b := newBar(&out, 100); b != nil {
		t.Error("there is a bar, and no terminal")
	}
	b := drawBar(&out, 100)
	b.set(50, 1234)
	if !strings.Contains(out.String(), "1,234 records") || !strings.Contains(out.String(), "50%") {
		t.Errorf("the bar is %q", &out)
	}
	b.clear()

	var none *bar
	none.set(1, 1)
	none.clear()
}

// FuzzRows checks that rows never lose their place in the file.
func FuzzRows(f *testing.F) {
	for _, s := range []string{"a,b\nc,d\n", "\"a\nb\",c\r\n\r\n\"x\ny", "a\"b\n\"c\n\"d\"\"\",e", "\n\n\"", "\"a\"b\nc\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		rs, err := newRows(strings.NewReader("a\n" + s))
		if err != nil {
			t.Fatal(err)
		}
		last := 0
		for {
			r, err := rs.next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if r.line <= last || r.last < r.line || len(r.faults) == 0 && len(r.fields) == 0 {
				t.Fatalf("the row %+v follows line %d", r, last)
			}
			last = r.last
		}
		rs.settle()
		if lines := strings.Count(s, "\n") + 2; last > lines || rs.tape.read != int64(len(s)+2) {
			t.Errorf("read up to line %d of %d, byte %d of %d", last, lines, rs.tape.read, len(s)+2)
		}
	})
}
