package store

import (
	"context"
	"time"
)

// Admin writes the records that people administer.
//
// Creating, updating and deleting are different operations. A Create method
// never changes a record that exists, so that a program may create its clients
// at every start. An Update method never loses the change of another writer.
//
// Create and Update methods call the record's Check method before they write
// anything, and return its error. Disabling and deleting do not depend on Check.
//
// Each update and deletion is a [Change]. An issuer learns at once of the changes that
// it makes itself, and within a second of those that others make to the same store.
// Creating is not a Change, because no cache can hold a record that did not exist.
type Admin interface {
	// CreateClient stores a new client with its secrets. It returns [ErrExists]
	// if there is a client of that ID, and [ErrRevoked] if a client of that ID had
	// a secret of the same digest that was dropped or deleted. The store chooses
	// the version and ignores c.Version.
	CreateClient(ctx context.Context, c Client) error

	// UpdateClient changes a client. See [Admin.UpdateUser] for how it calls f. It
	// raises the version if f disables the client. f may not change ID, Version
	// and Secrets. Tokens keep the scopes that they were issued with: revoke the
	// client to end them.
	UpdateClient(ctx context.Context, id string, f func(*Client) error) error

	// DeleteClient deletes the client and its API keys, and raises the version
	// that a client of that ID will have. A client that does not exist is not
	// an error. The client's secrets and keys can never be created again.
	DeleteClient(ctx context.Context, id string) error

	// CreateUsers stores all users or none. It returns [ErrExists], wrapped in an
	// error that names the login, if there is a user of that login or if us holds
	// one login twice. The store chooses the versions and ignores those given. One
	// call takes at most 10,000 users.
	CreateUsers(ctx context.Context, us ...User) error

	// UpdateUser changes a user. It calls f with a copy of the record, outside of
	// any transaction and lock, and then stores the copy, if the stored record is
	// still as it was read. If not, it begins again, so that f may run several
	// times, and returns [ErrConflict] after 16 tries. If f returns an error,
	// UpdateUser returns that error and stores nothing.
	//
	// f should change only the fields that it means to change, in the record that it
	// is given. Giving the parameter another value, as in u = &other, changes nothing.
	// Assigning a record that was read before, as in *u = old, undoes the changes that
	// others have made since then. Both rules apply to all Update methods.
	//
	// UpdateUser checks only the fields that f changed. An old record that could not
	// be created today can therefore still be disabled. UpdateUser raises the version
	// if f disables the user. It returns an error that names the field if f changes
	// Login, Version or Password, and [ErrNotFound] if the user does not exist.
	UpdateUser(ctx context.Context, login string, f func(*User) error) error

	// SetPassword stores the hash of a new password and raises the user's version.
	// An empty hash ends the login by password. It returns an error if
	// [CheckPasswordHash] does, and [ErrNotFound] if the user does not exist.
	SetPassword(ctx context.Context, login, hash string) error

	// Rehash replaces the hash of the user's password, if it is still the one
	// given by from, with another hash of the same password. It is not a [Change],
	// and the user's tokens and sessions stay valid. It returns an error if
	// [CheckPasswordHash] refuses to or if to is empty, and [ErrNotFound] if the user
	// does not exist or has another hash.
	Rehash(ctx context.Context, login, from, to string) error

	// DeleteUser deletes the user and the API keys that the user owns, and raises
	// the version that a user of that login will have. A user who does not exist
	// is not an error. The keys can never be created again.
	DeleteUser(ctx context.Context, login string) error

	// CreateAPIKeys stores all keys or none. One call takes at most 10,000 keys,
	// because revocations wait until it is done. CreateAPIKeys ignores LastUsed. It
	// does not check that the owner exists, because users may be in another table.
	//
	// It returns [ErrExists] if there is a key of that ID or digest, or if ks holds
	// one twice; [ErrRevoked] if a key of that ID or digest was revoked, replaced or
	// deleted before; and [ErrNotFound] if there is no such client. The error names
	// the ID of the key. A scope that the client does not have is an error that names
	// the key and the scope.
	CreateAPIKeys(ctx context.Context, ks ...APIKey) error

	// UpdateAPIKey changes an API key, as [Admin.UpdateUser] changes a user. f may
	// change Name, Scopes, Owner, Addrs and Expires, and nothing else. f sees no
	// Digest.
	//
	// f may add a scope only if the client has it. It may set Expires where there was
	// none, or move it to an earlier time. A later time is an error. Otherwise writing
	// back a record that was read before could revive a key that has expired since. To
	// let a key live longer, replace it.
	UpdateAPIKey(ctx context.Context, id string, f func(*APIKey) error) error
}

