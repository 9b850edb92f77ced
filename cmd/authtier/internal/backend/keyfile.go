package backend

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
)

// CheckKeyFile returns an error if the key file does not exist, because the issuer would
// make one. It also refuses a file that others can read, in words for the command line.
// The issuer checks that once more.
func (f *Flags) CheckKeyFile() error {
	info, err := os.Stat(f.KeyFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the key file %s does not exist: run authtier init, or copy the file of the store's first server", f.KeyFile)
	case err != nil:
		return fmt.Errorf("the key file: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("the key file %s is no regular file: name the file that authtier init made with --key-file (%s)", f.KeyFile, cli.Variable("key-file"))
	}

	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o066 != 0 {
		return fmt.Errorf("the key file %s has mode %04o, so that other users can read or write it: run chmod 600 %[1]s", f.KeyFile, mode)
	}
	return nil
}
