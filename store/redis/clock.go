package redis

import (
	"context"
	"time"
)

// Clock returns the time by the clock of the server that holds the namespace. Nodes whose
// clocks differ from it, or from each other, can judge differently whether a credential
// has expired.
func (s *Store) Clock(ctx context.Context) (now time.Time, err error) {
	err = call(ctx, func(ctx context.Context) error {
		node, err := s.node(ctx)
		if err != nil {
			return err
		}
		now, err = node.Time(ctx).Result()
		return err
	})
	if err != nil {
		return time.Time{}, err
	}
	return now.UTC(), nil
}
