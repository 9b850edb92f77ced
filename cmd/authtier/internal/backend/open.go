package backend

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/issuer"
)

// ErrNoStore means that there is no store yet.
var ErrNoStore error = &cli.Advice{Err: errors.New("there is no store there yet"), Do: "run authtier init"}

// Open opens the store. It never makes one and never changes its version: the error of a
// store that is missing, older or too new says what to do.
func (f *Flags) Open(ctx context.Context, cmd *cobra.Command) (Store, error) {
	l, err := f.locate(cmd)
	if err != nil {
		return nil, err
	}
	v, err := f.Version(ctx, cmd)
	if err != nil {
		return nil, err
	}

	switch state := v.State(); state {
	case Missing:
		return nil, fmt.Errorf("%s: %w", l, ErrNoStore)
	case Older:
		return nil, fmt.Errorf("%s has version %d, and this program needs %d: %s", l, v.Stored, v.Known, state.Advice())
	case TooNew:
		return nil, fmt.Errorf("%s has version %d, and this program knows up to %d: %s", l, v.Stored, v.Known, state.Advice())
	}
	return f.open(ctx, l)
}

// WithStore opens the store, calls do and closes the store.
func (f *Flags) WithStore(cmd *cobra.Command, do func(ctx context.Context, db Store) error) error {
	db, err := f.Open(cmd.Context(), cmd)
	if err != nil {
		return err
	}
	return errors.Join(do(cmd.Context(), db), db.Close())
}

func (f *Flags) open(ctx context.Context, l location) (Store, error) {
	db, err := l.open(ctx, f)
	if err != nil {
		return nil, advised(err)
	}
	return db, nil
}

// advised adds what to do to the error of a store that cannot be opened.
func advised(err error) error {
	if _, ok := errors.AsType[*cli.Advice](err); ok {
		return err
	}
	text := err.Error()
	switch {
	case strings.Contains(text, "allow plaintext"):
		return &cli.Advice{Err: err, Do: "see --allow-plaintext-store"}
	case strings.Contains(text, "allow volatile"):
		return &cli.Advice{Err: err, Do: "see --allow-volatile-store"}
	}
	return &cli.Advice{Err: err, Do: fmt.Sprintf("check --store (%s), and that the store can be reached", cli.Variable("store"))}
}

// Create opens the store, makes it if there is none, and brings it to the newest version.
func (f *Flags) Create(ctx context.Context, cmd *cobra.Command) (Store, error) {
	l, err := f.locate(cmd)
	if err != nil {
		return nil, err
	}
	return f.open(ctx, l)
}

// checkStoreFile refuses a file that everybody can write. Such users could make clients and
// keys of any scope.
func checkStoreFile(name string) error {
	info, err := os.Stat(name)
	if err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o002 == 0 {
		return nil // SQLite tells of other faults
	}
	return &cli.Advice{
		Err: fmt.Errorf("the file %s has mode %04o, so that every user can write the store", name, info.Mode().Perm()),
		Do:  "run chmod 600 " + name + ", and look for records that you do not know",
	}
}

// SQLiteFile returns the file of the store, or "" if the store is not a file.
func (f *Flags) SQLiteFile(cmd *cobra.Command) (string, error) {
	l, err := f.locate(cmd)
	if err != nil || l.kind != "sqlite" {
		return "", err
	}
	return l.dsn, nil
}

// Kind describes the store without its place on a server: sqlite:FILE, postgres or redis.
func (f *Flags) Kind(cmd *cobra.Command) string {
	switch l, err := f.locate(cmd); {
	case err != nil:
		return ""
	case l.kind == "sqlite":
		return "sqlite:" + l.dsn
	default:
		return l.kind
	}
}

// String describes the store without its password.
func (l location) String() string {
	if l.kind == "sqlite" {
		return "the store sqlite:" + l.dsn
	}
	return "the store (" + l.kind + ")"
}

// Administration returns an issuer that creates, replaces and revokes records. It needs no
// key file and cannot verify signed tokens. Close it.
func (f *Flags) Administration(ctx context.Context, db Store) (*issuer.Issuer, error) {
	return issuer.New(ctx, DefaultIssuer, db, &issuer.Config{OpaqueTokens: true})
}
