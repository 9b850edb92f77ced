package memory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/authtier/authtier/store"
)

// usage holds counts and adjustments, under a lock of its own.
type usage struct {
	mu          sync.Mutex
	counts      map[counter]store.Count
	streams     map[store.Stream]streamState
	folded      map[folded]store.Count
	adjustments map[string]store.Adjustment
}

type counter struct {
	stream store.Stream
	number uint32
}

// A streamState is the state of a stream.
type streamState struct {
	seq     uint64
	through time.Time
	ended   bool
	closed  bool
}

// folded identifies a sum of counts of closed streams.
type folded struct {
	api, issuer, client, product, label string
	day                                 store.Day
}

func newUsage() usage {
	return usage{
		counts: map[counter]store.Count{}, streams: map[store.Stream]streamState{},
		folded: map[folded]store.Count{}, adjustments: map[string]store.Adjustment{},
	}
}

// Record implements [store.Usage].
func (s *Store) Record(ctx context.Context, stream store.Stream, t store.Batch) (had uint64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	u := &s.usage
	u.mu.Lock()
	defer u.mu.Unlock()

	if u.streams == nil {
		return 0, errZero
	}
	known := u.streams[stream]
	if known.closed {
		return 0, store.ErrStreamClosed
	}

	// No count is stored if one of them is wrong.
	for _, c := range t.Counts {
		if c.Total < 0 {
			return 0, fmt.Errorf("store: counter %d has the total %d", c.Counter, c.Total)
		}
	}
	for _, c := range t.Counts {
		key := counter{stream, c.Counter}
		if old, ok := u.counts[key]; !ok || c.Total > old.Total {
			u.counts[key] = c
		}
	}

	// Batches may arrive twice or out of order. The state of a stream never goes back.
	had = known.seq
	known.seq, known.ended = max(known.seq, t.Seq), known.ended || t.Ended
	if t.Through.After(known.through) {
		known.through = t.Through
	}
	u.streams[stream] = known
	return had, nil
}

// fold closes the streams whose counts are all old, and adds these counts up.
func (u *usage) fold(now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()

	youngest := map[store.Stream]store.Day{}
	for c, count := range u.counts {
		if day, ok := youngest[c.stream]; !ok || count.Day > day {
			youngest[c.stream] = count.Day
		}
	}

	// The counts of a stream are folded together, once all are old.
	for stream, day := range youngest {
		if day >= store.DayOf(now)-store.LateDays-1 {
			delete(youngest, stream)
			continue
		}
		t := u.streams[stream]
		t.closed, t.ended = true, true
		u.streams[stream] = t
	}

	maps.DeleteFunc(u.counts, func(c counter, count store.Count) bool {
		if _, old := youngest[c.stream]; !old {
			return false
		}
		key := folded{count.API, count.Issuer, count.Client, count.Product, count.Label, count.Day}
		sum := u.folded[key]
		count.Total = store.Sum(count.Total, sum.Total)
		u.folded[key] = count
		return true
	})
}

// Report implements [store.Usage].
func (s *Store) Report(ctx context.Context, q store.Query) (*store.Report, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := q.Check(); err != nil {
		return nil, err
	}

	u := &s.usage
	u.mu.Lock()
	defer u.mu.Unlock()

	sums := map[rowKey]store.Row{}
	for _, c := range u.counts {
		add(sums, q, c)
	}
	for _, c := range u.folded {
		add(sums, q, c)
	}
	for _, a := range u.adjustments {
		adjust(sums, q, a)
	}

	rows := slices.SortedFunc(maps.Values(sums), func(a, b store.Row) int {
		return cmp.Or(cmp.Compare(a.Client, b.Client), cmp.Compare(a.Product, b.Product), cmp.Compare(a.Day, b.Day))
	})

	// Without a stream that still counts, the report is complete as of now.
	var complete time.Time
	first := true
	for _, t := range u.streams {
		if !t.ended && (first || t.through.Before(complete)) {
			complete, first = t.through, false
		}
	}
	if first {
		complete = time.Now()
	}
	return store.NewReport(func(yield func(store.Row, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}, complete), nil
}

type rowKey struct {
	client, product string
	day             store.Day
}

// matches reports whether q includes usage of that API, issuer, client and day.
func matches(q store.Query, api, issuer, client string, day store.Day) bool {
	return api == q.API && issuer == q.Issuer && day >= q.From && day <= q.To && (q.Client == "" || client == q.Client)
}

func keyOf(q store.Query, client, product string, day store.Day) rowKey {
	if !q.ByDay {
		day = 0
	}
	return rowKey{client, product, day}
}

func add(sums map[rowKey]store.Row, q store.Query, c store.Count) {
	if c.Total == 0 || !matches(q, c.API, c.Issuer, c.Client, c.Day) {
		return
	}
	k := keyOf(q, c.Client, c.Product, c.Day)
	row := sums[k]
	row.Client, row.Product, row.Day, row.Label = k.client, k.product, k.day, max(row.Label, c.Label)
	row.Quantity = store.Sum(row.Quantity, c.Total)
	sums[k] = row
}

func adjust(sums map[rowKey]store.Row, q store.Query, a store.Adjustment) {
	if !matches(q, a.API, a.Issuer, a.Client, a.Day) {
		return
	}
	k := keyOf(q, a.Client, a.Product, a.Day)
	row := sums[k]
	row.Client, row.Product, row.Day = k.client, k.product, k.day
	row.Quantity = store.Sum(row.Quantity, a.Quantity)
	row.Adjusted = store.Sum(row.Adjusted, a.Quantity)
	sums[k] = row
}

// Adjust implements [store.Usage].
func (s *Store) Adjust(ctx context.Context, a store.Adjustment) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := a.Check(); err != nil {
		return err
	}
	u := &s.usage
	u.mu.Lock()
	defer u.mu.Unlock()

	if u.adjustments == nil {
		return errZero
	}
	old, known := u.adjustments[a.Key]
	if !known {
		u.adjustments[a.Key] = a
		return nil
	}

	// A repeated call may have another time. It is still the same adjustment.
	if old.Made = a.Made; old != a {
		return store.ErrKeyReused
	}
	return nil
}

// Adjustments implements [store.Usage].
func (s *Store) Adjustments(ctx context.Context, q store.Query) ([]store.Adjustment, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := q.Check(); err != nil {
		return nil, err
	}

	u := &s.usage
	u.mu.Lock()
	defer u.mu.Unlock()

	var as []store.Adjustment
	for _, a := range u.adjustments {
		if matches(q, a.API, a.Issuer, a.Client, a.Day) {
			as = append(as, a)
		}
	}

	slices.SortFunc(as, func(a, b store.Adjustment) int {
		return cmp.Or(a.Made.Compare(b.Made), cmp.Compare(a.Key, b.Key))
	})
	return as, nil
}

// ForgetUsage implements [store.Usage].
func (s *Store) ForgetUsage(ctx context.Context, before store.Day) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if before > store.DayOf(time.Now())-store.LateDays-2 {
		return fmt.Errorf("store: the day %v still accepts counts", before)
	}

	u := &s.usage
	u.mu.Lock()
	defer u.mu.Unlock()

	maps.DeleteFunc(u.counts, func(_ counter, c store.Count) bool { return c.Day < before })
	maps.DeleteFunc(u.folded, func(k folded, _ store.Count) bool { return k.day < before })
	maps.DeleteFunc(u.adjustments, func(_ string, a store.Adjustment) bool { return a.Day < before })
	return nil
}
