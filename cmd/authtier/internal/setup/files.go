package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/authtier/authtier/store/sqlite"
)

// checkFolders returns an error if the files cannot be made. SQLite's own errors name
// neither the folder nor the reason.
func checkFolders(files ...string) error {
	for _, name := range files {
		if name == "" {
			continue
		}
		temp, err := os.CreateTemp(filepath.Dir(name), ".authtier-*")
		if err != nil {
			return fmt.Errorf("the folder of %s cannot be written: make it, or choose another one: %w", name, errors.Unwrap(err))
		}
		if err := errors.Join(temp.Close(), os.Remove(temp.Name())); err != nil {
			return err
		}
	}
	return nil
}

// A making knows which files this process has made, so that a failure leaves none.
type making struct{ database, keyFile string }

// makeFiles makes an empty database file, unless database is "" or exists. SQLite takes an
// empty file for a new database.
func makeFiles(database, keyFile string) (making, error) {
	var m making
	if _, err := os.Lstat(keyFile); errors.Is(err, fs.ErrNotExist) {
		m.keyFile = keyFile
	}
	if database == "" {
		return m, nil
	}

	f, err := os.OpenFile(database, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case err == nil:
		m.database = database
		return m, f.Close()
	case errors.Is(err, fs.ErrExist):
		return m, nil
	}
	return m, err
}

// remove removes the files that this process has made, unless another init has filled the
// database in the meantime. The key file of a database that stays is needed, so it is
// removed only together with the database.
func (m making) remove() error {
	if m.database == "" || isUsed(m.database) {
		return nil
	}

	// The last two hold the latest writes of SQLite, and end with the database.
	var errs []error
	for _, name := range []string{m.keyFile, m.database, m.database + "-wal", m.database + "-shm"} {
		if name == "" {
			continue
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// isUsed reports whether the database has a record, or cannot be read.
func isUsed(database string) bool {
	ctx := context.Background()
	if info, err := os.Stat(database); err == nil && info.Size() == 0 {
		return false
	}
	db, err := sqlite.Open(ctx, database)
	if err != nil {
		return true
	}
	defer db.Close()

	clients, errC := db.ListClients(ctx, "", 1)
	users, errU := db.ListUsers(ctx, "", 1)
	return errC != nil || errU != nil || len(clients)+len(users) > 0
}
