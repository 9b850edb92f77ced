// Package record holds the code that all implementations of a [store.Store] share for
// clients, users and API keys: the loop of the Update methods ([Update]), copies,
// comparisons, and the checks of arguments.
package record

import (
	"slices"

	"github.com/authtier/authtier/store"
)

// tries is the number of times that Update reads a record that keeps changing.
const tries = 16

// A Kind holds the functions for the records of one type.
type Kind[T any] struct {
	// Unshare gives a record slices of its own.
	Unshare func(*T)

	// Same reports whether two records are equal in everything but LastUsed.
	Same func(a, b *T) bool

	check func(changed, old *T) error
}

// The kinds of records that can be updated.
var (
	Clients = Kind[store.Client]{UnshareClient, SameClient, (*store.Client).CheckUpdate}
	Users   = Kind[store.User]{UnshareUser, SameUser, (*store.User).CheckUpdate}
	APIKeys = Kind[store.APIKey]{UnshareAPIKey, SameAPIKey, (*store.APIKey).CheckUpdate}
)

// Clone returns a copy that shares no slice with the original.
func (k Kind[T]) Clone(original *T) *T {
	clone := *original
	k.Unshare(&clone)
	return &clone
}

// CloneAll returns copies that share no slice with the originals.
func (k Kind[T]) CloneAll(originals []T) []T {
	clones := slices.Clone(originals)
	for i := range clones {
		k.Unshare(&clones[i])
	}
	return clones
}

// Update changes a record, as the Update methods of [store.Admin] promise. It calls
// read, then f with a copy of the record, and then write. The caller must hold no lock
// and no transaction, because f may call the store and may panic.
//
// read returns a record that nothing else refers to, and an API key without its
// digest. write compares and stores in one transaction. If the stored record is still
// the same as old, in the sense of k.Same, write stores changed and reports true.
// Otherwise it stores nothing and reports false. It returns [store.ErrNotFound] if the
// record was deleted since.
//
// Update does not call write if f changed nothing.
func Update[T any](
	k Kind[T],
	f func(*T) error,
	read func() (*T, error),
	write func(old, changed *T) (stored bool, err error),
) error {
	for range tries {
		old, err := read()
		if err != nil {
			return err
		}

		changed := k.Clone(old)
		if err := f(changed); err != nil {
			return err
		}
		// f may have kept its argument, and could change it later.
		changed = k.Clone(changed)
		if k.Same(old, changed) {
			// Same ignores LastUsed, but f must not change it either.
			return k.check(changed, old)
		}
		if err := k.check(changed, old); err != nil {
			return err
		}

		if stored, err := write(old, changed); stored || err != nil {
			return err
		}
	}
	return store.ErrConflict
}
