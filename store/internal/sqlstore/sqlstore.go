// Package sqlstore implements [store.Store] for SQLite and PostgreSQL, in statements
// that both databases understand.
//
//	s := sqlstore.New(read, write, dialect)
//	err := sqlstore.Migrate(ctx, s, migrations, own)
//
// Names in old records can have any bytes and any length. Neither text columns nor
// indexes can hold such names. They are therefore stored as bytes, and looked up by
// their SHA-256. Times are microseconds since 1970, and 0 is the zero time.
package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/authtier/authtier/store"
)

// A Dialect describes how a database differs from the others.
type Dialect struct {
	Name     string         // begins error messages
	Lock     string         // statement that lets one process migrate at a time; may be ""
	Notify   string         // run in each transaction that changes something, if not ""
	Report   string         // run in each transaction that reports, if not ""
	Batch    string         // run in each transaction that creates many records, if not ""
	Prepare  bool           // keep statements prepared
	Postgres bool           // the database is PostgreSQL, not SQLite
	Snapshot *sql.TxOptions // for transactions whose reads must see one state
	Write    *sql.TxOptions // for transactions that write; each statement sees committed data

	// Busy reports whether an error means that another process is writing. It is nil
	// if the database lets writers wait for each other.
	Busy func(error) bool
}

// timeout is how long one call may take. A request does not wait for an answer longer
// than two seconds.
const timeout = 1500 * time.Millisecond

// A Store is a [store.Store] on a database. It is safe for concurrent use.
type Store struct {
	read, write          *sql.DB
	dialect              Dialect
	prepared             sync.Map // *sql.Stmt by query
	insertOne, insertTwo string   // tokens

	names names
	feed  feed
}

var _ store.Store = (*Store)(nil)

// New returns the store on a database. Call [Migrate] before using it. read and write
// may be the same.
func New(read, write *sql.DB, d Dialect) *Store {
	return &Store{read: read, write: write, dialect: d, insertOne: d.insertTokens(1), insertTwo: d.insertTokens(2)}
}

// Close closes the database after the calls under way have ended. Later calls return
// errors.
func (s *Store) Close() error { return errors.Join(s.read.Close(), s.write.Close()) }

// wrap adds what failed to err, unless callers compare err with a store's error.
func (s *Store) wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, sql.ErrNoRows) {
		return store.ErrNotFound
	}
	for _, answer := range []error{store.ErrNotFound, store.ErrReused, store.ErrExists, store.ErrRevoked} {
		if errors.Is(err, answer) {
			return err
		}
	}
	return fmt.Errorf("%s: %s: %w", s.dialect.Name, what, err)
}

// row reads one row.
func (s *Store) row(ctx context.Context, what, query string, args []any, into ...any) error {
	return s.wrap(what, s.scan(ctx, query, args...)(into...))
}

// scan returns a function that reads one row.
func (s *Store) scan(ctx context.Context, query string, args ...any) scan {
	return func(into ...any) error {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()

		// PostgreSQL's driver keeps statements prepared itself; SQLite's does not.
		if !s.dialect.Prepare {
			return s.read.QueryRowContext(ctx, query, args...).Scan(into...)
		}
		stmt, err := s.prepare(ctx, query)
		if err != nil {
			return err
		}
		return stmt.QueryRowContext(ctx, args...).Scan(into...)
	}
}

func (s *Store) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, ok := s.prepared.Load(query); ok {
		return stmt.(*sql.Stmt), nil
	}
	stmt, err := s.read.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}

	// Another caller may have prepared the query in the meantime. Its statement stays.
	if other, raced := s.prepared.LoadOrStore(query, stmt); raced {
		stmt.Close()
		stmt = other.(*sql.Stmt)
	}
	return stmt, nil
}

// tx runs f in a transaction of its own.
func (s *Store) tx(ctx context.Context, what string, f func(ctx context.Context, tx *sql.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tx, err := s.begin(ctx)
	if err != nil {
		return s.wrap(what, err)
	}
	defer tx.Rollback() // does nothing after Commit
	if err := f(ctx, tx); err != nil {
		return s.wrap(what, err)
	}
	return s.wrap(what, tx.Commit())
}

// begin begins a transaction that writes.
func (s *Store) begin(ctx context.Context) (tx *sql.Tx, err error) {
	err = s.patiently(ctx, func() error {
		tx, err = s.write.BeginTx(ctx, s.dialect.Write)
		return err
	})
	return tx, err
}

// exec executes one statement.
func (s *Store) exec(ctx context.Context, query string, args ...any) (r sql.Result, err error) {
	err = s.patiently(ctx, func() error {
		r, err = s.write.ExecContext(ctx, query, args...)
		return err
	})
	return r, err
}

// patiently repeats f while another process is writing. It tries often, because a busy
// process leaves little time between its transactions.
func (s *Store) patiently(ctx context.Context, f func() error) error {
	for {
		err := f()
		if err == nil || s.dialect.Busy == nil || !s.dialect.Busy(err) || ctx.Err() != nil {
			return err
		}
		time.Sleep(100*time.Microsecond + rand.N(500*time.Microsecond))
	}
}

// key returns the key by which a name is looked up.
func key(name string) []byte {
	sum := sha256.Sum256([]byte(name))
	return sum[:]
}

func micros(t time.Time) int64 {
	switch us := t.UnixMicro(); {
	case t.IsZero():
		return 0
	case us == 0:
		return -1 // a time in the past, because 0 would mean never
	default:
		return us
	}
}

func timeOf(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

func integer(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// digestOf converts a stored digest. It returns an error if b has another length, because
// such a digest would never match.
func digestOf(b []byte) (d store.Digest, err error) {
	if len(b) != len(d) {
		return d, fmt.Errorf("a digest of %d bytes is stored, expected %d", len(b), len(d))
	}
	copy(d[:], b)
	return d, nil
}
