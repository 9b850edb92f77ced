package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/authtier/authtier/store"
)

// byDay completes a query that groups by day if by is true.
func byDay(query string, by bool) string {
	if by {
		return strings.ReplaceAll(query, "%DAY%", "day")
	}
	// The remaining query has a constant day, by which it must not group.
	return strings.ReplaceAll(strings.ReplaceAll(query, "%DAY% AS day", "0 AS day"), ", %DAY%", "")
}

// Adjust implements [store.Usage].
func (s *Store) Adjust(ctx context.Context, a store.Adjustment) error {
	const what = "adjusting usage"
	if err := a.Check(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	scope := framed(a.API, a.Issuer)

	// Names are entered in one order by all callers, so that these never deadlock.
	list := []string{scope, a.Client, a.Product}
	slices.Sort(list)
	numbers, err := s.enterNames(ctx, slices.Compact(list))
	if err != nil {
		return s.wrap(what, err)
	}

	r, err := s.exec(ctx, `
		INSERT INTO authtier_adjustments (key_key, key, scope, day, client, product, quantity, reason, author, made)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (key_key) DO NOTHING`,
		key(a.Key), []byte(a.Key), numbers[scope], int64(a.Day), numbers[a.Client], numbers[a.Product],
		a.Quantity, []byte(a.Reason), []byte(a.Author), micros(a.Made))
	if err := touched(r, err); !errors.Is(err, store.ErrNotFound) {
		return s.wrap(what, err)
	}

	// The key is known. Repeating the same adjustment is not an error.
	var same int
	err = s.write.QueryRowContext(ctx, `
		SELECT count(*) FROM authtier_adjustments WHERE key_key = $1 AND scope = $2 AND day = $3
			AND client = $4 AND product = $5 AND quantity = $6 AND reason = $7 AND author = $8`,
		key(a.Key), numbers[scope], int64(a.Day), numbers[a.Client], numbers[a.Product],
		a.Quantity, []byte(a.Reason), []byte(a.Author)).Scan(&same)
	switch {
	case err != nil:
		return s.wrap(what, err)
	case same == 0:
		return store.ErrKeyReused
	}
	return nil
}

// Adjustments implements [store.Usage].
func (s *Store) Adjustments(ctx context.Context, q store.Query) ([]store.Adjustment, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	as, err := s.adjustments(ctx, q)
	return as, s.wrap("reading adjustments", err)
}

func (s *Store) adjustments(ctx context.Context, q store.Query) ([]store.Adjustment, error) {
	args, found, err := s.scope(ctx, q)
	if err != nil || !found {
		return nil, err
	}

	rows, err := s.read.QueryContext(ctx, `
		SELECT a.key, c.name, p.name, a.day, a.quantity, a.reason, a.author, a.made
		FROM authtier_adjustments a JOIN authtier_names c ON c.number = a.client JOIN authtier_names p ON p.number = a.product
		WHERE a.scope = $1 AND a.day BETWEEN $2 AND $3 AND (CAST($4 AS BIGINT) = 0 OR a.client = $4) ORDER BY a.made, a.key`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()

	var as []store.Adjustment
	for rows.Next() {
		a := store.Adjustment{API: q.API, Issuer: q.Issuer}
		var key, client, product, reason, author []byte
		var made int64
		if err := rows.Scan(&key, &client, &product, &a.Day, &a.Quantity, &reason, &author, &made); err != nil {
			return nil, err
		}
		a.Key, a.Client, a.Product = string(key), string(client), string(product)
		a.Reason, a.Author, a.Made = string(reason), string(author), timeOf(made)
		as = append(as, a)
	}
	return as, rows.Err()
}

// adjustedRows returns the adjustments of q as rows of a report.
func (s *Store) adjustedRows(ctx context.Context, q store.Query) ([]store.Row, error) {
	as, err := s.adjustments(ctx, q)
	if err != nil {
		return nil, err
	}

	var rows []store.Row
	for _, a := range as {
		row := store.Row{Client: a.Client, Product: a.Product, Quantity: a.Quantity, Adjusted: a.Quantity}
		if q.ByDay {
			row.Day = a.Day
		}
		// Several adjustments can belong to one row of the report.
		n, found := slices.BinarySearchFunc(rows, row, compareRows)
		if !found {
			rows = slices.Insert(rows, n, row)
			continue
		}
		sum := store.Sum(rows[n].Quantity, a.Quantity)
		rows[n].Quantity, rows[n].Adjusted = sum, sum
	}
	return rows, nil
}

// ForgetUsage implements [store.Usage].
func (s *Store) ForgetUsage(ctx context.Context, before store.Day) error {
	if before > store.DayOf(time.Now())-store.LateDays-2 {
		return fmt.Errorf("%s: the day %v still accepts counts", s.dialect.Name, before)
	}

	// Each statement deletes few rows and is repeated, so that other writers go on.
	for _, query := range []string{
		`DELETE FROM authtier_counts WHERE id IN (SELECT id FROM authtier_counts WHERE day < $1 LIMIT $2)`,
		`DELETE FROM authtier_adjustments WHERE key_key IN (SELECT key_key FROM authtier_adjustments WHERE day < $1 LIMIT $2)`,
		`DELETE FROM authtier_folded WHERE (scope, day, client, product, label) IN
			(SELECT scope, day, client, product, label FROM authtier_folded WHERE day < $1 LIMIT $2)`,
	} {
		if err := s.sweep(ctx, query, int64(before)); err != nil {
			return err
		}
	}
	return nil
}
