package importing

import (
	"context"
	"fmt"
	"hash/maphash"
	"io"
)

const (
	// maxSeen is how many names are remembered, which takes about 30 bytes each. A name
	// that is there twice and is not remembered is compared with the store instead.
	maxSeen = 4_000_000

	// maxBytes is how much of the file one batch has at most, so that long records cannot
	// take all memory.
	maxBytes = 16 << 20
)

// A parser turns rows into batches.
type parser[R any] struct {
	kind    kind[R]
	rows    *rows
	header  header
	size    int
	records int

	seed maphash.Seed
	seen map[uint64]uint32 // the first line of each name, by its hash
}

// parse sends batches until the file or ctx ends.
func (p *parser[R]) parse(ctx context.Context, to chan<- batch[R]) error {
	p.seed = maphash.MakeSeed()
	for {
		b, err := p.batch()
		if len(b.entries) > 0 {
			select {
			case to <- b:
			case <-ctx.Done():
				return errInterrupted
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// batch parses as many rows as the store gets at a time.
func (p *parser[R]) batch() (b batch[R], err error) {
	for begin := p.rows.tape.read; len(b.entries) < p.size && p.rows.tape.read-begin < maxBytes; {
		r, err := p.rows.next()
		if err != nil {
			b.read = p.rows.tape.read
			return b, err
		}

		e := &entry[R]{line: r.line, last: r.last, faults: r.faults}
		if len(e.faults) == 0 {
			p.entry(e, fields{p.header, r.fields})
		}
		p.records++
		b.entries, b.last = append(b.entries, e), r.last
	}
	b.read = p.rows.tape.read
	return b, nil
}

func (p *parser[R]) entry(e *entry[R], f fields) {
	if e.faults = f.check(); len(e.faults) > 0 {
		return
	}
	if e.record, e.faults = p.kind.parse(f); len(e.faults) > 0 {
		return
	}
	for _, u := range p.kind.names(&e.record) {
		if first := p.first(u, e.line); first != e.line {
			e.faults = append(e.faults, fault{u.column, fmt.Sprintf("it stands on line %d already, expected it once", first)})
		}
	}
}

// first returns the first line that has a name, and remembers it. A hash of 64 bits takes
// the place of the name: two of a million names have the same hash with a probability of
// less than one in ten million.
func (p *parser[R]) first(u unique, line int) int {
	var h maphash.Hash
	h.SetSeed(p.seed)
	h.WriteByte(u.set)
	h.WriteString(u.name)
	sum := h.Sum64()

	if first, ok := p.seen[sum]; ok {
		return int(first)
	}
	if len(p.seen) < maxSeen {
		p.seen[sum] = uint32(line)
	}
	return line
}
