// Package meter counts the use of products by clients and records it in a store.
//
//	usage, err := meter.Open(ctx, "/var/lib/app/usage", db, nil)
//	defer usage.Close() // records the last counts
//	tile, err := usage.Product("maps", "tile", "map tiles")
//	h := middleware.Usage(tile, nil)(handler)
//
// A count is one atomic addition to the journal: files whose pages are mapped into
// memory. A use that was counted before its response was sent is in the file before the
// response, and outlives the process however it ends. The meter syncs the files ten times
// a second. A machine that loses its power loses at most the counts since the last sync.
// The meter records totals and never increments. Recording a total twice, or after a lost
// reply, therefore changes nothing.
//
// # The journal
//
// Each process counts in files of its own, one or more for each UTC day, under a lock
// that ends with the process. Each file is a stream with a random ID. When a process
// has ended, another process reads its files and records them in the store: the next
// one that opens the folder, or one that has it open. Files are kept until their day
// accepts no more counts, see [store.LateDays]. If the store is put back to an earlier
// copy, the meter records everything again. Copying a folder with its files, as when a
// disk is cloned, doubles nothing.
//
// Several processes on one machine may share a folder. In a container the folder must be
// on a volume. Otherwise the counts that were not recorded when the container ended, those
// of about a second, are lost.
//
// Files on ext4, XFS and tmpfs under Linux are mapped into memory. On other systems and
// file systems a mapped page may not reach the disk. There the meter counts in ordinary
// memory, and writes the same files every 100 ms. A process that is killed then loses up
// to 100 ms of counts. A journal in use must not be truncated, and must not be copied with
// shared blocks (cp --reflink).
//
// The meter leaves files that it cannot read where they are, and reports them in
// [Meter.Stats] and in the log. See [Aside].
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
	"github.com/authtier/authtier/store/meter/internal/journal"
)

// Errors of counting. A use for which one of them was returned was not counted.
var (
	// ErrClosed is returned after [Meter.Close].
	ErrClosed = errors.New("meter: closed")

	// ErrDayClosed is returned for a day that ended more than [store.LateDays] ago.
	ErrDayClosed = errors.New("meter: the day accepts no more counts")
)

var errNoProduct = errors.New("meter: the product is nil, or does not come from a Meter")

// Config configures [Open]. The zero value is ready to use.
type Config struct {
	// MaxBytes limits the total size of the files in which this process counts. At
	// the limit, new counters are refused. A counter usually takes 128 or 192 bytes for
	// nine days. If 0, it is 1 GiB. It must not be less than 64 KiB.
	MaxBytes int64

	// Unmapped writes the files every 100 ms instead of mapping them into memory.
	// A process that is killed then loses up to 100 ms of counts.
	Unmapped bool

	// Log receives failures and recoveries, and reports of files that are set aside. If
	// nil, it is [slog.Default].
	Log *slog.Logger
}

// A Meter holds the counts of one process. Its methods are safe for concurrent use.
type Meter struct {
	store  store.Usage
	folder *journal.Folder // nil in memory
	cfg    Config

	mu       sync.RWMutex
	products map[[2]string]*Product
	counters *table            // changed under creating
	segments []*segment        // the segments that the store must know
	own      map[string]bool   // names of the files of this process
	asides   map[string]*Aside // by name

	creating sync.Mutex // locked before mu
	current  map[store.Day]*segment
	bytes    int64
	failure  error     // of the last attempt to make a file, or nil
	failed   time.Time // the time of that attempt
	closed   atomic.Bool

	flushing   chan struct{} // holds one element during a flush; taken before creating
	leftovers  map[string]*leftover
	unrecorded atomic.Int64 // the number of leftovers that the store does not know
	released   bool         // the folder is closed

	opened context.Context // ends when Close is called
	end    context.CancelFunc
	loops  sync.WaitGroup // the goroutines of a meter from Open
}

// New returns a meter that counts in memory and records in u. It is for tests, for
// demonstrations and for programs that run it themselves. A program that bills uses
// [Open]. New starts no goroutines: call [Meter.Run], and [Meter.Close] at the end. Counts
// that were not recorded end with the process, even if the store is durable. A process
// that is killed loses up to a second of counts.
//
// New panics if u is nil or holds a nil pointer.
func New(u store.Usage) *Meter {
	if isNil(u) {
		panic("meter: New: nil store.Usage")
	}
	m := &Meter{
		store: u, products: map[[2]string]*Product{}, counters: newTable(), own: map[string]bool{},
		asides: map[string]*Aside{}, current: map[store.Day]*segment{}, leftovers: map[string]*leftover{},
		flushing: make(chan struct{}, 1),
	}
	m.opened, m.end = context.WithCancel(context.Background())
	return m
}

