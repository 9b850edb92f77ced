package sqlstore

import (
	"context"
	"database/sql"
	"encoding/binary"
	"iter"
	"math"
	"time"

	"github.com/authtier/authtier/store"
)

// tellBatch is how many counts are told in one transaction.
const tellBatch = 5000

// Tell implements [store.Usage].
func (s *Store) Tell(ctx context.Context, stream store.Stream, seq uint64, through time.Time, cs []store.Count) (had uint64, err error) {
	for {
		n := min(len(cs), tellBatch)
		last := n == len(cs)
		first := had
		had, err = s.tell(ctx, stream, seq, through, cs[:n], last)
		if err != nil || last {
			return max(first, had), err
		}
		cs = cs[n:]
	}
}

// tell keeps one batch. Only the last one says what is then complete.
func (s *Store) tell(ctx context.Context, stream store.Stream, seq uint64, through time.Time, cs []store.Count, last bool) (had uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*timeout)
	defer cancel()
	tx, err := s.begin(ctx)
	if err != nil {
		return 0, s.wrap("telling counts", err)
	}
	defer tx.Rollback()
	var number int64
	err = tx.QueryRowContext(ctx, `
		INSERT INTO authtier_streams (id, seq, through) VALUES ($1, 0, 0)
		ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING number, seq`, stream[:]).Scan(&number, &had)
	if err != nil {
		return 0, s.wrap("telling counts", err)
	}
	if err := tellCounts(ctx, tx, number, cs); err != nil {
		return 0, s.wrap("telling counts", err)
	}
	if last {
		_, err = tx.ExecContext(ctx, `
			UPDATE authtier_streams SET seq = CASE WHEN seq > $1 THEN seq ELSE $1 END,
				through = CASE WHEN through > $2 THEN through ELSE $2 END WHERE number = $3`, int64(seq), micros(through), number)
		if err != nil {
			return 0, s.wrap("telling counts", err)
		}
	}
	return had, s.wrap("telling counts", tx.Commit())
}

func tellCounts(ctx context.Context, tx *sql.Tx, stream int64, cs []store.Count) error {
	for _, c := range cs {
		dimension, err := dimensionOf(ctx, tx, c)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO authtier_counts (stream, counter, dimension, total) VALUES ($1, $2, $3, $4)
			ON CONFLICT (stream, counter) DO UPDATE SET total = excluded.total WHERE excluded.total > authtier_counts.total`,
			stream, int64(c.Counter), dimension, c.Total)
		if err != nil {
			return err
		}
	}
	return nil
}

// dimensionOf returns the number of what c counts.
func dimensionOf(ctx context.Context, tx *sql.Tx, c store.Count) (number int64, err error) {
	err = tx.QueryRowContext(ctx, `
		INSERT INTO authtier_dimensions (names, scope, day, client, product, label) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (names, day) DO UPDATE SET day = excluded.day RETURNING number`,
		key(framed(c.API, c.Issuer, c.Client, c.Product, c.Label)), key(framed(c.API, c.Issuer)), int64(c.Day),
		[]byte(c.Client), []byte(c.Product), []byte(c.Label)).Scan(&number)
	return number, err
}

// framed joins names so that no two lists are joined alike.
func framed(names ...string) string {
	var b []byte
	for _, n := range names {
		b = binary.AppendUvarint(b, uint64(len(n)))
		b = append(b, n...)
	}
	return string(b)
}

// Report implements [store.Usage].
func (s *Store) Report(ctx context.Context, q store.Query) (iter.Seq2[store.Row, error], time.Time, error) {
	var through int64
	err := s.read.QueryRowContext(ctx, `SELECT coalesce(min(through), 0) FROM authtier_streams`).Scan(&through)
	if err != nil {
		return nil, time.Time{}, s.wrap("reporting", err)
	}
	return func(yield func(store.Row, error) bool) {
		if err := s.report(ctx, q, yield); err != nil {
			yield(store.Row{}, s.wrap("reporting", err))
		}
	}, timeOf(through), nil
}

// report sums in two halves, since a sum may be more than an int64 holds.
func (s *Store) report(ctx context.Context, q store.Query, yield func(store.Row, error) bool) error {
	query := `
		SELECT d.client, d.product, d.label, sum(c.total / 4294967296), sum(c.total % 4294967296)
		FROM authtier_dimensions d JOIN authtier_counts c ON c.dimension = d.number
		WHERE d.scope = $1 AND d.day BETWEEN $2 AND $3 AND c.total > 0`
	args := []any{key(framed(q.API, q.Issuer)), int64(q.From), int64(q.To)}
	if q.Client != "" {
		query += ` AND d.client = $4`
		args = append(args, []byte(q.Client))
	}
	rows, err := s.read.QueryContext(ctx, query+` GROUP BY d.client, d.product, d.label ORDER BY d.client, d.product, d.label`, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var row store.Row
	pending := false
	for rows.Next() {
		var client, product, label []byte
		var high, low int64
		if err := rows.Scan(&client, &product, &label, &high, &low); err != nil {
			return err
		}
		if pending && (row.Client != string(client) || row.Product != string(product)) {
			if !yield(row, nil) {
				return nil
			}
			row = store.Row{}
		}
		pending = true
		row.Client, row.Product, row.Label = string(client), string(product), string(label)
		row.Quantity = saturated(row.Quantity, joined(high, low))
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if pending {
		yield(row, nil)
	}
	return nil
}

func joined(high, low int64) int64 {
	high += low >> 32
	if high > math.MaxInt64>>32 {
		return math.MaxInt64
	}
	return high<<32 | low&(1<<32-1)
}

// saturated returns a+b of two quantities, at most what an int64 holds.
func saturated(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
