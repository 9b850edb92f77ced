package store

import (
	"context"
	"time"
)

// A Kind says what a [Change] is about. Stores keep the numbers, which never change.
type Kind uint8

// The kinds.
const (
	KindToken      Kind = 1 + iota // the token of this ID is revoked
	KindFamily                     // the tokens of this family are revoked
	KindSession                    // the session of this ID has ended
	KindAPIKey                     // the API key of this ID is revoked or changed
	KindClient                     // the client of this ID is changed, or its older versions are revoked
	KindUser                       // the user of this login is changed, or older versions are revoked
	KindSigningKey                 // the signing key of this ID is new or changed
)

// A Change is an event that every cache of credentials must learn of.
type Change struct {
	Kind    Kind
	ID      string
	Version uint64    // the version of the client or user after the change
	Until   time.Time // when the change may be forgotten; zero if never
}

// Check returns an error if c cannot revoke anything: its kind is unknown or its ID
// is empty.
func (c *Change) Check() error {
	f := faults{what: "change"}
	if c.Kind < KindToken || c.Kind > KindSigningKey {
		f.add("Kind", "is %d, expected one of the constants", c.Kind)
	}
	if c.ID == "" {
		f.add("ID", "is empty")
	}
	return f.err()
}

// A Cursor is a place in the sequence of changes. It is for packages that follow changes
// or implement a [Store]; most programs do not need it. The nonce is random for each
// change. A nonce that does not match shows that a store was put back to an earlier copy.
type Cursor struct {
	N     uint64
	Nonce [8]byte
}

// Changes is the sequence of changes, in the order in which they took effect.
type Changes interface {
	// Revoke makes all changes and adds them to the sequence in one step. It deletes
	// the tokens, families, sessions and API keys that cs name. A client or user
	// gets a version that is higher than its present one and than the one in the
	// change. A record that does not exist is not an error, and the change is added all
	// the same: a signed token, for example, need not be in the store. Revoke returns
	// an error, and changes nothing, if the Check method of a change does.
	//
	// The API keys that a revoked user owns are deleted too, and each is a change
	// of its own. A revoked API key can never be created again, even if no key of
	// that ID existed. Revoke does not depend on the Check method of a record.
	Revoke(ctx context.Context, cs ...Change) error

	// Since returns the changes after c and the cursor after them. Programs of a newer
	// version may have stored changes whose Kind is unknown here. Since returns
	// [ErrNotFound] if the sequence does not contain c: c is zero, comes from another
	// history of the store, or is too old.
	Since(ctx context.Context, c Cursor) ([]Change, Cursor, error)

	// Snapshot returns the changes that are still in force, and the cursor after
	// them. Changes of API keys and signing keys are not among them, because those
	// records are read from the store.
	Snapshot(ctx context.Context) ([]Change, Cursor, error)
}

// A Hinter is a store that tells soon when there are changes. It is for packages that
// follow changes or implement a [Store]; most programs do not need it. Hints can get
// lost, so callers must still poll [Changes.Since].
type Hinter interface {
	// Hint calls f soon after each change, and sometimes without one. It returns
	// when ctx ends or hints stop arriving; the error says which.
	Hint(ctx context.Context, f func()) error
}
