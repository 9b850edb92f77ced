// Package sqlite is a [store.Store] in one file, for a server on one machine without a
// database server.
//
//	db, err := sqlite.Open(ctx, "/var/lib/app/auth.db")
//	defer db.Close()
//
// Several processes on one machine may share the file. It is not safe on a network
// file system.
//
// Acknowledged writes survive a crash of the process or the machine (write-ahead log,
// synchronous=FULL). Do not replace the file by an earlier copy without need. Credentials
// that were revoked since then become valid again, except in processes that know of the
// revocation.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"modernc.org/sqlite"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/sqlstore"
)

//go:embed migrations/*.sql
var files embed.FS

// A Store is a database file. It is safe for concurrent use. Its methods are those of
// [store.Store], and are described there.
type Store struct {
	*base
	file string
}

type base = sqlstore.Store // an unexported name, so that the embedded field is too

var _ store.Store = (*Store)(nil)

// applicationID marks the files of this package.
const applicationID = 0x61757468

// largeCache lets the writing connection keep up to 64 MiB of pages, once many records are
// created. They are spread over the whole table and its indexes, and with the 2 MiB of
// SQLite itself most pages would be written and read several times in one transaction.
const largeCache = "PRAGMA cache_size = -65536"

// patience is how long Open waits while other processes write.
const patience = 10 * time.Second

// Open opens the database in the file. If the file does not exist, Open creates one that
// only its owner can read. ctx bounds only the opening.
//
// Open returns an error if ctx is nil, or if file is blank or begins like a URI of
// SQLite. It also returns an error if the file is not an SQLite database, belongs to
// another program, is more than one version newer, or cannot be written.
//
// A relative path depends on the directory in which the program is started. From another
// directory, Open makes a new database there, in which all clients are unknown and
// nothing is revoked. Programs that run unattended should give an absolute path.
func Open(ctx context.Context, file string) (*Store, error) {
	if err := check(ctx, file); err != nil {
		return nil, fmt.Errorf("sqlite: Open: %w", err)
	}
	if err := touch(ctx, file); err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}

	d := sqlstore.Dialect{Name: "sqlite " + file, Prepare: true, Busy: busy, Batch: largeCache, Snapshot: &sql.TxOptions{ReadOnly: true}}
	// SQLite has one writer at a time. Its own waiting is off: the store repeats often.
	write, err := pool(file, 1, "_txlock=immediate&_pragma=busy_timeout(0)")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.Name, err)
	}
	read, err := pool(file, max(4, runtime.GOMAXPROCS(0)), "_pragma=query_only(1)&_pragma=busy_timeout(1000)")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", d.Name, err), write.Close())
	}

	// Migrate waits until other processes have written, at most as long as patience.
	s := &Store{sqlstore.New(read, write, d), file}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := sqlstore.Migrate(ctx, s.base, files, own); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// check returns an error that names what is wrong with the arguments of Open.
func check(ctx context.Context, file string) error {
	var errs []error
	if ctx == nil {
		errs = append(errs, errors.New("nil Context"))
	}
	if strings.TrimSpace(file) == "" || strings.HasPrefix(file, ":") || strings.HasPrefix(file, "file:") {
		errs = append(errs, fmt.Errorf("file is %q, expected the path of a file", file))
	}
	return errors.Join(errs...)
}

// touch creates the file, or checks an existing one without changing it. Only SQLite may
// open an existing file: closing it here would drop all POSIX locks (fcntl) that this
// process has on it.
func touch(ctx context.Context, file string) error {
	// SQLite itself would create a file that others can read.
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		return f.Close()
	}

	info, statErr := os.Stat(file)
	if !errors.Is(err, fs.ErrExist) || statErr != nil {
		return errors.Join(err, statErr)
	}
	switch {
	case info.IsDir():
		return &fs.PathError{Op: "open", Path: file, Err: syscall.EISDIR}
	// An empty file is new. Another process may have created it just now.
	case info.Size() == 0:
		return nil
	}

	db, err := existing(ctx, file)
	if err != nil {
		return err
	}
	return db.Close()
}

