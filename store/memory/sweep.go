package memory

import (
	"context"
	"maps"
	"time"

	"github.com/authtier/authtier/store"
)

const (
	minSweep = 4096      // with fewer records, the store does not sweep by itself
	skew     = time.Hour // how much the clocks of machines that use a store may differ
)

// Sweep implements [store.Sweeper]. The store also sweeps by itself whenever it holds
// twice as many records as the last sweep left. The average cost of storing a token
// therefore does not grow with the store.
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
	// A used refresh token stays until its family ends, so that its reuse is noticed.
	maps.DeleteFunc(s.tokens, func(_ store.Digest, t *token) bool {
		return s.gone(t) || ended(t.Expires) && (!t.Refresh || ended(t.FamilyEnds))
	})
	maps.DeleteFunc(s.sessions, func(_ store.Digest, n store.Session) bool { return ended(n.Ends) })
	maps.DeleteFunc(s.signing, func(_ [2]string, k store.SigningKey) bool { return ended(k.Ends) })
	maps.DeleteFunc(s.feed.inForce, func(_ subject, c forced) bool { return ended(c.Until) })
	s.sweepAt = max(minSweep, 2*s.size())
}

// size returns the number of records that can end.
func (s *Store) size() int { return len(s.tokens) + len(s.sessions) + len(s.feed.inForce) }

// grown sweeps if the store holds enough records.
func (s *Store) grown() {
	if s.size() >= s.sweepAt {
		s.sweep(time.Now())
	}
}
