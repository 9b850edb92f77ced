package importing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/authtier/authtier/store"
)

// A kind imports records of one kind, API keys or users.
type kind[R any] interface {
	columns() columns

	// parse returns the record of a row, or its faults.
	parse(f fields) (R, []fault)

	// names returns the names that no other record of the file may have.
	names(r *R) []unique

	// creatable sets late of each entry: why the store would not create it today. A record
	// that is stored already may be one of these.
	creatable(ctx context.Context, batch []*entry[R]) error

	// create stores all records or none.
	create(ctx context.Context, batch []*entry[R]) error

	// compare compares a record with the stored one of the same name. It may be called
	// concurrently.
	compare(ctx context.Context, r *R) (verdict, error)

	// refused returns the fault for an error of create that is about one record.
	refused(err error) fault

	io.Closer
}

// A unique is a name in a column. It differs from all others of its set.
type unique struct {
	set          byte
	column, name string
}

// An entry is a row that was parsed, or whose faults are known.
type entry[R any] struct {
	line   int // the first of its lines
	last   int
	record R
	faults []fault // if there are any, record is not valid
	late   []fault // why the record cannot be created, unless it is stored already
}

// A verdict says whether a record is stored already.
type verdict struct {
	stored bool
	newer  bool    // the stored user has another password, which was set since
	faults []fault // how the stored record differs
}

// A batch holds the records that are stored in one call.
type batch[R any] struct {
	entries []*entry[R]
	read    int64 // how much of the file was read
	last    int   // the number of the last line
}

// load imports one file.
type load[R any] struct {
	kind kind[R]
	out  *output
	opts *options
}

// Close implements [io.Closer].
func (l *load[R]) Close() error { return l.kind.Close() }

// run implements importer. It returns an error that ended the import early, and not one
// for faulty lines.
func (l *load[R]) run(ctx context.Context, in *input, out *output, opts *options) error {
	l.out, l.opts = out, opts
	rs, err := newRows(in)
	if err != nil {
		return err
	}
	h, err := readHeader(rs, l.kind.columns())
	if err != nil {
		return err
	}

	// The next batch is parsed while the store writes one. The goroutine may hang in a read
	// of standard input, so it is not waited for after a signal.
	p := &parser[R]{kind: l.kind, rows: rs, header: h, size: opts.batch, seen: map[uint64]uint32{}}
	batches := make(chan batch[R])
	var readErr error
	go func() {
		defer close(batches)
		readErr = p.parse(ctx, batches)
	}()

	// The batch under way is always finished: its result would be unknown otherwise.
	toEnd := context.WithoutCancel(ctx)
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case b, ok := <-batches:
			if !ok {
				return l.atEnd(p, readErr)
			}
			if err := l.store(toEnd, b.entries); err != nil {
				return fmt.Errorf("the records up to line %d: %w", b.last, err)
			}
			out.finished(b.read, b.last)
		}
	}
	return errInterrupted
}

// atEnd returns the error of the parser, or that of a file without records.
func (l *load[R]) atEnd(p *parser[R], err error) error {
	if err == nil && p.records == 0 {
		return fmt.Errorf("%w: it has a header and no records, expected at least one", errHeader)
	}
	return err
}

// store stores the entries that are valid and not stored yet, and reports the faults of
// the others.
func (l *load[R]) store(ctx context.Context, entries []*entry[R]) error {
	valid := slices.Collect(func(yield func(*entry[R]) bool) {
		for _, e := range entries {
			if len(e.faults) == 0 && !yield(e) {
				return
			}
		}
	})
	if err := l.storeValid(ctx, valid); err != nil {
		return err
	}

	for _, e := range entries {
		l.out.report(e.line, e.last, e.faults)
	}
	return l.out.flush()
}

func (l *load[R]) storeValid(ctx context.Context, valid []*entry[R]) error {
	if err := l.kind.creatable(ctx, valid); err != nil {
		return err
	}

	// Most batches of a first import have only new records, which need no look-ups.
	fresh, doubtful := split(valid, func(e *entry[R]) bool { return len(e.late) == 0 })
	if !l.opts.check {
		err := l.create(ctx, fresh)
		if err == nil {
			fresh = nil
		} else if !aboutRecord(err) && !l.changed(ctx, fresh) {
			return err
		}
	}

	rest, err := l.compareAll(ctx, append(doubtful, fresh...))
	if err != nil {
		return err
	}
	if l.opts.check {
		l.out.imported += len(rest)
		return nil
	}
	return l.createRest(ctx, rest)
}

// split returns the entries for which f is true, and the others.
func split[R any](all []*entry[R], f func(*entry[R]) bool) (yes, no []*entry[R]) {
	for _, e := range all {
		if f(e) {
			yes = append(yes, e)
		} else {
			no = append(no, e)
		}
	}
	return yes, no
}

func (l *load[R]) create(ctx context.Context, entries []*entry[R]) error {
	if len(entries) == 0 {
		return nil
	}
	err := l.kind.create(ctx, entries)
	if err == nil {
		l.out.imported += len(entries)
	}
	return err
}

// aboutRecord reports whether an error of create is about a record. Any other error means
// that the store could not answer.
func aboutRecord(err error) bool {
	return errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrRevoked) || errors.Is(err, store.ErrNotFound)
}

// changed looks again whether the entries can be created, after an error that may be about
// a record: a key may have expired, or its client may have lost a scope. It reports
// whether one of them cannot.
func (l *load[R]) changed(ctx context.Context, entries []*entry[R]) bool {
	err := l.kind.creatable(ctx, entries)
	return err == nil && slices.ContainsFunc(entries, func(e *entry[R]) bool { return len(e.late) > 0 })
}

// createRest creates entries that were not stored when they were compared. It halves those
// that the store refuses until it knows which it refuses: each faulty record costs as many
// tries as the batch can be halved.
func (l *load[R]) createRest(ctx context.Context, rest []*entry[R]) error {
	err := l.create(ctx, rest)
	switch {
	case err == nil:
		return nil
	case !aboutRecord(err):
		return err
	case len(rest) > 1:
		half := len(rest) / 2
		if err := l.createRest(ctx, rest[:half]); err != nil {
			return err
		}
		return l.createRest(ctx, rest[half:])
	}

	// Another process may have created the record since it was compared.
	e := rest[0]
	v, compareErr := l.kind.compare(ctx, &e.record)
	if compareErr != nil {
		return compareErr
	}
	if !v.stored {
		v.faults = []fault{l.kind.refused(err)}
	}
	l.settle(e, v)
	return nil
}

// settle counts an entry that is stored already, or notes its faults.
func (l *load[R]) settle(e *entry[R], v verdict) {
	switch {
	case len(v.faults) > 0:
		e.faults = v.faults
	case v.newer:
		l.out.newer++
		l.out.already++
	default:
		l.out.already++
	}
}
