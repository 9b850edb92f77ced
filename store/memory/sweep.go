package memory

import (
	"context"
	"maps"
	"time"

	"github.com/authtier/authtier/store"
)

const (
	minSweep = 4096      // records below which none is looked at for its end
	skew     = time.Hour // by which the clocks of those that use a store may differ
)

// Sweep implements [store.Sweeper]. The store also sweeps by itself, whenever it
// holds twice as much as was left the last time: what a put costs does not grow
// with the store.
func (s *Store) Sweep(ctx context.Context, now time.Time) error {
	return s.write(ctx, func() error {
		s.sweep(now)
		s.usage.fold(now)
		return nil
	})
}

func (s *Store) sweep(now time.Time) {
	before := now.Add(-skew)
	ended := func(t time.Time) bool { return !t.IsZero() && t.Before(before) }
	maps.DeleteFunc(s.tokens, func(_ store.Digest, t *token) bool {
		return s.gone(t) || ended(t.Expires) && (!t.Refresh || ended(t.FamilyEnds))
	})
	maps.DeleteFunc(s.sessions, func(_ store.Digest, n store.Session) bool { return ended(n.Ends) })
	maps.DeleteFunc(s.signing, func(_ [2]string, k store.SigningKey) bool { return ended(k.Ends) })
	maps.DeleteFunc(s.feed.inForce, func(_ subject, c forced) bool { return ended(c.Until) })
	s.sweepAt = max(minSweep, 2*s.size())
}

// size is the number of records that come to an end.
func (s *Store) size() int { return len(s.tokens) + len(s.sessions) + len(s.feed.inForce) }

// grown sweeps when there is enough to sweep.
func (s *Store) grown() {
	if s.size() >= s.sweepAt {
		s.sweep(time.Now())
	}
}
