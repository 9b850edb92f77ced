package middleware

import (
	"sync"
	"time"

	"github.com/authtier/authtier/middleware/internal/deadline"
)

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

	// A source may report during Subscribe, so the zero deadline is stored first.
	if len(sources) > 0 {
		c.fresh.Store(new(deadline.Deadline))
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
	f.cache.fresh.Store(new(deadline.At(t)))
}

// Forget drops the identities that the revocations match. After it returns, no
// identity that was validated before is answered again.
func (c *Cache) Forget(rs ...Revocation) {
	c.ring.add(rs)
	for _, r := range rs {
		// After a change of signing keys, tokens that were refused because their key was
		// unknown may be valid.
		if r.everything() || r.SigningKeyID != "" {
			c.purge(r.everything())
		}
	}
}

// purge drops all refusals. If good is set, it drops all identities too.
func (c *Cache) purge(good bool) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		if good {
			s.good.purge()
		}
		s.bad.purge()
		s.mu.Unlock()
	}
}
