package middleware

import (
	"sync"
	"time"
)

// A limit is a time that is past when one of the clocks says so: the monotonic
// one stands still while the machine sleeps, and the wall clock may be set back.
type limit struct{ monotonic, wall time.Time }

func (l *limit) past(now time.Time) bool { return now.After(l.monotonic) || now.After(l.wall) }

// A feed is what a cache hears of one Source.
type feed struct {
	cache *Cache
	fresh time.Time // guarded by the cache's feeds
}

// feeds are all of a cache's.
type feeds struct {
	mu  sync.Mutex
	all []*feed
}

// subscribe makes the cache hear of every source. Until all of them have said
// until when the cache is fresh, it is not.
func (c *Cache) subscribe(sources []Source) {
	for range sources {
		c.feeds.all = append(c.feeds.all, &feed{cache: c})
	}
	if len(sources) > 0 {
		c.fresh.Store(&limit{})
	}
	for n, source := range sources {
		source.Subscribe(c.feeds.all[n])
	}
}

// Forget implements [Sink].
func (f *feed) Forget(rs ...Revocation) { f.cache.Forget(rs...) }

// FreshUntil implements [Sink]. The cache is fresh for as long as the source is
// that was heard of least recently.
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