// existing opens a database that exists, without changing it, and checks whose it is.
func existing(ctx context.Context, file string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()+"?mode=rw&_pragma=busy_timeout(1000)")
	if err != nil {
		return nil, err
	}

	ours, err := isOurs(ctx, db)
	if err == nil && !ours {
		err = errForeign
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: opening the database: %w", file, err), db.Close())
	}
	return db, nil
}

// Version returns the version of the database in the file, and the newest version that
// this program knows. Both are at least 1, but stored is 0 if the file holds no database
// yet. [Open] brings an older database to the newest version, and refuses one that is more
// than one version newer. Version changes nothing. ctx bounds the call.
//
// Version returns an error that wraps [fs.ErrNotExist] if the file does not exist.
func Version(ctx context.Context, file string) (stored, known int, err error) {
	err = check(ctx, file)
	if err != nil {
		return 0, 0, fmt.Errorf("sqlite: Version: %w", err)
	}
	switch info, err := os.Stat(file); {
	case err != nil:
		return 0, 0, fmt.Errorf("sqlite: Version: %w", err)
	case info.IsDir():
		return 0, 0, fmt.Errorf("sqlite: Version: %w", &fs.PathError{Op: "open", Path: file, Err: syscall.EISDIR})
	}

	db, err := existing(ctx, file)
	if err != nil {
		return 0, 0, fmt.Errorf("sqlite: Version: %w", err)
	}
	defer db.Close()
	stored, known, err = sqlstore.Version(ctx, db, files, `SELECT count(*) > 0 FROM sqlite_schema WHERE name = 'authtier_migrations'`)
	if err != nil {
		return 0, 0, fmt.Errorf("sqlite: Version: %s: %w", file, err)
	}
	return stored, known, nil
}

// ErrDamaged means that the pages of a database are damaged.
var ErrDamaged = errors.New("the database is damaged")

// Check reads the whole database, and returns an error that wraps [ErrDamaged] if its pages
// are damaged. Any other error means that it could not read. It changes nothing. It takes about a second for a gigabyte that is in memory.
func (s *Store) Check(ctx context.Context) error {
	db, err := existing(ctx, s.file)
	if err != nil {
		return fmt.Errorf("sqlite: Check: %w", err)
	}
	defer db.Close()

	var found string
	err = db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&found)
	const corrupt = 11 // the low byte of extended codes
	e, isSQLite := errors.AsType[*sqlite.Error](err)
	switch {
	case isSQLite && e.Code()&0xff == corrupt:
		return fmt.Errorf("sqlite: Check: %s: %w: %w", s.file, ErrDamaged, err)
	case err != nil:
		return fmt.Errorf("sqlite: Check: %s: %w", s.file, err)
	case found != "ok":
		return fmt.Errorf("sqlite: Check: %s: %w: %s", s.file, ErrDamaged, found)
	}
	return nil
}

// busy reports whether err means that another process is writing.
func busy(err error) bool {
	const sqliteBusy = 5 // the low byte of extended codes
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == sqliteBusy
}

// pool opens a pool of at most size connections.
func pool(file string, size int, options string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&"+options)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db, nil
}

var errForeign = errors.New("it is another program's")

// isOurs reports whether a database has the mark of this package, or is empty.
func isOurs(ctx context.Context, db interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}) (bool, error) {
	var id, tables int
	err := db.QueryRowContext(ctx, `PRAGMA application_id`).Scan(&id)
	if err == nil {
		err = db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema`).Scan(&tables)
	}
	return id == applicationID || id == 0 && tables == 0, err
}

// own marks a new database, and refuses that of another program.
func own(ctx context.Context, tx *sql.Tx) error {
	ours, err := isOurs(ctx, tx)
	switch {
	case err != nil:
		return err
	case !ours:
		return errForeign
	}
	_, err = tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA application_id = %d`, applicationID))
	return err
}
