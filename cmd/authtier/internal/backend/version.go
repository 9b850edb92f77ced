package backend

import (
	"context"
	"errors"
	"io/fs"

	"github.com/spf13/cobra"
)

// A State is the state of a store's version.
type State string

// The states.
const (
	Missing State = "missing"
	Older   State = "older"
	Current State = "current"
	Newer   State = "newer"
	TooNew  State = "too_new"
)

// Advice returns what a person should do about a store in this state.
func (s State) Advice() string {
	switch s {
	case Missing:
		return "run authtier init"
	case Older:
		return "make a backup and run authtier migrate up"
	case Newer:
		return "run a newer authtier soon"
	case TooNew:
		return "run a newer authtier"
	}
	return "nothing to do"
}

// A Version is the version of a store, 0 if there is no store yet, and the newest version
// that this program knows.
type Version struct{ Stored, Known int }

// State returns the state of the store. Programs one version apart can use one store.
func (v Version) State() State {
	switch {
	case v.Stored == 0:
		return Missing
	case v.Stored < v.Known:
		return Older
	case v.Stored == v.Known:
		return Current
	case v.Stored == v.Known+1:
		return Newer
	}
	return TooNew
}

// Version returns the version of the store. It changes nothing. Its errors say what to do.
func (f *Flags) Version(ctx context.Context, cmd *cobra.Command) (Version, error) {
	l, err := f.locate(cmd)
	if err != nil {
		return Version{}, err
	}

	stored, known, err := l.version(ctx, f)
	switch {
	case err == nil:
		return Version{stored, known}, nil
	// A file that does not exist is a store that was not made yet.
	case errors.Is(err, fs.ErrNotExist) && l.kind == "sqlite":
		return Version{}, nil
	}
	return Version{}, advised(err)
}
