package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/authtier/authtier/store"
)

// foldBatch is how many counts are folded in one transaction.
const foldBatch = 1000

// fold closes the streams whose counts are all old, and adds these counts up. It closes
// a stream first, so that a concurrent Record waits, and is then refused. If folding is
// interrupted, the next fold continues it.
func (s *Store) fold(ctx context.Context, now time.Time) error {
	const days = store.LateDays + 1
	// A stream without counts counts as young as long as its meter reports.
	short, cancel := context.WithTimeout(ctx, 10*timeout)
	defer cancel()
	_, err := s.exec(short, `
		UPDATE authtier_streams SET closed = 1, ended = 1
		WHERE closed = 0 AND youngest < $1 AND (youngest <> $2 OR through < $3)`,
		int64(store.DayOf(now)-days), int64(math.MinInt32), micros(now.AddDate(0, 0, -days)))
	if err != nil {
		return err
	}

	for {
		var number int64
		err := s.write.QueryRowContext(ctx, `SELECT number FROM authtier_streams WHERE closed = 1 AND folded = 0 LIMIT 1`).Scan(&number)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		// Each transaction folds only some counts, so that other writers do not wait long.
		for more := true; more; {
			if more, err = s.foldSome(ctx, number); err != nil {
				return err
			}
		}
	}
}

// foldSome folds some counts of a closed stream, and reports whether there were any.
func (s *Store) foldSome(ctx context.Context, stream int64) (more bool, err error) {
	err = s.tx(ctx, "folding", func(ctx context.Context, tx *sql.Tx) error {
		// Other transactions that fold the same stream wait here.
		r, err := tx.ExecContext(ctx, `UPDATE authtier_streams SET folded = 0 WHERE number = $1 AND folded = 0`, stream)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return err
		}

		last, sums, err := someCounts(ctx, tx, stream)
		if err != nil {
			return err
		}
		if len(sums) == 0 {
			_, err := tx.ExecContext(ctx, `UPDATE authtier_streams SET folded = 1 WHERE number = $1`, stream)
			return err
		}

		more = true
		if err := s.addSums(ctx, tx, sums); err != nil {
			return err
		}

		// The sums and this deletion commit together: no count is lost or doubled.
		_, err = tx.ExecContext(ctx, `DELETE FROM authtier_counts WHERE id >= $1 AND id <= $2`, stream<<32, last)
		return err
	})
	return more, err
}

// someCounts returns sums of the first counts of a stream, and the ID of the last of
// these counts.
func someCounts(ctx context.Context, tx *sql.Tx, stream int64) (last int64, sums []count, err error) {
	rows, err := tx.QueryContext(ctx, `
		SELECT id, scope, day, client, product, label, total FROM authtier_counts
		WHERE id >= $1 AND id < $2 ORDER BY id LIMIT $3`, stream<<32, (stream+1)<<32, int64(foldBatch))
	if err != nil {
		return 0, nil, err
	}
	defer rows.Close()

	// The map's keys are counts without an ID and a total.
	of := map[count]int64{}
	for rows.Next() {
		var c count
		if err := rows.Scan(&c.id, &c.scope, &c.day, &c.client, &c.product, &c.label, &c.total); err != nil {
			return 0, nil, err
		}
		last = c.id
		total := c.total
		c.id, c.total = 0, 0
		of[c] = store.Sum(of[c], total)
	}

	for c, total := range of {
		c.total = total
		sums = append(sums, c)
	}
	// One order for all transactions prevents deadlocks between two that fold.
	slices.SortFunc(sums, func(a, b count) int {
		return cmp.Or(cmp.Compare(a.scope, b.scope), cmp.Compare(a.day, b.day),
			cmp.Compare(a.client, b.client), cmp.Compare(a.product, b.product), cmp.Compare(a.label, b.label))
	})
	return last, sums, rows.Err()
}

func (s *Store) addSums(ctx context.Context, tx *sql.Tx, sums []count) error {
	const columns = 6
	for chunk := range slices.Chunk(sums, 100) {
		var args []any
		for _, c := range chunk {
			args = append(args, c.scope, c.day, c.client, c.product, c.label, c.total)
		}
		// A sum that would overflow stays at the largest int64.
		_, err := tx.ExecContext(ctx, `
			INSERT INTO authtier_folded (scope, day, client, product, label, total) VALUES `+s.dialect.placeholders(len(chunk), columns)+`
			ON CONFLICT (scope, day, client, product, label) DO UPDATE SET total = CASE
				WHEN authtier_folded.total > 9223372036854775807 - excluded.total THEN 9223372036854775807
				ELSE authtier_folded.total + excluded.total END`, args...)
		if err != nil {
			return err
		}
	}
	return nil
}
