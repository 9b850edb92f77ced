package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// Migrate brings the database up to date with files. Each file holds plain SQL for one
// version, in statements that end with a semicolon at the end of a line. Migrate runs
// the missing files in the order of their names, all in one transaction.
//
// Migrations only ever add, so that programs one version apart can use one database. A
// database that is one version newer is used as it is. Migrate returns an error if the
// database is more than one version newer, or if a file differs from the one that was
// run.
//
// own, if not nil, runs first, and may refuse the database with an error.
func Migrate(ctx context.Context, s *Store, files fs.FS, own func(context.Context, *sql.Tx) error) error {
	ms, err := migrations(files)
	if err != nil {
		return s.wrap("migrations", err)
	}

	tx, err := s.begin(ctx)
	if err != nil {
		return s.wrap("opening the database", err)
	}
	defer tx.Rollback()

	if own != nil {
		if err := own(ctx, tx); err != nil {
			return s.wrap("opening the database", err)
		}
	}

	if err := migrate(ctx, tx, s.dialect, ms); err != nil {
		return s.wrap("bringing the database up to date", err)
	}
	return s.wrap("bringing the database up to date", tx.Commit())
}

type migration struct {
	name, sum  string
	statements []string
}

func migrations(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "migrations/*.sql")
	if err != nil {
		return nil, err
	}

	var ms []migration
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		m := migration{name: strings.TrimPrefix(name, "migrations/"), sum: hex.EncodeToString(sum(text))}
		for statement := range strings.SplitSeq(string(text), ";\n") {
			if strings.TrimSpace(statement) != "" {
				m.statements = append(m.statements, statement)
			}
		}
		ms = append(ms, m)
	}
	return ms, nil
}

func sum(text []byte) []byte {
	s := sha256.Sum256(text)
	return s[:]
}

func migrate(ctx context.Context, tx *sql.Tx, d Dialect, ms []migration) error {
	// Several programs may start at once. Those that wait here find nothing left to do.
	if d.Lock != "" {
		if _, err := tx.ExecContext(ctx, d.Lock); err != nil {
			return err
		}
	}

	_, err := tx.ExecContext(ctx, `
		CREATE TABLE IF NOT EXISTS authtier_migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL, sum TEXT NOT NULL, applied TEXT NOT NULL)`)
	if err != nil {
		return err
	}

	done, err := applied(ctx, tx)
	if err != nil {
		return err
	}
	if len(done) > len(ms)+1 {
		return fmt.Errorf("the database is at version %d, and this program knows %d: at most one newer is understood", len(done), len(ms))
	}

	for i, m := range ms {
		switch {
		case i >= len(done):
			if err := m.run(ctx, tx, i+1); err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
		case done[i] != m.sum:
			return fmt.Errorf("%s differs from the one that made the database: expected the sum %s, it has %s", m.name, m.sum, done[i])
		}
	}
	return nil
}

// applied returns the sums of the migrations that were run.
func applied(ctx context.Context, tx *sql.Tx) ([]string, error) {
	rows, err := tx.QueryContext(ctx, `SELECT version, sum FROM authtier_migrations ORDER BY version`)
	if err != nil {
		return nil, err
	}

	defer rows.Close()
	var sums []string
	for rows.Next() {
		var version int
		var sum string
		if err := rows.Scan(&version, &sum); err != nil {
			return nil, err
		}
		if sums = append(sums, sum); version != len(sums) {
			return nil, errors.New("a version is missing among those that were run")
		}
	}
	return sums, rows.Err()
}

func (m migration) run(ctx context.Context, tx *sql.Tx, version int) error {
	for _, statement := range m.statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO authtier_migrations (version, name, sum, applied) VALUES ($1, $2, $3, $4)`,
		version, m.name, m.sum, time.Now().UTC().Format(time.RFC3339))
	return err
}

// Version returns the version of a database that [Migrate] has made, or 0 if there is
// none, and the version that files lead to. It changes nothing. exists is a query that
// returns whether the table authtier_migrations exists.
func Version(ctx context.Context, db *sql.DB, files fs.FS, exists string) (stored, known int, err error) {
	ms, err := migrations(files)
	if err != nil {
		return 0, 0, err
	}

	var ok bool
	if err := db.QueryRowContext(ctx, exists).Scan(&ok); err != nil || !ok {
		return 0, len(ms), err
	}
	err = db.QueryRowContext(ctx, `SELECT count(*) FROM authtier_migrations`).Scan(&stored)
	return stored, len(ms), err
}
