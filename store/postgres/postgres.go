// Package postgres is a [store.Store] in a PostgreSQL database, for several nodes.
//
//	db, err := postgres.Open(ctx, "postgres://app@db.example.com/auth?sslmode=verify-full", nil)
//	defer db.Close()
//
// The names of its tables begin with authtier_. They are in the first schema of the
// search path.
//
// Acknowledged writes survive a crash of the server, because [Open] refuses a server
// without fsync or synchronous_commit. Do not connect to a replica: a revocation that
// it has not received yet would have no effect.
package postgres

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/sqlstore"
)

//go:embed migrations/*.sql
var files embed.FS

// A Store is a database. It is safe for concurrent use. Its methods are those of
// [store.Store], and are described there.
type Store struct {
	*base
	pool *pgxpool.Pool

	open context.Context // ends when Close is called
	end  context.CancelFunc
}

type base = sqlstore.Store // an unexported name, so that the embedded field is too
var (
	_ store.Store  = (*Store)(nil)
	_ store.Hinter = (*Store)(nil)
)

// channel is the name of the channel that is notified of changes.
const channel = "authtier_changes"

// Config configures [Open]. The zero value is ready to use.
type Config struct {
	// AllowVolatile admits a server that may forget acknowledged writes in a crash,
	// because fsync or synchronous_commit is off. Revoked tokens may then be valid
	// again, and issued ones unknown.
	AllowVolatile bool

	// AllowPlaintext admits connections without TLS to other machines. Hashes,
	// digests and sealed keys can then be read and changed on the way.
	AllowPlaintext bool
}

// Open connects to the database of a connection string, and brings its tables up to
// date. The string is a URL or key=value pairs, as for libpq. It may hold parameters of
// the pool, such as pool_max_conns. ctx bounds only the opening. cfg may be nil.
//
// Open returns an error that names every fault if ctx is nil, or if dsn is blank or
// invalid. A blank dsn would mean whichever database is the default. Open also returns
// an error if the database cannot be reached or written, or is more than one version
// newer, and if the server may forget acknowledged writes, see [Config].
//
// A connection without TLS must go to a loopback address or a Unix socket. Otherwise
// Open returns an error, also if the connection would only perhaps be without TLS, as
// with "prefer", the default of sslmode. Set sslmode=verify-full, or AllowPlaintext.
//
// Two products, or staging and production, need two databases or two schemas, because
// API keys, secrets and passwords are valid for all issuers on one store: see
// [store.Store].
//
// Behind a connection pooler in transaction mode, set default_query_exec_mode=exec.
// Changes of other nodes then arrive by polling.
func Open(ctx context.Context, dsn string, cfg *Config) (*Store, error) {
	var c Config
	if cfg != nil {
		c = *cfg
	}

	pool, name, err := connect(ctx, dsn, c)
	if err != nil {
		return nil, err
	}

	d := sqlstore.Dialect{
		Name:     name,
		Lock:     `SELECT pg_advisory_xact_lock(7021788371)`,
		Postgres: true,
		Report:   `SET LOCAL jit = off`,                           // compiling takes longer than it saves
		Batch:    `SET LOCAL plan_cache_mode = force_custom_plan`, // a plan made for an empty table is slow on a full one
		Notify:   `SELECT pg_notify('` + channel + `', '')`,
		Write:    &sql.TxOptions{Isolation: sql.LevelReadCommitted},
		Snapshot: &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
	}
	db := stdlib.OpenDBFromPool(pool)
	s := &Store{base: sqlstore.New(db, db, d), pool: pool}
	s.open, s.end = context.WithCancel(context.Background())

	if err := checkDurable(ctx, pool); err != nil && !c.AllowVolatile {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), s.Close())
	}
	if err := sqlstore.Migrate(ctx, s.base, files, nil); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Version returns the version of the tables at dsn, and the newest version that this
// program knows. Both are at least 1, but stored is 0 if there are no tables yet. [Open]
// brings older tables to the newest version, and refuses those that are more than one
// version newer. Version changes nothing. The arguments are those of Open.
func Version(ctx context.Context, dsn string, cfg *Config) (stored, known int, err error) {
	var c Config
	if cfg != nil {
		c = *cfg
	}

	pool, name, err := connect(ctx, dsn, c)
	if err != nil {
		return 0, 0, err
	}
	defer pool.Close()

	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	stored, known, err = sqlstore.Version(ctx, db, files, `SELECT to_regclass('authtier_migrations') IS NOT NULL`)
	if err != nil {
		return 0, 0, fmt.Errorf("%s: Version: %w", name, err)
	}
	return stored, known, nil
}

// Close closes the connections after the calls under way have ended. Later calls and
// Hint return errors.
func (s *Store) Close() error {
	s.end()
	err := s.base.Close()
	s.pool.Close()
	return err
}

const probeTimeout = 2 * time.Second

// Hint implements [store.Hinter] by LISTEN, on a connection of its own. It first sends
// itself a notification through the pool. Behind some poolers no notification arrives,
// and only this test shows it.
func (s *Store) Hint(ctx context.Context, f func()) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.open, func() { cancel(errClosed) })()

	err := s.listen(ctx, f)
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("postgres: listening: %w", cause)
	}
	return err
}

var errClosed = errors.New("the store is closed")

func (s *Store) listen(ctx context.Context, f func()) error {
	cfg := s.pool.Config().ConnConfig
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("postgres: listening: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))

	if _, err := conn.Exec(ctx, `LISTEN `+channel); err != nil {
		return fmt.Errorf("postgres: listening: %w", err)
	}
	if err := s.probe(ctx, conn); err != nil {
		return err
	}

	// Changes that were made before LISTEN send no notification to this connection.
	f()
	for {
		if err := wait(ctx, conn); err != nil {
			return fmt.Errorf("postgres: listening: %w", err)
		}
		f()
	}
}

// probe sends a notification through the pool, and waits for it on conn.
func (s *Store) probe(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()

	// Other nodes send notifications too. The random word shows that this one is ours.
	word := rand.Text()
	if _, err := s.pool.Exec(ctx, `SELECT pg_notify($1, $2)`, channel, word); err != nil {
		return fmt.Errorf("postgres: listening: %w", err)
	}

	for {
		n, err := conn.WaitForNotification(ctx)
		switch {
		case err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
			return errors.New("postgres: notifications do not arrive; is there a connection pooler in transaction mode?")
		case err != nil:
			return fmt.Errorf("postgres: listening: %w", err)
		case n.Payload == word:
			return nil
		}
	}
}

// wait returns after a notification. Every 30 seconds it checks that the connection is
// still alive.
func wait(ctx context.Context, conn *pgx.Conn) error {
	for {
		quiet, cancel := context.WithTimeout(ctx, 30*time.Second)
		_, err := conn.WaitForNotification(quiet)
		idle := quiet.Err() != nil && ctx.Err() == nil
		cancel()

		if !idle {
			return err
		}

		// A connection that a firewall has dropped would otherwise be silent forever.
		ping, cancel := context.WithTimeout(ctx, probeTimeout)
		err = conn.Ping(ping)
		cancel()
		if err != nil {
			return err
		}
	}
}
