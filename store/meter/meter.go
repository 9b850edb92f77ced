// Package meter counts the use of products by clients and tells a store.
//
//	m, err := meter.Open(ctx, "/var/lib/app/usage", db, meter.Config{})
//	pages, err := m.Product("onboarding", "access", "api onboarding access")
//	go m.Run(ctx)
//	h := middleware.Usage(pages)(handler)
//	...
//	err = m.Close(ctx)
//
// A count is one atomic addition, to a page of a file that is mapped into
// memory: the journal. What was added before an answer is in the file before the
// answer, and outlives the process however it ends; [Meter.Run] syncs the file
// ten times a second, which bounds what a machine loses that loses its power.
// The store is told totals, never increments, so that telling one twice, or
// after a lost reply, changes nothing.
//
// # The journal
//
// Each process counts in files of its own, one or more for each UTC day, under a
// lock that ends with the process. Each file is a stream with a random ID. Files
// of processes that have ended are read by the next one that opens the folder,
// or by another that has it open, and told to the store. They are kept until
// their day can no longer be counted on, [store.KeepDays], in case the store is
// put back to an earlier copy: it is then told everything again. A folder that
// is copied together with its files, as with a cloned disk, doubles nothing.
//
// Several processes may share a folder, on one machine. The folder must survive
// what the counts should survive: in a container it is a volume; without one,
// what was not told before the container went is lost, a second's worth.
//
// Files are mapped on Linux, where they are on ext4, XFS or tmpfs. On other
// systems and file systems, which may need room or a network for what seemed to
// be written, the same files are written from ordinary memory every 100 ms: a
// process that is killed then loses up to 100 ms of counts. A journal in use must
// not be truncated, nor be copied with shared blocks (cp --reflink).
//
// Files that cannot be understood are set aside: left where they are, and
// reported by [Meter.Stats] and to the log. See [Aside].
package meter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authtier/authtier/store"
)

// Errors of counting. What they refuse was not counted.
var (
	ErrClosed    = errors.New("meter: closed")
	ErrDayClosed = errors.New("meter: the day is counted on no more")
)

var errNoProduct = errors.New("meter: the product is nil, or does not come from a Meter")

// Config configures [Open]. The zero value is ready to use.
type Config struct {
	// MaxBytes is how long the files may be together that this process counts
	// in. Beyond, there are no new counters. One takes 128 or 192 bytes, as a
	// rule, for nine days. If 0, it is 1 GiB.
	MaxBytes int64

	// Unmapped says that files are written every 100 ms instead of being mapped.
	Unmapped bool

	// Log receives what is set aside, and failures. If nil, it is [slog.Default].
	Log *slog.Logger
}

// A Meter holds the counts of one process. Its methods may be called
// concurrently.
type Meter struct {
	store  store.Usage
	folder *folder // nil in memory
	cfg    Config

	mu       sync.RWMutex
	products map[[2]string]*Product
	counters *table            // changed under creating
	segments []*segment        // that the store is told of
	own      map[string]bool   // names of files
	asides   map[string]*Aside // by name

	creating sync.Mutex // before mu
	open     map[store.Day]*segment
	bytes    int64
	failure  error     // why the last file could not be made, if it could not
	failed   time.Time // when
	closed   atomic.Bool

	flushing  sync.Mutex // before creating
	leftovers map[string]*leftover
	untold    atomic.Int64 // leftovers
	released  bool         // the folder is closed
	done      chan struct{}
	end       func() // closes done
}

// New returns a meter that counts in memory and tells u: for tests and demos. A
// program that bills uses [Open]. What was not flushed ends with the process, also
// where the store is durable: that is up to a second's worth if the process is killed.
// It panics if u is nil, or holds a nil pointer.
func New(u store.Usage) *Meter {
	if isNil(u) {
		panic("meter: New: nil store.Usage")
	}
	m := &Meter{
		store: u, products: map[[2]string]*Product{}, counters: newTable(), own: map[string]bool{},
		asides: map[string]*Aside{}, open: map[store.Day]*segment{}, leftovers: map[string]*leftover{}, done: make(chan struct{}),
	}
	m.end = sync.OnceFunc(func() { close(m.done) })
	return m
}

