package cli

import (
	"errors"
	"io/fs"
	"os"
)

// Publish gives a temporary file its name, unless a file has that name already: the error
// is then [fs.ErrExist]. Both names must be on one file system. The temporary name may stay.
func Publish(temporary, name string) error {
	err := os.Link(temporary, name)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}

	// This file system has no hard links. An empty file reserves the name.
	reserved, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	reserved.Close()
	if err := os.Rename(temporary, name); err != nil {
		os.Remove(name)
		return err
	}
	return nil
}
