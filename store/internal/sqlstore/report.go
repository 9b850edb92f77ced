package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"iter"
	"math"
	"strings"
	"time"

	"github.com/authtier/authtier/store"
)

// Report implements [store.Usage]. The rows are read while the caller ranges over them.
func (s *Store) Report(ctx context.Context, q store.Query) (*store.Report, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	// Read this time before the counts, so that it does not promise too much.
	var through sql.NullInt64
	err := s.row(ctx, "reporting", `SELECT min(through) FROM authtier_streams WHERE ended = 0`, nil, &through)
	if err != nil {
		return nil, err
	}
	complete := time.Now()
	if through.Valid {
		complete = timeOf(through.Int64)
	}

	return store.NewReport(func(yield func(store.Row, error) bool) {
		if err := s.report(ctx, q, yield); err != nil {
			yield(store.Row{}, s.wrap("reporting", err))
		}
	}, complete), nil
}

// reportQuery adds up the counts of a scope and a range of days.
const reportQuery = `
	SELECT c.name, p.name, s.day, l.name, s.high, s.low
	FROM (
		SELECT client, product, %DAY% AS day, label, %SUMS%
		FROM (
			SELECT client, product, day, label, total FROM authtier_counts
			WHERE scope = $1 AND day BETWEEN $2 AND $3 AND (CAST($4 AS BIGINT) = 0 OR client = $4)
			UNION ALL
			SELECT client, product, day, label, total FROM authtier_folded
			WHERE scope = $1 AND day BETWEEN $2 AND $3 AND (CAST($4 AS BIGINT) = 0 OR client = $4)
		) AS used
		GROUP BY client, product, %DAY%, label
	) AS s
	JOIN authtier_names c ON c.number = s.client
	JOIN authtier_names p ON p.number = s.product
	JOIN authtier_names l ON l.number = s.label
	ORDER BY c.name, p.name, s.day, l.name`

// A sum may exceed an int64. The sum therefore has three forms. In PostgreSQL it has
// another type, and is capped. SQLite refuses a sum that is too large; it is then
// computed in two halves.
const (
	cappedSum = `0 AS high, least(sum(total), 9223372036854775807)::bigint AS low`
	plainSum  = `0 AS high, sum(total) AS low`
	twoHalves = `sum(total / 4294967296) AS high, sum(total % 4294967296) AS low`
)

func (s *Store) report(ctx context.Context, q store.Query, yield func(store.Row, error) bool) error {
	args, found, err := s.scope(ctx, q)
	if err != nil || !found {
		return err
	}
	adjusted, err := s.adjustedRows(ctx, q)
	if err != nil {
		return err
	}
	if s.dialect.Postgres {
		_, err = s.reportBy(ctx, q, cappedSum, args, adjusted, yield)
		return err
	}
	// If a sum is too large, the query is repeated, unless a row was already yielded.
	begun, err := s.reportBy(ctx, q, plainSum, args, adjusted, yield)
	if err != nil && !begun && strings.Contains(err.Error(), "integer overflow") {
		_, err = s.reportBy(ctx, q, twoHalves, args, adjusted, yield)
	}
	return err
}

// reportBy reports with one form of sums. begun reports whether it has yielded a row.
func (s *Store) reportBy(ctx context.Context, q store.Query, sums string, args []any, adjusted []store.Row, yield func(store.Row, error) bool) (begun bool, err error) {
	tx, err := s.read.BeginTx(ctx, s.dialect.Snapshot)
	if err != nil {
		return false, err
	}
	defer tx.Rollback()

	// The dialect's setting is local to this transaction.
	if s.dialect.Report != "" {
		if _, err := tx.ExecContext(ctx, s.dialect.Report); err != nil {
			return false, err
		}
	}

	rows, err := tx.QueryContext(ctx, byDay(strings.ReplaceAll(reportQuery, "%SUMS%", sums), q.ByDay), args...)
	if err != nil {
		return false, err
	}
	defer rows.Close()

	for row, err := range merged(joinLabels(rows), adjusted) {
		if err != nil {
			return begun, err
		}
		begun = true
		if !yield(row, nil) {
			return true, nil
		}
	}
	return begun, nil
}

// joinLabels yields the rows of a report. Rows that differ only in the label become one.
func joinLabels(rows *sql.Rows) iter.Seq2[store.Row, error] {
	return func(yield func(store.Row, error) bool) {
		var row store.Row
		pending := false
		// Hold each row back until the next one shows that it is complete.
		for rows.Next() {
			next, err := scanRow(rows)
			switch {
			case err != nil:
				yield(row, err)
				return
			case next.Quantity == 0:
				continue
			case pending && compareRows(row, next) == 0:
				next.Quantity = store.Sum(row.Quantity, next.Quantity)
				next.Label = max(row.Label, next.Label)
			case pending && !yield(row, nil):
				return
			}
			row, pending = next, true
		}
		if err := rows.Err(); err != nil {
			yield(row, err)
			return
		}
		if pending {
			yield(row, nil)
		}
	}
}

// merged adds adjustments to rows; both are ordered.
func merged(rows iter.Seq2[store.Row, error], adjusted []store.Row) iter.Seq2[store.Row, error] {
	return func(yield func(store.Row, error) bool) {
		for row, err := range rows {
			if err != nil {
				yield(row, err)
				return
			}
			// Clients without counts can have adjustments, which come before this row.
			for len(adjusted) > 0 && compareRows(adjusted[0], row) < 0 {
				if !yield(adjusted[0], nil) {
					return
				}
				adjusted = adjusted[1:]
			}
			if len(adjusted) > 0 && compareRows(adjusted[0], row) == 0 {
				row.Quantity = store.Sum(row.Quantity, adjusted[0].Quantity)
				row.Adjusted = adjusted[0].Adjusted
				adjusted = adjusted[1:]
			}
			if !yield(row, nil) {
				return
			}
		}
		for _, row := range adjusted {
			if !yield(row, nil) {
				return
			}
		}
	}
}

func compareRows(a, b store.Row) int {
	return cmp.Or(cmp.Compare(a.Client, b.Client), cmp.Compare(a.Product, b.Product), cmp.Compare(a.Day, b.Day))
}

// scope returns the arguments that tell what q asks for, and false if there is
// nothing of it.
func (s *Store) scope(ctx context.Context, q store.Query) (args []any, found bool, err error) {
	// A name without a number was never counted or adjusted.
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
	var high, low int64
	if err := rows.Scan(&client, &product, &r.Day, &label, &high, &low); err != nil {
		return r, err
	}
	r.Client, r.Product, r.Label = string(client), string(product), string(label)
	r.Quantity = joined(high, low)
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
