package sqlstore

import (
	"context"
	"strings"
	"time"
)

const (
	skew       = time.Hour // how much the clocks of machines that share the store may differ
	sweepBatch = 1000      // rows of one transaction, so that others do not wait long
	feedLength = 8192      // the least number of changes that are kept
)

// sweeps delete records that ended before $1, at most $2 rows each.
var sweeps = []string{
	`DELETE FROM authtier_tokens WHERE digest IN
		(SELECT digest FROM authtier_tokens WHERE droppable < $1 AND droppable <> 0 ORDER BY droppable LIMIT $2)`,
	`DELETE FROM authtier_sessions WHERE token IN
		(SELECT token FROM authtier_sessions WHERE ends < $1 AND ends <> 0 ORDER BY ends LIMIT $2)`,
	`DELETE FROM authtier_in_force WHERE until < $1 AND until <> 0 AND id_key IN
		(SELECT id_key FROM authtier_in_force WHERE until < $1 AND until <> 0 ORDER BY until LIMIT $2)`,
	`DELETE FROM authtier_signing_keys WHERE ends < $1 AND ends <> 0 AND id_key IN
		(SELECT id_key FROM authtier_signing_keys WHERE ends < $1 AND ends <> 0 LIMIT $2)`,
}

// trim deletes all but the last $1 changes, at most $2 of them.
const trim = `DELETE FROM authtier_changes WHERE n IN
	(SELECT n FROM authtier_changes WHERE n < (SELECT n FROM authtier_head) - $1 ORDER BY n LIMIT $2)`

// Sweep implements [store.Sweeper]. It also drops all but the last changes. A reader that
// is further behind takes a Snapshot.
func (s *Store) Sweep(ctx context.Context, now time.Time) error {
	for _, query := range sweeps {
		if err := s.sweep(ctx, query, micros(now.Add(-skew))); err != nil {
			return err
		}
	}
	if err := s.sweep(ctx, trim, feedLength); err != nil {
		return err
	}
	return s.wrap("folding counts", s.fold(ctx, now))
}

func (s *Store) sweep(ctx context.Context, query string, arg int64) error {
	for {
		n, err := s.sweepSome(ctx, query, arg)
		if err != nil || n == 0 {
			return s.wrap("sweeping", err)
		}
	}
}

func (s *Store) sweepSome(ctx context.Context, query string, arg int64) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*timeout)
	defer cancel()
	// Let several processes that sweep at the same time take different rows.
	if s.dialect.Postgres {
		query = strings.ReplaceAll(query, "LIMIT $2)", "LIMIT $2 FOR UPDATE SKIP LOCKED)")
	}
	r, err := s.exec(ctx, query, arg, int64(sweepBatch))
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}
