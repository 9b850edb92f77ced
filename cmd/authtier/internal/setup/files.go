package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
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

// checkMode refuses an empty file, which SQLite takes for a new database, if others can use
// it: they could read password hashes or write records.
func checkMode(name string) error {
	info, err := os.Stat(name)
	if name == "" || err != nil || runtime.GOOS == "windows" || info.IsDir() || info.Mode().Perm()&0o077 == 0 {
		return nil // other faults are found later
	}
	return &cli.Advice{
		Err: fmt.Errorf("the file %s exists with mode %04o, so that others can use it", name, info.Mode().Perm()),
		Do:  "run chmod 600 " + name + ", or remove it if it is empty",
	}
}

func missing(name string) bool {
	_, err := os.Lstat(name)
	return errors.Is(err, fs.ErrNotExist)
}

// A draft is a database and a key file under temporary names. They get their names when
// they are complete, so that an init that fails or is killed leaves no half of them, and
// two at the same time do not disturb each other.
type draft struct {
	folders           []string
	database, keyFile string
}

// newDraft makes a folder beside each of the files, which may be on different file systems.
func newDraft(database, keyFile string) (*draft, error) {
	d := &draft{}
	place := func(name string) (string, error) {
		folder, err := os.MkdirTemp(filepath.Dir(name), ".authtier-init-*")
		if err != nil {
			return "", err
		}
		d.folders = append(d.folders, folder)
		return filepath.Join(folder, "draft"), nil
	}

	var errs [3]error
	d.database, errs[0] = place(database)
	d.keyFile, errs[1] = place(keyFile)
	if errors.Join(errs[:]...) == nil {
		// SQLite takes an empty file for a new database, and keeps its mode.
		errs[2] = os.WriteFile(d.database, nil, 0o600)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return nil, errors.Join(err, d.remove())
	}
	return d, nil
}

// publish gives the files their names. A file that exists is never replaced.
func (d *draft) publish(database, keyFile string) error {
	// SQLite tells of no failure when it writes everything to the database at the end.
	if !missing(d.database + "-wal") {
		return fmt.Errorf("the database %s could not be completed: look for free space", database)
	}
	if err := cli.Publish(d.keyFile, keyFile); err != nil {
		return about(keyFile, err)
	}
	if err := cli.Publish(d.database, database); err != nil {
		return errors.Join(about(database, err), os.Remove(keyFile))
	}
	return nil
}

// about returns the error of a file that did not get its name.
func about(name string, err error) error {
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("another process has made %s in the meantime, and nothing was changed", name)
	}
	return err
}

func (d *draft) remove() error {
	var errs []error
	for _, folder := range d.folders {
		errs = append(errs, os.RemoveAll(folder))
	}
	return errors.Join(errs...)
}
