package usage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
)

// writeFile writes a file that only its owner can read. The file appears complete or not
// at all. It replaces an existing file only if overwrite is set, and then only a regular
// one.
func writeFile(name string, overwrite bool, write func(io.Writer) error) error {
	if err := checkTarget(name, overwrite); err != nil {
		return err
	}

	// CreateTemp makes the file with mode 0600.
	file, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	temporary := file.Name()
	defer os.Remove(temporary) // fails after the file was renamed

	err = write(file)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}

	if overwrite {
		return os.Rename(temporary, name)
	}
	err = cli.Publish(temporary, name)
	if errors.Is(err, fs.ErrExist) {
		return exists(name)
	}
	return err
}

// checkTarget returns an error if name may not be written.
func checkTarget(name string, overwrite bool) error {
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s exists and is not a regular file", name)
	case !overwrite:
		return exists(name)
	}
	return nil
}

func exists(name string) error {
	return fmt.Errorf("%s exists: choose another name, or replace it with --overwrite", name)
}