// Open returns a meter that counts in a journal in the folder dir, and tells u.
// It makes the folder, if need be; one that others can write to is refused.
// What others have left in it is told by the first flush. Open returns an error if u is
// nil, or holds a nil pointer.
//
// A folder must belong to one store. Programs with different stores need folders of
// their own, even in one container: a program that finds the file of another one that
// has died tells its own store what the file holds, and the other store never learns
// of it. Open cannot find such a mistake, because a file does not say whose it is: it
// can be made while the store is down and its identity cannot be asked for.
func Open(ctx context.Context, dir string, u store.Usage, cfg Config) (*Meter, error) {
	if isNil(u) {
		return nil, errors.New("meter: Open: nil store.Usage")
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 1 << 30
	}
	if cfg.MaxBytes < firstSize {
		return nil, fmt.Errorf("meter: MaxBytes is %d, expected at least %d", cfg.MaxBytes, firstSize)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := openFolder(dir, cfg.Unmapped)
	if err != nil {
		return nil, fmt.Errorf("meter: %w", err)
	}
	m := New(u)
	m.folder, m.cfg = f, cfg
	if err := m.scan(); err != nil {
		return nil, errors.Join(err, f.root.Close())
	}
	return m, nil
}

// A Product is something that is metered: one use of an API. It is a
// middleware.Meter.
type Product struct {
	meter            *Meter
	number           int
	api, name, label string
}

// Product returns the product of that API and name, the same one each time, for example
//
//	tiles, err := m.Product("maps", "tile", "Map tiles")
//
// The order of the first two matters: if they are swapped, all is counted for the API
// "tile", and the report of "maps" is empty. The label is for people; an error says that
// the product has another one already, that API or name is empty, or that they are no
// names to count by, see [Product.Counter].
func (m *Meter) Product(api, name, label string) (*Product, error) {
	if m == nil {
		return nil, errors.New("meter: Product: nil Meter")
	}
	if api == "" || name == "" {
		return nil, fmt.Errorf("meter: product %q of API %q: neither may be empty", name, api)
	}
	if n := (names{api, name, label}); n.check() != nil {
		return nil, n.check()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.products[[2]string{api, name}]
	if !ok {
		p = &Product{meter: m, number: len(m.products), api: api, name: name, label: label}
		m.products[[2]string{api, name}] = p
	}
	if p.label != label {
		return nil, fmt.Errorf("meter: product %q of API %q has the label %q, not %q", name, api, p.label, label)
	}
	return p, nil
}

// Counter returns the function that adds to what the client of that issuer has
// used on that day, counted in days since 1 January 1970 UTC. The function
// refuses quantities that are not positive, and those that would overflow; it
// adds or returns an error, never both. When the day is over for more than
// [store.KeepDays], both return [ErrDayClosed]: the function from the next flush
// on, so that another flush can tell all that it has added.
//
// Names are UTF-8 without NUL; those of product, issuer and client are together
// at most 4060 bytes long.
// A nil Product, such as one whose error was ignored, counts nothing: it is an error.
func (p *Product) Counter(day int, issuer, client string) (add func(n int64) error, err error) {
	if p == nil || p.meter == nil {
		return nil, errNoProduct
	}
	m, k := p.meter, key{p, store.Day(day), issuer, client}
	if c := m.counters.find(&k); c != nil {
		return c.add, nil
	}
	return m.create(k)
}

// Report flushes and then asks the store, so that it includes every use that
// this process admitted before. See [store.Usage].
func (m *Meter) Report(ctx context.Context, q store.Query) (*store.Report, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	if err := m.Flush(ctx); err != nil {
		return nil, err
	}
	return m.store.Report(ctx, q)
}

// Close makes all counting fail, ends Run, and tells the store what was counted
// before and that no more will come. What it cannot tell stays in the journal,
// for whoever opens the folder next; or Close may be called again.
func (m *Meter) Close(ctx context.Context) error {
	m.creating.Lock()
	m.closed.Store(true)
	m.creating.Unlock()
	m.end()
	m.closeSegments(func(*segment) bool { return true })
	err := errors.Join(m.sync(), m.Flush(ctx), m.release())
	if err == nil && m.folder != nil {
		m.flushing.Lock()
		defer m.flushing.Unlock()
		if !m.released {
			m.released = true
			err = m.folder.root.Close()
		}
	}
	return err
}

// isNil reports whether u is nil or holds a nil pointer, which a constructor returns
// beside an error that nobody has looked at.
func isNil(u store.Usage) bool {
	v := reflect.ValueOf(u)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

func (m *Meter) log() *slog.Logger {
	return cmp.Or(m.cfg.Log, slog.Default())
}
