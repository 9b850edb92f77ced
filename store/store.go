// Package store defines the records that an issuer keeps, and small interfaces that
// read and write them.
//
//	err := db.CreateClient(ctx, store.Client{ID: "app", Scopes: []string{"reports:read"}})
//	client, err := db.Client(ctx, "app")
//
// [Store] combines all interfaces. The packages memory, sqlite, postgres and redis
// implement it, and package storetest checks implementations. A program that keeps
// its users in a table of its own implements [Users], which has one method.
//
// A store sees the digests of secrets and never the secrets themselves. A method
// returns [ErrNotFound] if a record does not exist, and an error that names the field
// if an argument is wrong. Any other error that this package does not define means that
// the store could not answer; callers must not treat it as an answer.
//
// All methods are safe for concurrent use and return soon after their context ends.
// They neither keep the slices that they are given nor share those that they return.
//
// Names, IDs and logins are valid UTF-8 of 1 to 255 bytes without control characters.
// They are compared byte by byte: two Unicode normal forms of one text are two names.
// Records from before these limits can have other names. Such records can still be
// read, listed, disabled, revoked and deleted.
package store

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// The errors that say something about a record. Compare with [errors.Is].
var (
	// ErrNotFound is returned if a record does not exist.
	ErrNotFound = errors.New("store: not found")

	// ErrExists is returned by a Create method if a record with that name, ID or
	// secret exists.
	ErrExists = errors.New("store: exists already")

	// ErrRevoked is returned for an API key or a client's secret that was revoked,
	// replaced or deleted before. It can never be created again.
	ErrRevoked = errors.New("store: was revoked before")

	// ErrConflict is returned by an Update method if other writers changed the
	// record during each of 16 tries.
	ErrConflict = errors.New("store: the record kept changing")

	// ErrReused is returned by [Tokens.RotateRefreshToken] for a refresh token that was
	// used before. The token's family is then revoked.
	ErrReused = errors.New("store: refresh token used a second time")
)

// The grant types that a client may use.
const (
	GrantClientCredentials = "client_credentials" // RFC 6749 section 4.4
	GrantPassword          = "password"           // RFC 6749 section 4.3
	GrantRefreshToken      = "refresh_token"      // RFC 6749 section 6
)

// A Client is an application. It authenticates with its ID and one of its secrets.
type Client struct {
	ID      string
	Secrets []Secret // each of them authenticates the client
	Scopes  []string // the scopes that the client may have; existing tokens keep theirs
	Default []string // the scopes granted if a request names none; a subset of Scopes
	Grants  []string // the grant types that the client may use (RFC 6749); none if empty

	// Disabled clients are refused everywhere.
	Disabled bool

	// Version is set only by the store. It grows when the client is disabled or
	// deleted, and when all its tokens are revoked. It never shrinks, even if the
	// client is deleted and created again. A token contains the version at which it
	// was issued.
	Version uint64
}

// A Secret is one of a client's secrets.
type Secret struct {
	ID       string    // not secret: may be shown and logged; empty in some old records
	Digest   Digest    `json:"-"`
	Created  time.Time // zero if unknown
	Expires  time.Time // zero if the secret never expires
	LastUsed time.Time // see [APIKey]
}

// A User is a person.
type User struct {
	Login             string
	Password          string `json:"-"` // a hash, see [CheckPasswordHash]; empty if the user cannot log in by password
	First, Last, Lang string

	// Scopes are the scopes that tokens of this user may have, if LimitScopes is
	// set. If it is not set, only the client limits the scopes, and Scopes must
	// be empty.
	Scopes      []string
	LimitScopes bool

	// Disabled users cannot log in, and their tokens are refused.
	Disabled bool

	// Version is like a client's. It also grows when the user gets a new password.
	Version uint64
}

// An APIKey belongs to a client.
type APIKey struct {
	ID     string // not secret: may be shown and logged
	Name   string // a description for people; may be empty
	Client string // the ID of the client
	Digest Digest `json:"-"` // of the whole key

	// Scopes are the scopes of a request with the key, as far as its client has them.
	// If empty, the request has no scopes. Scopes do not limit a token endpoint that
	// accepts the key. A program that filters requested scopes by them must not pass
	// on an empty list, which would request the client's default scopes.
	Scopes []string

	// Owner is the login of the user who is responsible for the key, or empty. The
	// key is refused while that user is disabled, and it is deleted when the user
	// is revoked or deleted. A request with the key has no user: the owner is not
	// the identity's user.
	Owner string

	// Addrs are the networks from which the key may be used. If empty, the key
	// works from everywhere.
	Addrs []netip.Prefix

	Created time.Time // zero if unknown
	Expires time.Time // zero if the key never expires

	// LastUsed is about when the key was last used, or zero if no use is known.
	// [Toucher] sets it and [Lister] returns it. Other methods ignore it and leave
	// it zero.
	LastUsed time.Time
}

// A Token is a refresh token or an opaque access token. All tokens that descend from
// one grant are a family, which can be revoked as a whole.
type Token struct {
	ID, Family    string
	Client, User  string // User is empty for a client's own token
	Audience      string // separated by spaces
	Scopes        string // separated by spaces
	Digest        Digest `json:"-"`
	Refresh       bool   // it is a refresh token, not an access token
	Used          bool   // it is a refresh token that was rotated
	ClientVersion uint64
	UserVersion   uint64
	Issued        time.Time
	Expires       time.Time
	FamilyEnds    time.Time // no token of the family expires later
	UsedAt        time.Time // when it was first rotated; zero if unknown
}

