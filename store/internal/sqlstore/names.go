package sqlstore

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/authtier/authtier/store"
)

// maxNames is the greatest number of names that are remembered.
const maxNames = 200_000

// names remembers the numbers of names. They never change, unless the database is put
// back to an earlier copy: names after it may then get other numbers.
type names struct {
	mu sync.Mutex
	of map[string]int64
}

var errNamesLost = errors.New("the database has lost names that it knew")

// hold reports whether numbers are still those of the database.
func (s *Store) hold(ctx context.Context, tx *sql.Tx, numbers map[string]int64) (bool, error) {
	for chunk := range slices.Chunk(slices.Collect(maps.Values(numbers)), 2500) {
		args := make([]any, len(chunk))
		for i, number := range chunk {
			args[i] = number
		}

		there := map[string]int64{}
		err := scanNames(there)(tx.QueryContext(ctx,
			`SELECT number, name FROM authtier_names WHERE number IN `+s.dialect.placeholders(1, len(args)), args...))
		if err != nil || len(there) != len(chunk) {
			return false, err
		}
		for name, number := range there {
			if numbers[name] != number {
				return false, nil
			}
		}
	}
	return true, nil
}

func (n *names) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.of = nil
}

func (n *names) get(name string) (int64, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	number, ok := n.of[name]
	return number, ok
}

func (n *names) put(numbers map[string]int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.of)+len(numbers) > maxNames || n.of == nil {
		n.of = map[string]int64{}
	}
	maps.Copy(n.of, numbers)
}

// framed joins names. Different lists of names give different results.
func framed(names ...string) string {
	var b []byte
	for _, n := range names {
		b = binary.AppendUvarint(b, uint64(len(n)))
		b = append(b, n...)
	}
	return string(b)
}

// numbersOf returns the numbers of all names in counts. Names without a number get one.
func (s *Store) numbersOf(ctx context.Context, cs []store.Count) (map[string]int64, error) {
	wanted := map[string]bool{}
	for _, c := range cs {
		for _, name := range []string{framed(c.API, c.Issuer), c.Client, c.Product, c.Label} {
			wanted[name] = true
		}
	}
	return s.numbers(ctx, wanted)
}

func (s *Store) numbers(ctx context.Context, wanted map[string]bool) (map[string]int64, error) {
	known := make(map[string]int64, len(wanted))
	var unknown []string
	for name := range wanted {
		if number, ok := s.names.get(name); ok {
			known[name] = number
		} else {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown) // one order for all, so that concurrent callers never deadlock

	for chunk := range slices.Chunk(unknown, 2500) {
		numbers, err := s.enterNames(ctx, chunk)
		if err != nil {
			return nil, err
		}
		maps.Copy(known, numbers)
		s.names.put(numbers)
	}
	return known, nil
}

// enterNames returns the numbers of names. Names without a number get one.
func (s *Store) enterNames(ctx context.Context, list []string) (map[string]int64, error) {
	numbers := map[string]int64{}
	unknown := func() (rest []string) {
		for _, name := range list {
			if _, known := numbers[name]; !known {
				rest = append(rest, name)
			}
		}
		return rest
	}

	// PostgreSQL would draw a number for each name in addNames, even for known ones.
	if s.dialect.Postgres {
		if err := s.readNames(ctx, list, numbers); err != nil {
			return nil, err
		}
	}
	if rest := unknown(); len(rest) > 0 {
		if err := s.addNames(ctx, rest, numbers); err != nil {
			return nil, err
		}
	}
	// Names that another process has added in the meantime.
	if rest := unknown(); len(rest) > 0 {
		if err := s.readNames(ctx, rest, numbers); err != nil {
			return nil, err
		}
	}
	if rest := unknown(); len(rest) > 0 {
		return nil, fmt.Errorf("%d of %d names have no number", len(rest), len(list))
	}
	return numbers, nil
}

// addNames gives numbers to the names that have none.
func (s *Store) addNames(ctx context.Context, list []string, numbers map[string]int64) error {
	var args []any
	for _, name := range list {
		args = append(args, key(name), []byte(name))
	}
	return s.patiently(ctx, func() error {
		return scanNames(numbers)(s.write.QueryContext(ctx, `INSERT INTO authtier_names (key, name) VALUES `+
			s.dialect.placeholders(len(list), 2)+` ON CONFLICT (key) DO NOTHING RETURNING number, name`, args...))
	})
}

// readNames reads the numbers of the names that have one.
func (s *Store) readNames(ctx context.Context, list []string, numbers map[string]int64) error {
	keys := make([]any, len(list))
	for i, name := range list {
		keys[i] = key(name)
	}
	return scanNames(numbers)(s.read.QueryContext(ctx,
		`SELECT number, name FROM authtier_names WHERE key IN `+s.dialect.placeholders(1, len(list)), keys...))
}

// scanNames returns a function that reads rows into numbers.
func scanNames(numbers map[string]int64) func(rows *sql.Rows, err error) error {
	return func(rows *sql.Rows, err error) error {
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var number int64
			var name []byte
			if err := rows.Scan(&number, &name); err != nil {
				return err
			}
			numbers[string(name)] = number
		}
		return rows.Err()
	}
}

// number returns the number of a name, or 0 if it has none.
func (s *Store) number(ctx context.Context, name string) (number int64, err error) {
	err = s.row(ctx, "reading a name", `SELECT number FROM authtier_names WHERE key = $1`, []any{key(name)}, &number)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	return number, err
}

// placeholders returns rows of placeholders, such as (?, ?), (?, ?). They are numbered
// for PostgreSQL only, because SQLite looks up numbered ones one by one.
func (d Dialect) placeholders(rows, columns int) string {
	var b []byte
	for i := range rows * columns {
		switch {
		case i == 0:
			b = append(b, '(')
		case i%columns == 0:
			b = append(b, "), ("...)
		default:
			b = append(b, ", "...)
		}
		if !d.Postgres {
			b = append(b, '?')
			continue
		}
		b = strconv.AppendInt(append(b, '$'), int64(i+1), 10)
	}
	return string(append(b, ')'))
}
