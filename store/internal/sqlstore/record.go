package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/authtier/authtier/store"
)

// batchSize is how many counts one transaction of SQLite records, so that other writers
// do not wait long. PostgreSQL takes twice as many, because it locks only rows.
const batchSize = 2500

// Record implements [store.Usage]. Only the last of several transactions records the
// sequence number, so that the number acknowledges all counts.
func (s *Store) Record(ctx context.Context, stream store.Stream, t store.Batch) (had uint64, err error) {
	for _, c := range t.Counts {
		if c.Total < 0 || c.Day > math.MaxInt32 || c.Day < math.MinInt32 {
			return 0, fmt.Errorf("%s: counter %d has the total %d on day %d", s.dialect.Name, c.Counter, c.Total, c.Day)
		}
	}

	batch := batchSize
	if s.dialect.Postgres {
		batch *= 2
	}

	for {
		n := min(len(t.Counts), batch)
		part := t
		part.Counts = t.Counts[:n]
		had, err = s.record(ctx, stream, part, n == len(t.Counts))
		// The numbers of the names were wrong: look them up again.
		if errors.Is(err, errNamesLost) {
			s.names.forget()
			had, err = s.record(ctx, stream, part, n == len(t.Counts))
		}
		if err != nil || n == len(t.Counts) {
			return had, s.wrap("recording counts", err)
		}
		t.Counts = t.Counts[n:]
	}
}

// A count is a store.Count whose names are replaced by their numbers.
type count struct{ id, scope, day, client, product, label, total int64 }

func (s *Store) record(ctx context.Context, stream store.Stream, t store.Batch, last bool) (had uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*timeout)
	defer cancel()

	// The transaction takes SQLite's only writing connection, so this comes before it.
	numbers, err := s.numbersOf(ctx, t.Counts)
	if err != nil {
		return 0, err
	}

	tx, err := s.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()

	number, had, err := openStream(ctx, tx, stream)
	if err != nil {
		return 0, err
	}
	// Remembered numbers are wrong if the database was put back to an earlier copy.
	if same, err := s.hold(ctx, tx, numbers); err != nil || !same {
		if err == nil {
			err = errNamesLost
		}
		return 0, err
	}

	if err := s.putCounts(ctx, tx, highest(number, t.Counts, numbers)); err != nil {
		return 0, err
	}
	// Until all batches are recorded, the store must not acknowledge any of them.
	if !last {
		t.Seq, t.Through, t.Ended = 0, time.Time{}, false
	}
	_, err = tx.ExecContext(ctx, `
		UPDATE authtier_streams SET seq = CASE WHEN seq > $1 THEN seq ELSE $1 END,
			through = CASE WHEN through > $2 THEN through ELSE $2 END,
			youngest = CASE WHEN youngest > $3 THEN youngest ELSE $3 END,
			ended = CASE WHEN ended > $4 THEN ended ELSE $4 END
		WHERE number = $5`, int64(t.Seq), micros(t.Through), youngest(t.Counts), integer(t.Ended), number)
	if err != nil {
		return 0, err
	}
	return had, tx.Commit()
}

// openStream locks a stream, which it creates if needed. It returns the stream's number
// and the highest sequence number that was recorded. It inserts only new streams: an
// upsert would use up a number each time, and the numbers have only 31 bits.
func openStream(ctx context.Context, tx *sql.Tx, stream store.Stream) (number int64, had uint64, err error) {
	var closed int64
	err = tx.QueryRowContext(ctx, `UPDATE authtier_streams SET id = id WHERE id = $1 RETURNING number, seq, closed`,
		stream[:]).Scan(&number, &had, &closed)
	if errors.Is(err, sql.ErrNoRows) {
		err = tx.QueryRowContext(ctx, `
			INSERT INTO authtier_streams (id, seq, through, ended, youngest, closed, folded) VALUES ($1, 0, 0, 0, $2, 0, 0)
			ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING number, seq, closed`,
			stream[:], int64(math.MinInt32)).Scan(&number, &had, &closed)
	}

	switch {
	case err != nil:
		return 0, 0, err
	case closed != 0:
		return 0, 0, store.ErrStreamClosed
	case number >= math.MaxInt32:
		return 0, 0, errors.New("there have been too many streams")
	}
	return number, had, nil
}

func youngest(cs []store.Count) int64 {
	day := int64(math.MinInt32)
	for _, c := range cs {
		day = max(day, int64(c.Day))
	}
	return day
}

// highest returns each counter once, with its highest total.
func highest(stream int64, cs []store.Count, numbers map[string]int64) []count {
	counts := make([]count, 0, len(cs))
	for _, c := range cs {
		counts = append(counts, count{
			id: stream<<32 | int64(c.Counter), scope: numbers[framed(c.API, c.Issuer)], day: int64(c.Day),
			client: numbers[c.Client], product: numbers[c.Product], label: numbers[c.Label], total: c.Total,
		})
	}

	// CompactFunc keeps the first of equal IDs, so the highest total must come first.
	slices.SortFunc(counts, func(a, b count) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(b.total, a.total))
	})
	return slices.CompactFunc(counts, func(a, b count) bool { return a.id == b.id })
}

// putCounts stores the counts. A total never decreases.
func (s *Store) putCounts(ctx context.Context, tx *sql.Tx, cs []count) error {
	if s.dialect.Postgres {
		return putArrays(ctx, tx, cs)
	}

	const columns = 7
	for chunk := range slices.Chunk(cs, 100) {
		args := make([]any, 0, columns*len(chunk))
		for _, c := range chunk {
			args = append(args, c.id, c.scope, c.day, c.client, c.product, c.label, c.total)
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO authtier_counts (id, scope, day, client, product, label, total) VALUES `+
			s.dialect.placeholders(len(chunk), columns)+` ON CONFLICT (id) DO UPDATE SET total = excluded.total WHERE excluded.total > authtier_counts.total`, args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// putArrays updates the counts that exist, which nearly always are all, and inserts the
// rest.
func putArrays(ctx context.Context, tx *sql.Tx, cs []count) error {
	var a [7][]int64
	for _, c := range cs {
		for i, v := range []int64{c.id, c.total, c.scope, c.day, c.client, c.product, c.label} {
			a[i] = append(a[i], v)
		}
	}

	r, err := tx.ExecContext(ctx, `
		UPDATE authtier_counts c SET total = greatest(c.total, v.total)
		FROM unnest($1::bigint[], $2::bigint[]) AS v (id, total) WHERE c.id = v.id`, a[0], a[1])
	if err != nil {
		return err
	}

	if n, err := r.RowsAffected(); err != nil || n == int64(len(cs)) {
		return err
	}

	// The counts that were updated above conflict here, and stay as they are.
	_, err = tx.ExecContext(ctx, `
		INSERT INTO authtier_counts (id, total, scope, day, client, product, label)
		SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
		ON CONFLICT (id) DO NOTHING`, a[0], a[1], a[2], a[3], a[4], a[5], a[6])
	return err
}