// Lister lists records for people; requests use [APIKeys], [Clients] and [Users]. No
// method returns a password's hash or the digest of a secret: these fields are empty.
//
// The List methods return records in the order of their names, compared byte by
// byte, beginning with the first name after the one given. A caller passes "" and
// then the last name that it got, until it gets no records. limit is from 1 to
// 1,000; any other is an error.
type Lister interface {
	ListClients(ctx context.Context, after string, limit int) ([]Client, error)
	ListUsers(ctx context.Context, after string, limit int) ([]User, error)

	// ListAPIKeys lists the API keys of a client, by ID, or those of all clients
	// if client is empty. Expired keys are among them.
	ListAPIKeys(ctx context.Context, client, after string, limit int) ([]APIKey, error)

	// APIKeyByID returns one API key.
	APIKeyByID(ctx context.Context, id string) (*APIKey, error)

	// SecretsOf returns a client's secrets in the order in which the client has
	// them. A client that does not exist is [ErrNotFound].
	SecretsOf(ctx context.Context, client string) ([]Secret, error)
}

// Rotator replaces API keys and secrets. Each method is atomic, and a concurrent
// revocation wins. ReplaceAPIKey is a [Change] of the key that it replaces, and the
// other methods are changes of the client, whose version stays.
type Rotator interface {
	// ReplaceAPIKey stores next and lets the API key id expire at until, unless it
	// expires sooner. If that time is not in the future, id is deleted and can never
	// be created again. A zero until is an error.
	//
	// It returns [ErrNotFound], and stores nothing, if the key does not exist or
	// belongs to another client than next: a revoked key has no successor. It
	// returns [ErrExists] or [ErrRevoked] for next as [Admin.CreateAPIKeys] does. A
	// scope that neither the client nor the key id has is an error that names it.
	ReplaceAPIKey(ctx context.Context, id string, until time.Time, next APIKey) error

	// AddSecret adds s to the client's secrets. It drops those that have expired,
	// which can never be added again, and leaves the others as they are.
	//
	// It returns [ErrNotFound] if the client does not exist, [ErrExists] if the
	// client has a secret of that ID or digest, and [ErrRevoked] if a client of
	// that ID had a secret of that digest that was dropped or deleted. The ID of a
	// secret that is gone may be used again.
	AddSecret(ctx context.Context, client string, s Secret) error

	// ReplaceSecrets does the same as AddSecret, and lets all other secrets of the
	// client expire at until, unless they expire sooner. If that time is not in the
	// future, they are dropped at once. A zero until is an error.
	ReplaceSecrets(ctx context.Context, client string, s Secret, until time.Time) error

	// DeleteSecret deletes one of the client's secrets, which can never be added
	// again. It returns [ErrNotFound] if the client or the secret does not exist,
	// and if the ID is empty.
	DeleteSecret(ctx context.Context, client, id string) error
}

// A Use says that an API key, or a client's secret, was used.
type Use struct {
	Client string // whose secret it was; empty for an API key
	ID     string
	At     time.Time
}

// Toucher keeps when API keys and secrets were used last.
type Toucher interface {
	// Touch notes uses, in any order: of each key or secret, the latest use counts. It
	// ignores a use of a key or secret that does not exist. Touch is not a [Change]. If
	// it returns an error, it may have noted some of the uses; passing all of them
	// again is safe.
	Touch(ctx context.Context, uses ...Use) error
}
