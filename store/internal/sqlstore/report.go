package sqlstore

import (
	"context"
	"database/sql"
	"iter"
	"math"
	"time"

	"github.com/authtier/authtier/store"
)

// Report implements [store.Usage]. The rows are read as they are asked for.
func (s *Store) Report(ctx context.Context, q store.Query) (iter.Seq2[store.Row, error], time.Time, error) {
	var through sql.NullInt64
	err := s.row(ctx, "reporting", `SELECT min(through) FROM authtier_streams WHERE ended = 0`, nil, &through)
	if err != nil {
		return nil, time.Time{}, err
	}
	complete := time.Now()
	if through.Valid {
		complete = timeOf(through.Int64)
	}
	return func(yield func(store.Row, error) bool) {
		if err := s.report(ctx, q, yield); err != nil {
			yield(store.Row{}, s.wrap("reporting", err))
		}
	}, complete, nil
}

// reportQuery sums counts and adjustments of a scope and days. A sum may be more
// than an int64 holds, so that it is made of two halves.
const reportQuery = `
	SELECT c.name, p.name, s.day, l.name, s.high, s.low, s.adjusted_high, s.adjusted_low
	FROM (
		SELECT client, product, %DAY% AS day, label,
			sum(total / 4294967296) AS high, sum(total % 4294967296) AS low,
			sum(adjusted / 4294967296) AS adjusted_high, sum(adjusted % 4294967296) AS adjusted_low
		FROM (
			SELECT client, product, day, label, total, 0 AS adjusted FROM authtier_counts
			WHERE scope = $1 AND day BETWEEN $2 AND $3 AND total > 0 AND ($4 = 0 OR client = $4)
			UNION ALL
			SELECT client, product, day, label, total, 0 FROM authtier_folded
			WHERE scope = $1 AND day BETWEEN $2 AND $3 AND total > 0 AND ($4 = 0 OR client = $4)
			UNION ALL
			SELECT client, product, day, 0, quantity, quantity FROM authtier_adjustments
			WHERE scope = $1 AND day BETWEEN $2 AND $3 AND ($4 = 0 OR client = $4)
		) AS used
		GROUP BY client, product, %DAY%, label
	) AS s
	JOIN authtier_names c ON c.number = s.client
	JOIN authtier_names p ON p.number = s.product
	LEFT JOIN authtier_names l ON l.number = s.label
	ORDER BY c.name, p.name, s.day, l.name`

func (s *Store) report(ctx context.Context, q store.Query, yield func(store.Row, error) bool) error {
	args, found, err := s.scope(ctx, q)
	if err != nil || !found {
		return err
	}
	rows, err := s.read.QueryContext(ctx, byDay(reportQuery, q.ByDay), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var row store.Row
	pending := false
	for rows.Next() {
		next, err := scanRow(rows)
		if err != nil {
			return err
		}
		switch {
		case pending && row.Client == next.Client && row.Product == next.Product && row.Day == next.Day:
			next.Quantity = saturated(row.Quantity, next.Quantity)
			next.Adjusted = saturated(row.Adjusted, next.Adjusted)
			next.Label = max(row.Label, next.Label)
		case pending && !yield(row, nil):
			return nil
		}
		row, pending = next, true
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if pending {
		yield(row, nil)
	}
	return nil
}

// scope returns the arguments that tell what q asks for, and false if there is
// nothing of it.
func (s *Store) scope(ctx context.Context, q store.Query) (args []any, found bool, err error) {
	scope, err := s.number(ctx, framed(q.API, q.Issuer))
	if err != nil || scope == 0 {
		return nil, false, err
	}
	var client int64
	if q.Client != "" {
		if client, err = s.number(ctx, q.Client); err != nil || client == 0 {
			return nil, false, err
		}
	}
	return []any{scope, int64(q.From), int64(q.To), client}, true, nil
}

func scanRow(rows *sql.Rows) (r store.Row, err error) {
	var client, product, label []byte
	var high, low, adjustedHigh, adjustedLow int64
	if err := rows.Scan(&client, &product, &r.Day, &label, &high, &low, &adjustedHigh, &adjustedLow); err != nil {
		return r, err
	}
	r.Client, r.Product, r.Label = string(client), string(product), string(label)
	r.Quantity, r.Adjusted = joined(high, low), joined(adjustedHigh, adjustedLow)
	return r, nil
}

// joined returns high<<32 + low, at most and at least what an int64 holds.
func joined(high, low int64) int64 {
	high += low >> 32
	switch {
	case high > math.MaxInt32:
		return math.MaxInt64
	case high < math.MinInt32:
		return math.MinInt64
	}
	return high<<32 | low&(1<<32-1)
}

// saturated returns a+b, at most and at least what an int64 holds.
func saturated(a, b int64) int64 {
	switch {
	case b > 0 && a > math.MaxInt64-b:
		return math.MaxInt64
	case b < 0 && a < math.MinInt64-b:
		return math.MinInt64
	}
	return a + b
}
