// Package meter counts the use of products by clients and tells a store.
//
//	m := meter.New(db)
//	pages, err := m.Product("onboarding", "access", "api onboarding access")
//	h := middleware.Usage(pages)(handler)
//
// A count is one atomic addition. The store is told totals, never increments,
// so that telling one twice, or after a lost reply, changes nothing.
package meter

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authtier/authtier/store"
)

// A Meter holds the counts of one process. Its methods may be called
// concurrently. What was not flushed ends with the process.
type Meter struct {
	store  store.Usage
	stream store.Stream

	mu       sync.RWMutex
	products map[[2]string]*Product
	counters map[key]*counter
	closed   atomic.Bool

	flushing sync.Mutex
	seq      uint64 // of the last telling that the store acknowledged
}

type key struct {
	product        *Product
	day            int
	issuer, client string
}

// A counter is how much one client has used of one product on one day.
type counter struct {
	number uint32
	key    key
	total  atomic.Int64
	told   int64 // guarded by Meter.flushing
	add    func(n int64) error
}

// ErrClosed says that the meter counts no more.
var ErrClosed = errors.New("meter: closed")

// New returns a meter that tells u. It panics if u is nil.
func New(u store.Usage) *Meter {
	if u == nil {
		panic("meter: New: nil store.Usage")
	}
	m := &Meter{store: u, products: map[[2]string]*Product{}, counters: map[key]*counter{}}
	rand.Read(m.stream[:])
	return m
}

// A Product is something that is metered: one use of an API. It is a
// middleware.Meter.
type Product struct {
	meter            *Meter
	api, name, label string
}

// Product returns the product of that API and name, the same one each time. The
// label is for people; an error says that the product has another one already,
// or that API or name is empty.
func (m *Meter) Product(api, name, label string) (*Product, error) {
	if api == "" || name == "" {
		return nil, fmt.Errorf("meter: product %q of API %q: neither may be empty", name, api)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.products[[2]string{api, name}]
	if !ok {
		p = &Product{meter: m, api: api, name: name, label: label}
		m.products[[2]string{api, name}] = p
	}
	if p.label != label {
		return nil, fmt.Errorf("meter: product %q of API %q has the label %q, not %q", name, api, p.label, label)
	}
	return p, nil
}

// Counter returns the function that adds to what the client of that issuer has
// used on that day, counted in days since 1 January 1970 UTC. The function
// refuses quantities that are not positive, and those that would overflow.
func (p *Product) Counter(day int, issuer, client string) (add func(n int64) error, err error) {
	m, k := p.meter, key{p, day, issuer, client}
	m.mu.RLock()
	c := m.counters[k]
	m.mu.RUnlock()
	if c != nil {
		return c.add, nil
	}
	if m.closed.Load() {
		return nil, ErrClosed
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if c = m.counters[k]; c == nil {
		if len(m.counters) == math.MaxUint32 {
			return nil, errors.New("meter: too many counters")
		}
		c = &counter{number: uint32(len(m.counters)), key: k}
		c.add = c.addTotal
		m.counters[k] = c
	}
	return c.add, nil
}

// addTotal adds n. What it has added before the meter was closed is in the last
// flush; otherwise it says that it may not be.
func (c *counter) addTotal(n int64) error {
	if n <= 0 {
		return fmt.Errorf("meter: %d is not a positive quantity", n)
	}
	for {
		old := c.total.Load()
		if old > math.MaxInt64-n {
			return errors.New("meter: the count would overflow")
		}
		if c.total.CompareAndSwap(old, old+n) {
			break
		}
	}
	if c.key.product.meter.closed.Load() {
		return ErrClosed
	}
	return nil
}

// maxTold is the number of counts told at once.
const maxTold = 5000

// Flush tells the store every total that has changed. What it could not tell is
// told by the next Flush.
func (m *Meter) Flush(ctx context.Context) error {
	m.flushing.Lock()
	defer m.flushing.Unlock()
	through := time.Now()
	complete, err := m.tellAll(ctx, through)
	if err == nil && !complete {
		complete, err = m.tellAll(ctx, through)
	}
	if err == nil && !complete {
		err = errors.New("the store forgets what it is told")
	}
	if err != nil {
		return fmt.Errorf("meter: flush: %w", err)
	}
	return nil
}

// tellAll tells the store what has changed, and at least that nothing has. It
// reports false if the store turned out to have lost what it knew.
func (m *Meter) tellAll(ctx context.Context, through time.Time) (complete bool, err error) {
	changed := m.changed()
	if len(changed) == 0 {
		return m.tell(ctx, through, nil)
	}
	complete = true
	for batch := range slices.Chunk(changed, maxTold) {
		ok, err := m.tell(ctx, through, batch)
		if err != nil {
			return false, err
		}
		complete = complete && ok
	}
	return complete, nil
}

// changed returns the counters whose totals the store does not know, by number.
func (m *Meter) changed() []*counter {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var cs []*counter
	for _, c := range m.counters {
		if c.total.Load() != c.told {
			cs = append(cs, c)
		}
	}
	slices.SortFunc(cs, func(a, b *counter) int { return cmp.Compare(a.number, b.number) })
	return cs
}

// tell tells the store some totals. It reports false if the store has lost
// earlier ones, all of which are then to be told again.
func (m *Meter) tell(ctx context.Context, through time.Time, cs []*counter) (complete bool, err error) {
	counts := make([]store.Count, len(cs))
	for i, c := range cs {
		counts[i] = store.Count{
			Counter: c.number, Day: c.key.day, Issuer: c.key.issuer, Client: c.key.client,
			API: c.key.product.api, Product: c.key.product.name, Label: c.key.product.label,
			Total: c.total.Load(),
		}
	}
	had, err := m.store.Tell(ctx, m.stream, store.Telling{Seq: m.seq + 1, Through: through, Counts: counts})
	if err != nil {
		return false, err
	}
	complete = had >= m.seq
	if !complete {
		m.mu.RLock()
		for _, c := range m.counters {
			c.told = 0
		}
		m.mu.RUnlock()
	}
	m.seq++
	for i, c := range cs {
		c.told = counts[i].Total
	}
	return complete, nil
}

// Report flushes and then asks the store, so that it includes every use that
// this process admitted before. See [store.Usage].
func (m *Meter) Report(ctx context.Context, q store.Query) (rows iter.Seq2[store.Row, error], complete time.Time, err error) {
	if err := m.Flush(ctx); err != nil {
		return nil, time.Time{}, err
	}
	return m.store.Report(ctx, q)
}

// Close makes all counting fail, and flushes what was counted before.
func (m *Meter) Close(ctx context.Context) error {
	m.closed.Store(true)
	return m.Flush(ctx)
}
