package memory

import (
	"context"
	"maps"
	"time"

	"github.com/authtier/authtier/store"
)

const (
	sweepEvery = 4096      // puts after which the store sweeps by itself
	skew       = time.Hour // by which the clocks of those that use a store may differ
)

// Sweep implements [store.Sweeper]. The store also sweeps by itself, after
// every few thousand tokens and sessions.
func (s *Store) Sweep(ctx context.Context, now time.Time) error {
	return s.write(ctx, func() error {
		s.sweep(now)
		return nil
	})
}

func (s *Store) sweep(now time.Time) {
	s.puts = 0
	before := now.Add(-skew)
	ended := func(t time.Time) bool { return !t.IsZero() && t.Before(before) }
	maps.DeleteFunc(s.tokens, func(_ store.Digest, t store.Token) bool {
		return ended(t.Expires) && (!t.Refresh || ended(t.FamilyEnds))
	})
	maps.DeleteFunc(s.sessions, func(_ store.Digest, n store.Session) bool { return ended(n.Ends) })
	maps.DeleteFunc(s.signing, func(_ [2]string, k store.SigningKey) bool { return ended(k.Ends) })
	maps.DeleteFunc(s.feed.inForce, func(_ subject, c store.Change) bool { return ended(c.Until) })
}

// swept counts something that will expire, and sweeps when there was enough.
func (s *Store) swept() {
	if s.puts++; s.puts >= sweepEvery {
		s.sweep(time.Now())
	}
}
