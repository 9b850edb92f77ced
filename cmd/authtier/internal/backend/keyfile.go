package backend

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// CheckKeyFile returns an error if the key file does not exist, because the issuer would
// make one. The issuer itself checks its content and its permissions.
func (f *Flags) CheckKeyFile() error {
	_, err := os.Stat(f.KeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the key file %s does not exist: run authtier init, or copy the file of the store's first server", f.KeyFile)
	}
	if err != nil {
		return fmt.Errorf("the key file: %w", err)
	}
	return nil
}