// Open returns a meter that counts in a journal in the folder dir. It records its
// counts in u once a second until [Meter.Close] is called; ctx bounds only the
// opening. cfg may be nil.
//
// Open makes the folder if it does not exist; its parent must exist. It refuses a
// folder that other users can write to. The counts of processes that have ended and
// left files in the folder are recorded soon after Open. Open does not ask the store,
// so that a program can start while the store is down.
//
// Open returns an error that names all faults if ctx is nil, if dir is empty, if u is
// nil or holds a nil pointer, or if a field of cfg is out of its range. It also returns
// an error if dir is not a folder. A full or read-only disk is not an error of Open:
// the counts that are on it are recorded, and new counters are refused.
//
// A folder must belong to one store. Programs with different stores need folders of
// their own, even in one container. Otherwise a program records the files of another one
// in its own store, and the other store never learns of them. Open cannot detect this
// mistake, because a file does not name its store.
func Open(ctx context.Context, dir string, u store.Usage, cfg *Config) (*Meter, error) {
	m, err := open(ctx, dir, u, cfg)
	if err != nil {
		return nil, fmt.Errorf("meter: Open: %w", err)
	}
	m.start()
	return m, nil
}

// open is Open without the goroutines.
func open(ctx context.Context, dir string, u store.Usage, cfg *Config) (*Meter, error) {
	var c Config
	if cfg != nil {
		c = *cfg
	}
	if err := errors.Join(c.check(), checkArguments(ctx, dir, u)); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}

	f, err := journal.OpenFolder(dir, c.Unmapped)
	if err != nil {
		return nil, err
	}
	m := New(u)
	m.folder, m.cfg = f, c
	if err := m.scan(ctx); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return m, nil
}

func checkArguments(ctx context.Context, dir string, u store.Usage) error {
	var errs []error
	if ctx == nil {
		errs = append(errs, errors.New("nil Context"))
	}
	if dir == "" {
		errs = append(errs, errors.New("dir is empty"))
	}
	if isNil(u) {
		errs = append(errs, errors.New("nil store.Usage"))
	}
	return errors.Join(errs...)
}

// check sets defaults, and returns an error if a field is out of its range.
func (c *Config) check() error {
	if c.MaxBytes == 0 {
		c.MaxBytes = 1 << 30
	}
	if c.MaxBytes < firstSize {
		return fmt.Errorf("MaxBytes is %d, expected at least %d, or 0", c.MaxBytes, firstSize)
	}
	return nil
}

// A Product is one kind of use of an API. It implements middleware.Meter. It is safe for
// concurrent use.
type Product struct {
	meter            *Meter
	number           int
	api, name, label string
}

// Product returns the product of that API and name. Further calls return the same one.
//
//	tiles, err := m.Product("maps", "tile", "Map tiles")
//
// The order of the first two arguments matters. If they are swapped, all uses are counted
// for the API "tile", and the report of "maps" is empty. The label is for people. Product
// returns an error if m is nil or does not come from [New] or [Open], if api or name is
// empty, if one of the three is not a name as [Product.Counter] describes it, or if the
// product already has another label.
func (m *Meter) Product(api, name, label string) (*Product, error) {
	var errs []error
	if m == nil || m.products == nil {
		errs = append(errs, errors.New("meter: Product: the Meter does not come from New or Open"))
	}
	if api == "" || name == "" {
		errs = append(errs, fmt.Errorf("meter: product %.40q of API %.40q: neither may be empty", name, api))
	}
	if err := (&journal.Names{api, name, label}).Check(); err != nil {
		errs = append(errs, fmt.Errorf("meter: %w", err))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
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

// Counter returns the function that adds to the use of the client of that issuer on that
// day. The day is a number of days since 1 January 1970 UTC, see [store.DayOf]. The
// function returns an error for quantities that are not positive or that would overflow.
// It adds or returns an error, never both.
//
// Counter and the function return [ErrClosed] after [Meter.Close], and [ErrDayClosed] if
// the day ended more than [store.LateDays] ago. The function returns the latter only from
// the next flush on, so that this flush records everything that the function has added.
//
// Names are UTF-8 without NUL. The API, name and label of the product, the issuer and
// the client have at most 4070 bytes in total. On a nil Product, such as one whose
// error was ignored, Counter returns an error.
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

// Report flushes and then asks the store, so that the report includes every use that
// this process has counted before. It returns [ErrClosed] after Close. Otherwise it
// returns an error if the Check method of q, [Meter.Flush] or the store does. See
// [store.Usage].
func (m *Meter) Report(ctx context.Context, q store.Query) (*store.Report, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	if err := m.Flush(ctx); err != nil {
		return nil, err
	}
	return m.store.Report(ctx, q)
}

// isNil reports whether u is nil or holds a nil pointer. Such a pointer comes from a
// constructor whose error was ignored.
func isNil(u store.Usage) bool {
	v := reflect.ValueOf(u)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

func (m *Meter) log() *slog.Logger {
	return cmp.Or(m.cfg.Log, slog.Default())
}
