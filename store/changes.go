package store

import (
	"context"
	"time"
)

// A Kind says what a [Change] is about. The numbers are stored.
type Kind uint8

// The kinds.
const (
	KindToken      Kind = 1 + iota // a token, by ID: it is revoked
	KindFamily                     // the tokens of a family: they are revoked
	KindSession                    // a session, by ID: it has ended
	KindAPIKey                     // an API key, by ID: it is revoked or changed
	KindClient                     // a client, by ID: older versions are revoked
	KindUser                       // a user, by login: older versions are revoked
	KindSigningKey                 // a signing key, by ID: it is new or changed
)

// A Change is something that those who remember credentials must learn.
type Change struct {
	Kind    Kind
	ID      string
	Version uint64    // of the client or user, from now on
	Until   time.Time // when it may be forgotten; never, if zero
}

// A Cursor is a place in the sequence of changes. The nonce tells a store that
// was put back to an earlier copy from one that went on.
type Cursor struct {
	N     uint64
	Nonce [8]byte
}

// Changes is the sequence of changes, in the order in which they took effect.
type Changes interface {
	// Revoke revokes what each change names, together with its entry into the
	// sequence: tokens, families, sessions and API keys are deleted, clients and
	// users get a version higher than before, and than the one in the change, if
	// any. What does not exist is entered all the same: a signed token need not
	// be in the store.
	Revoke(ctx context.Context, cs ...Change) error

	// Since returns the changes after c, and the cursor after them. A cursor
	// that the sequence does not hold, or no more, is [ErrNotFound], and so is
	// the zero one.
	Since(ctx context.Context, c Cursor) ([]Change, Cursor, error)

	// Snapshot returns the changes still in force, and the cursor after them.
	// Those of API keys and signing keys are not among them: what they changed,
	// the store is asked for.
	Snapshot(ctx context.Context) ([]Change, Cursor, error)
}
