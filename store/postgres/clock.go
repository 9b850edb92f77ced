package postgres

import (
	"context"
	"fmt"
	"time"
)

// Clock returns the time by the clock of the server. Nodes whose clocks differ from it, or
// from each other, can judge differently whether a credential has expired.
func (s *Store) Clock(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()

	var now time.Time
	if err := s.pool.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now); err != nil {
		return time.Time{}, fmt.Errorf("postgres: reading the clock: %w", err)
	}
	return now.UTC(), nil
}
