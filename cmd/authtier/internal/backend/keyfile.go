package backend

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store"
)

// CheckKeyFile returns a [*cli.Advice] if the key file does not exist, because the issuer
// would make one. It also refuses a file that others can read or write. The issuer checks
// that once more.
func (f *Flags) CheckKeyFile() error {
	info, err := os.Stat(f.KeyFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &cli.Advice{
			Err: fmt.Errorf("the key file %q does not exist", f.KeyFile),
			Do:  "copy the file from another server or your backup, or see authtier signing-key reset --help if no copy is left; for a first server, run authtier init",
		}
	case err != nil:
		return &cli.Advice{Err: fmt.Errorf("the key file cannot be used: %w", err), Do: "let this user read it"}
	case !info.Mode().IsRegular():
		return &cli.Advice{
			Err: fmt.Errorf("the key file %q is not a regular file", f.KeyFile),
			Do:  fmt.Sprintf("name the file that authtier init made with --key-file (%s)", cli.Variable("key-file")),
		}
	}

	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o066 != 0 {
		return &cli.Advice{
			Err: fmt.Errorf("the key file %q has mode %04o, so other users can read or write it", f.KeyFile, mode),
			Do:  fmt.Sprintf("run chmod 600 %s; if others may have read it, see authtier signing-key reset --help", f.KeyFile),
		}
	}
	return nil
}

// WithKeys returns the issuer of --issuer with the keys of --key-file, without goroutines
// of its own. It never makes a key file. Close it.
func (f *Flags) WithKeys(ctx context.Context, db Store) (*issuer.Issuer, error) {
	if err := f.CheckKeyFile(); err != nil {
		return nil, err
	}
	return issuer.New(ctx, f.Issuer, db, &issuer.Config{KeyFile: f.KeyFile, KeySetName: KeySet})
}

// FirstKey makes the first signing key of a store without live ones. It makes the key file too
// if there is none: no other one can be needed, because the store has nothing encrypted.
func (f *Flags) FirstKey(ctx context.Context, db Store) error {
	if _, err := os.Lstat(f.KeyFile); !errors.Is(err, fs.ErrNotExist) {
		if err := f.CheckKeyFile(); err != nil {
			return err
		}
	}
	iss, err := issuer.New(ctx, f.Issuer, db, &issuer.Config{KeyFile: f.KeyFile, KeySetName: KeySet})
	if err != nil {
		return err
	}
	return iss.Close()
}

// LiveSigningKeys returns the signing keys of the store that have not ended.
func LiveSigningKeys(ctx context.Context, db Store) ([]store.SigningKey, error) {
	keys, err := db.SigningKeys(ctx, KeySet)
	if err != nil {
		return nil, fmt.Errorf("reading the signing keys: %w", err)
	}
	now := time.Now()
	return slices.DeleteFunc(keys, func(k store.SigningKey) bool { return k.Ended(now) }), nil
}

// ErrNoSigningKey means that the store has no key that signs tokens.
var ErrNoSigningKey error = &cli.Advice{
	Err: errors.New("the store has no signing key"),
	Do:  "run authtier signing-key rotate to make one, or name another store with --store",
}
