package memory

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/authtier/authtier/store"
)

type usage struct {
	mu      sync.Mutex
	counts  map[counter]store.Count
	streams map[store.Stream]told
}

type counter struct {
	stream store.Stream
	number uint32
}

type told struct {
	seq     uint64
	through time.Time
}

func newUsage() usage {
	return usage{counts: map[counter]store.Count{}, streams: map[store.Stream]told{}}
}

// Tell implements [store.Usage].
func (s *Store) Tell(ctx context.Context, stream store.Stream, seq uint64, through time.Time, cs []store.Count) (had uint64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	u := &s.usage
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, c := range cs {
		key := counter{stream, c.Counter}
		if old, ok := u.counts[key]; !ok || c.Total > old.Total {
			u.counts[key] = c
		}
	}
	t := u.streams[stream]
	had = t.seq
	t.seq = max(t.seq, seq)
	if through.After(t.through) {
		t.through = through
	}
	u.streams[stream] = t
	return had, nil
}

// Report implements [store.Usage].
func (s *Store) Report(ctx context.Context, q store.Query) (iter.Seq2[store.Row, error], time.Time, error) {
	if err := ctx.Err(); err != nil {
		return nil, time.Time{}, err
	}
	u := &s.usage
	u.mu.Lock()
	defer u.mu.Unlock()
	type key struct{ client, product string }
	sums := map[key]store.Row{}
	for _, c := range u.counts {
		if c.API != q.API || c.Issuer != q.Issuer || c.Day < q.From || c.Day > q.To ||
			q.Client != "" && c.Client != q.Client || c.Total == 0 {
			continue
		}
		k := key{c.Client, c.Product}
		row := sums[k]
		row.Client, row.Product, row.Label = c.Client, c.Product, max(row.Label, c.Label)
		row.Quantity = saturated(row.Quantity, c.Total)
		sums[k] = row
	}
	rows := slices.SortedFunc(maps.Values(sums), func(a, b store.Row) int {
		return cmp.Or(cmp.Compare(a.Client, b.Client), cmp.Compare(a.Product, b.Product))
	})
	var complete time.Time
	for _, t := range u.streams {
		if complete.IsZero() || t.through.Before(complete) {
			complete = t.through
		}
	}
	return func(yield func(store.Row, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}, complete, nil
}

// saturated returns a+b of two quantities, at most what an int64 holds.
func saturated(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
