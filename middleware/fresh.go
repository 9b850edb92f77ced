package middleware

import (
	"sync"
	"time"
)

// A limit is a point in time. It has passed as soon as either clock says so, because
// the monotonic clock stands still while the machine sleeps and the wall clock may be
// set back.
type limit struct{ monotonic, wall time.Time }

func (l *limit) past(now time.Time) bool { return now.After(l.monotonic) || now.After(l.wall) }

// A feed receives the reports of one Source for a cache.
type feed struct {
	cache *Cache
	fresh time.Time // guarded by the cache's feeds
}

// feeds holds all feeds of a cache.
type feeds struct {
	mu  sync.Mutex
	all []*feed
}

// subscribe subscribes the cache to every source. The cache is not fresh until each
// source has reported until when it is fresh.
func (c *Cache) subscribe(sources []Source) {
	for range sources {
		c.feeds.all = append(c.feeds.all, &feed{cache: c})
	}

	// A source may report during Subscribe, so the zero limit is stored first.
	if len(sources) > 0 {
		c.fresh.Store(&limit{})
	}

	for n, source := range sources {
		source.Subscribe(c.feeds.all[n])
	}
}

// Forget implements [Sink].
func (f *feed) Forget(rs ...Revocation) { f.cache.Forget(rs...) }

// FreshUntil implements [Sink]. The cache is fresh until the earliest of the times
// that its sources have reported.
func (f *feed) FreshUntil(t time.Time) {
	all := &f.cache.feeds
	all.mu.Lock()
	defer all.mu.Unlock()
	f.fresh = t

	for _, other := range all.all {
		if other.fresh.Before(t) {
			t = other.fresh
		}
	}
	f.cache.fresh.Store(&limit{t, t.Round(0)})
}