// InGrace reports whether t may be rotated again at now: t was used, the time of its
// first use is known, and less than grace has passed since then.
func (t *Token) InGrace(now time.Time, grace time.Duration) bool {
	return t.Used && grace > 0 && !t.UsedAt.IsZero() && now.Before(t.UsedAt.Add(grace))
}

// A Session is a person's login.
type Session struct {
	ID          string // not secret: may be logged
	Token       Digest `json:"-"`
	Cookie      Digest `json:"-"`
	User        string
	UserVersion uint64
	Expires     time.Time // when the session ends if it is not renewed
	Ends        time.Time // when the session ends in any case
}

// A SigningKey is one of the keys that sign the tokens of a key set.
type SigningKey struct {
	Set, ID, Alg string
	Sealed       []byte    `json:"-"` // the key, encrypted: a store cannot use it
	Published    time.Time // when it begins to verify tokens
	Signs        time.Time // when it begins to sign tokens; zero if that is not decided
	Ends         time.Time // when it ends to verify tokens; zero if that is not decided
}

// Ended reports whether the key verifies no tokens any more at the time now.
func (k *SigningKey) Ended(now time.Time) bool { return !k.Ends.IsZero() && !k.Ends.After(now) }

// Clients reads clients.
type Clients interface {
	// Client returns a client with its secrets, whether or not it is disabled.
	Client(ctx context.Context, id string) (*Client, error)
}

// Users reads users.
type Users interface {
	// User returns a user, whether or not the user is disabled.
	// The method must return [ErrNotFound] if the user does not exist. Any other
	// error, such as sql.ErrNoRows, counts as a failure of the store. Its different
	// refusal would tell strangers which logins exist. An implementation in SQL needs:
	//
	//	if errors.Is(err, sql.ErrNoRows) {
	//		return nil, store.ErrNotFound
	//	}
	//
	// Login in the record is the stored spelling, even if login is another spelling.
	// A table that compares logins without regard to case must return the login
	// that it has stored. Otherwise each spelling would be a separate user, and
	// revoking one spelling would not revoke the others.
	User(ctx context.Context, login string) (*User, error)
}

// APIKeys reads API keys by the digest of the whole key.
type APIKeys interface {
	// APIKey returns a key that is not revoked. The key may be expired.
	APIKey(ctx context.Context, d Digest) (*APIKey, error)
}

// Tokens keeps refresh tokens and opaque access tokens.
type Tokens interface {
	// PutTokens stores all tokens or none. It returns an error, and stores nothing,
	// if the Check method of a token does.
	PutTokens(ctx context.Context, ts ...Token) error

	// Token returns a token that is not revoked. The token may be expired or used.
	Token(ctx context.Context, d Digest) (*Token, error)

	// RotateRefreshToken marks the refresh token old as used at now and stores the
	// tokens next. It is atomic: of concurrent callers, exactly one uses the token
	// first. Every later use is reuse: RotateRefreshToken then revokes the token's
	// family, with all successors, and returns [ErrReused].
	//
	// A use for which [Token.InGrace] returns true is not reuse. It stores its own
	// successors beside the earlier ones and leaves UsedAt as it is.
	//
	// It returns [ErrNotFound] and changes nothing if old is unknown, is expired
	// at now, is not a refresh token, or belongs to another client. These rules
	// apply within the grace too. Reuse of an expired token is still reuse. It
	// returns an error and changes nothing if the Check method of a successor does.
	RotateRefreshToken(ctx context.Context, old Digest, client string, now time.Time, grace time.Duration, next ...Token) error
}

// Sessions keeps sessions.
type Sessions interface {
	// PutSession stores a session. It returns an error if the Check method does.
	PutSession(ctx context.Context, s Session) error

	// Session returns a session that is not revoked. The session may be expired.
	Session(ctx context.Context, token Digest) (*Session, error)

	// Renew moves the session's Expires forward to until, but not beyond its Ends.
	// It never moves Expires back. It returns [ErrNotFound] if the session is
	// revoked or unknown, or if its Expires is not after lastUse: an expired
	// session cannot be renewed.
	Renew(ctx context.Context, token Digest, lastUse, until time.Time) error
}

// SigningKeys keeps the keys that sign tokens.
type SigningKeys interface {
	// SigningKeys returns the keys of a set in the order of their publication.
	SigningKeys(ctx context.Context, set string) ([]SigningKey, error)

	// PutSigningKeys stores all keys or none. A key replaces the one with the same
	// set and ID, and each key is a [Change]. The end of a stored key is never
	// removed or moved to a later time, so that writing back an old copy does not
	// revive a key. PutSigningKeys returns an error, and stores nothing, if the
	// Check method of a key does.
	PutSigningKeys(ctx context.Context, ks ...SigningKey) error
}

// Sweeper drops records that no longer have any effect.
type Sweeper interface {
	// Sweep drops the tokens, sessions, signing keys and revocations that ended at
	// least an hour before now. The hour allows for clocks that differ. A used
	// refresh token stays until its family ends. Sweep also folds the streams whose
	// counts are all older than [LateDays] and a day. It never drops the records that
	// make [Admin] return [ErrRevoked]. The Run method of an issuer calls Sweep
	// regularly.
	Sweep(ctx context.Context, now time.Time) error
}

// Store combines all interfaces that issuers, sessions, meters and administration
// use.
//
// All issuers on one store accept its API keys, secrets and passwords, because these
// records do not name an issuer. The audience separates only tokens. Two products, or
// staging and production, need two stores.
type Store interface {
	Clients
	Users
	APIKeys
	Tokens
	Sessions
	Changes
	Usage
	SigningKeys
	Admin
	Lister
	Rotator
	Toucher
	Sweeper
}
