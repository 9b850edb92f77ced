// Package sqlite is a [store.Store] in one file, for a server on one machine that
// needs no database server.
//
//	db, err := sqlite.Open(ctx, "/var/lib/app/auth.db")
//	defer db.Close()
//
// Several processes on one machine may share the file. It is not safe on a network
// file system.
//
// Acknowledged writes survive a crash of process and machine (write-ahead log,
// synchronous=FULL). Do not replace the file by an earlier copy without need: all
// credentials that were revoked since then are valid again for processes that did not
// know of the revocation.
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

// A Store is a database file. Its methods may be called concurrently.
type Store struct{ *base }

type base = sqlstore.Store // embedded under a name that is not exported

var _ store.Store = (*Store)(nil)

// applicationID tells our files from other people's databases.
const applicationID = 0x61757468

// patience is how long Open waits for other processes that write.
const patience = 10 * time.Second

// Open opens the database in the file, or makes one that only its owner may
// read. It is an error if the file is no SQLite database, is another program's,
// is more than one version newer, or cannot be written. ctx bounds the opening alone.
//
// A relative path depends on the directory in which the program is started. From
// another directory, Open makes a new database there: all clients are unknown, and
// what was revoked is not revoked in it. Programs that run unattended should give an
// absolute path.
func Open(ctx context.Context, file string) (*Store, error) {
	if file == "" || strings.HasPrefix(file, ":") || strings.HasPrefix(file, "file:") {
		return nil, fmt.Errorf("sqlite: %q: expected the path of a file", file)
	}
	if err := touch(ctx, file); err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	d := sqlstore.Dialect{Name: "sqlite " + file, Prepare: true, Busy: busy, Snapshot: &sql.TxOptions{ReadOnly: true}}
	write, err := pool(file, 1, "_txlock=immediate&_pragma=busy_timeout(0)")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.Name, err)
	}
	read, err := pool(file, max(4, runtime.GOMAXPROCS(0)), "_pragma=query_only(1)&_pragma=busy_timeout(1000)")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", d.Name, err), write.Close())
	}
	s := &Store{sqlstore.New(read, write, d)}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := sqlstore.Migrate(ctx, s.base, files, own); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// touch makes the file, or looks into one that is there without changing it. That
// one only SQLite may open: to close it would drop all locks that the process has
// on it (POSIX, fcntl).
func touch(ctx context.Context, file string) error {
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
	case info.Size() == 0:
		return nil
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()+"?mode=rw&_pragma=busy_timeout(1000)")
	if err != nil {
		return err
	}
	defer db.Close()
	ours, err := isOurs(ctx, db)
	if err == nil && !ours {
		err = errForeign
	}
	if err != nil {
		return fmt.Errorf("%s: opening the database: %w", file, err)
	}
	return nil
}

// busy reports whether another process is writing.
func busy(err error) bool {
	const sqliteBusy = 5 // extended codes hold it in their low byte
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == sqliteBusy
}

// pool opens a number of connections.
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

// isOurs reports whether a database is marked as ours, or is empty.
func isOurs(ctx context.Context, db interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}) (bool, error) {
	var id, tables int
	err := errors.Join(
		db.QueryRowContext(ctx, `PRAGMA application_id`).Scan(&id),
		db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema`).Scan(&tables))
	return id == applicationID || id == 0 && tables == 0, err
}

// own marks a new database as ours, and refuses one that is not.
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
