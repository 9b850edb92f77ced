package importing

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/authtier/authtier/store"
)

// changing is a kind whose records change while they are imported.
type changing struct {
	keys
	creatables, compares int
	err                  error // of create
	lateAt, storedAt     int   // the calls from which records are late or stored; 0 for never
}

func (c *changing) creatable(_ context.Context, batch []*entry[keyRecord]) error {
	c.creatables++
	for _, e := range batch {
		if c.lateAt > 0 && c.creatables >= c.lateAt {
			e.late = []fault{{"expires", "late"}}
		}
	}
	return nil
}

func (c *changing) create(context.Context, []*entry[keyRecord]) error { return c.err }

func (c *changing) compare(context.Context, *keyRecord) (verdict, error) {
	c.compares++
	return verdict{stored: c.storedAt > 0 && c.compares >= c.storedAt}, nil
}

// TestChangesMeanwhile covers changes by others between the steps for a batch.
func TestChangesMeanwhile(t *testing.T) {
	down := errors.New("the store is down")
	for _, tt := range []struct {
		name    string
		kind    changing
		err     error
		already int
		faults  string
	}{
		{name: "the store fails", kind: changing{err: down}, err: down},
		{name: "a key expires", kind: changing{err: errors.New("Expires is past"), lateAt: 2}, faults: "late"},
		{name: "another process stores it", kind: changing{err: store.ErrExists, storedAt: 2}, already: 1},
		{name: "another process stores and revokes it", kind: changing{err: store.ErrExists}, faults: "the ID or the key is in use, expected others"},
		{name: "the client is deleted", kind: changing{err: store.ErrNotFound}, faults: "there is no client of this ID, expected one that exists: create it first"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := &load[keyRecord]{kind: &tt.kind, out: &output{}, opts: &options{}}
			e := &entry[keyRecord]{line: 2, last: 2}
			if err := l.storeValid(t.Context(), []*entry[keyRecord]{e}); !errors.Is(err, tt.err) {
				t.Errorf("the error is %v, want %v", err, tt.err)
			}
			var faults strings.Builder
			for _, f := range e.faults {
				faults.WriteString(f.problem)
			}
			if faults.String() != tt.faults || l.out.already != tt.already || l.out.imported != 0 {
				t.Errorf("faults %q, %d already there, %d imported", faults.String(), l.out.already, l.out.imported)
			}
		})
	}
}
