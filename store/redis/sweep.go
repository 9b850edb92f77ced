package redis

import (
	"context"
	"fmt"
	"time"
)

const (
	skew       = time.Hour // by which the clocks of those that use a store may differ
	sweepBatch = 200       // records that one script drops, while the server waits
)

// Sweep implements [store.Sweeper].
func (s *Store) Sweep(ctx context.Context, now time.Time) error {
	before := formatInstant(now.Add(-skew))
	for _, kind := range []string{"token", "session", "signing", "revoked"} {
		for more := true; more; {
			reply, err := s.run(ctx, sweep, kind, before, sweepBatch)
			if err != nil {
				return err
			}
			n, ok := reply.(int64)
			if !ok {
				return fmt.Errorf("redis: a script returned %v", reply)
			}
			more = n == sweepBatch
		}
	}
	return nil
}
