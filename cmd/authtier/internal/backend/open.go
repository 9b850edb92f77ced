package backend

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/issuer"
)

// ErrNoStore means that there is no store yet.
var ErrNoStore = errors.New("there is no store there yet: run authtier init")

// Version returns the version of the store, 0 if there is none yet, and the newest version
// that this program knows. It changes nothing.
func (f *Flags) Version(ctx context.Context, cmd *cobra.Command) (stored, known int, err error) {
	l, err := f.locate(cmd)
	if err != nil {
		return 0, 0, err
	}

	stored, known, err = l.version(ctx, f)
	// A file that does not exist is a store that was not made yet.
	if errors.Is(err, fs.ErrNotExist) && l.kind == "sqlite" {
		return 0, 0, nil
	}
	return stored, known, err
}

// Open opens the store. It never makes one and never changes its version: the error of a
// store that is missing, older or too new says what to do.
func (f *Flags) Open(ctx context.Context, cmd *cobra.Command) (Store, error) {
	l, err := f.locate(cmd)
	if err != nil {
		return nil, err
	}
	stored, known, err := f.Version(ctx, cmd)
	if err != nil {
		return nil, advised(err)
	}

	switch {
	case stored == 0:
		return nil, fmt.Errorf("%s: %w", l, ErrNoStore)
	case stored < known:
		return nil, fmt.Errorf("%s has version %d, and this program needs %d: make a backup and run authtier migrate up", l, stored, known)
	case stored > known+1:
		return nil, fmt.Errorf("%s has version %d, and this program knows up to %d: run a newer authtier", l, stored, known)
	}
	db, err := l.open(ctx, f)
	if err != nil {
		return nil, advised(err)
	}
	return db, nil
}

// advised adds what to do to the error of a store that cannot be opened.
func advised(err error) error {
	text := err.Error()
	switch {
	case strings.Contains(text, "allow plaintext"):
		return fmt.Errorf("%w (--allow-plaintext-store)", err)
	case strings.Contains(text, "allow volatile"):
		return fmt.Errorf("%w (--allow-volatile-store)", err)
	}
	return fmt.Errorf("%w: check that the store can be reached, and that --store (%s) names it", err, cli.Variable("store"))
}

// Create opens the store, makes it if there is none, and brings it to the newest version.
func (f *Flags) Create(ctx context.Context, cmd *cobra.Command) (Store, error) {
	l, err := f.locate(cmd)
	if err != nil {
		return nil, err
	}
	db, err := l.open(ctx, f)
	if err != nil {
		return nil, advised(err)
	}
	return db, nil
}

// SQLiteFile returns the file of the store, or "" if the store is not a file.
func (f *Flags) SQLiteFile(cmd *cobra.Command) (string, error) {
	l, err := f.locate(cmd)
	if err != nil || l.kind != "sqlite" {
		return "", err
	}
	return l.dsn, nil
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

// WithKeys returns the issuer of --issuer with the keys of --key-file, without goroutines
// of its own. It never makes a key file. Close it.
func (f *Flags) WithKeys(ctx context.Context, db Store) (*issuer.Issuer, error) {
	if err := f.CheckKeyFile(); err != nil {
		return nil, err
	}
	return issuer.New(ctx, f.Issuer, db, &issuer.Config{KeyFile: f.KeyFile})
}
