// Package store says what an issuer keeps: records, and the small interfaces by
// which they are read and written.
//
// A [Store] is all of them; packages memory, sqlite, postgres and redis have one
// each, and package storetest the suite that every implementation passes. Who keeps users in a table of their
// own implements [Users], one method.
//
// Stores see digests of secrets, never the secrets. A missing record is
// [ErrNotFound]; any other error means that the store could not be asked, and
// is never taken for an answer. All methods may be called concurrently, respect
// the context's end, and neither keep nor share the slices that they are given
// or return. Names are any UTF-8 and are compared byte by byte.
package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Errors that callers branch on.
var (
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

	ErrReused = errors.New("store: refresh token used a second time")
)

// The grant types that a client may use.
const (
	GrantClientCredentials = "client_credentials" // RFC 6749 section 4.4
	GrantPassword          = "password"           // RFC 6749 section 4.3
	GrantRefreshToken      = "refresh_token"      // RFC 6749 section 6
)

// A Digest is the SHA-256 of a secret. Generated secrets hold 256 random bits,
// so that nothing slower is needed.
type Digest [sha256.Size]byte

// DigestOf returns the digest of a secret.
func DigestOf(secret string) Digest {
	var stack [128]byte
	return sha256.Sum256(append(stack[:0], secret...))
}

// A Client is an application, known by its ID and its secrets.
type Client struct {
	ID      string
	Secrets []Secret // any of them authenticates: two while one replaces the other
	Scopes  []string // that it may have
	Default []string // that it gets if it asks for none
	Grants  []string // grant types that it may use (RFC 6749); none if empty

	// Disabled clients are refused everywhere.
	Disabled bool

	// Version is the store's: it grows when the client's tokens are revoked
	// together, and never shrinks, not even when the client is deleted and
	// created anew. Tokens carry the version that they were made at.
	Version uint64
}

// A Secret is one of a client's secrets.
type Secret struct {
	ID       string // may be shown and logged; empty in records from before there were IDs
	Digest   Digest
	Created  time.Time // unknown, if zero
	Expires  time.Time // never, if zero
	LastUsed time.Time // as in [APIKey]
}

// A User is a person.
type User struct {
	Login             string
	Password          string // hash: argon2id in PHC form, or bcrypt; empty: no login by password
	First, Last, Lang string

	// Scopes are the scopes that tokens of this user may have, if LimitScopes is
	// set. If it is not set, the client alone limits the scopes, and Scopes must
	// be empty.
	Scopes      []string
	LimitScopes bool

	Disabled bool
	Version  uint64 // as a client's; grows with a new password and when disabled
}

// An APIKey belongs to a client.
type APIKey struct {
	ID     string // may be shown and logged
	Name   string // for people; may be empty
	Client string
	Digest Digest // of the whole key
	Scopes []string

	// Owner is the login of the user who is responsible for the key, or empty. The
	// key is refused while that user is disabled, and it is deleted when the user
	// is revoked or deleted. A request with the key has no user: the owner is not
	// the identity's user.
	Owner string

	// Addrs are the networks from which the key may be used. If empty, the key
	// works from everywhere.
	Addrs []netip.Prefix

	Created time.Time // unknown, if zero
	Expires time.Time // never, if zero

	// LastUsed is when the key was used last, about, and zero if it is not known
	// to have been. Only a [Lister] fills it in; what is stored with a record is
	// ignored, and what [Toucher] was told of its ID stays.
	LastUsed time.Time
}

// A Token is a refresh token or an opaque access token. Tokens of one family
// come from one grant and are revoked together.
type Token struct {
	ID, Family    string
	Client, User  string // User is empty for a client's own token
	Audience      string // separated by spaces
	Scopes        string // separated by spaces
	Digest        Digest
	Refresh       bool
	Used          bool // a refresh token that was rotated
	ClientVersion uint64
	UserVersion   uint64
	Issued        time.Time
	Expires       time.Time
	FamilyEnds    time.Time // when the family's last token has expired at the latest
	UsedAt        time.Time // when it was rotated first; unknown, if zero
}

// InGrace reports whether a refresh token that was used may be used again at now,
// since its first use is known and less than grace ago.
func (t *Token) InGrace(now time.Time, grace time.Duration) bool {
	return t.Used && grace > 0 && !t.UsedAt.IsZero() && now.Before(t.UsedAt.Add(grace))
}

// A Session is a person's login.
type Session struct {
	ID          string // may be logged
	Token       Digest
	Cookie      Digest
	User        string
	UserVersion uint64
	Expires     time.Time // unless it is renewed
	Ends        time.Time // even if it is renewed
}

// A SigningKey is one of the keys that sign the tokens of a key set. The store
// cannot read it.
type SigningKey struct {
	Set, ID, Alg string
	Sealed       []byte    // the key, encrypted
	Published    time.Time // since when it verifies
	Signs        time.Time // since when it signs; zero, if it does not yet
	Ends         time.Time // until when it verifies; zero, as long as it is needed
}

// Format writes u without the password's hash, whatever the verb.
func (u User) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "user %q, version %d", u.Login, u.Version) }

// Clients reads clients.
type Clients interface {
	Client(ctx context.Context, id string) (*Client, error)
}

// Users reads users.
type Users interface {
	User(ctx context.Context, login string) (*User, error)
}

// APIKeys reads API keys by the digest of the whole key.
type APIKeys interface {
	APIKey(ctx context.Context, d Digest) (*APIKey, error)
}

// Tokens keeps refresh tokens and opaque access tokens.
type Tokens interface {
	// PutTokens stores all tokens or none.
	PutTokens(ctx context.Context, ts ...Token) error

	// Token returns a token whether or not it is expired or used, until it is
	// revoked.
	Token(ctx context.Context, d Digest) (*Token, error)

	// Rotate marks the refresh token old as used at now and stores its
	// successors, in one step: of any number of callers exactly one is the first
	// to use it. The others use it a second time; that revokes its family, all
	// successors too, and is [ErrReused].
	//
	// If grace is not 0, a second use in it, as [Token.InGrace] has it, is none:
	// it stores successors of its own beside the others, and UsedAt stays.
	//
	// A token that is unknown, expired at now, no refresh token, or another
	// client's is [ErrNotFound], in its grace too, and nothing is changed. One
	// that is used a second time need not be unexpired for that to be noticed.
	Rotate(ctx context.Context, old Digest, client string, now time.Time, grace time.Duration, next ...Token) error
}

// Sessions keeps sessions.
type Sessions interface {
	PutSession(ctx context.Context, s Session) error

	// Session returns a session whether or not it is expired, until it is
	// revoked.
	Session(ctx context.Context, token Digest) (*Session, error)

	// Renew moves the session's Expires to until, at most to its Ends, and never
	// back. A session that is revoked, or that the store knows to have expired
	// when it was used last, is [ErrNotFound]: nothing revives it.
	Renew(ctx context.Context, token Digest, lastUse, until time.Time) error
}

// SigningKeys keeps the keys that sign tokens.
type SigningKeys interface {
	// SigningKeys returns the keys of a set, by the time of their publication.
	SigningKeys(ctx context.Context, set string) ([]SigningKey, error)

	// PutSigningKeys stores all keys or none, each in place of the one with the
	// same set and ID. Each is a [Change], by the key's ID. The end of a key is
	// never moved to later or away: who has read it before it ended revives
	// nothing.
	PutSigningKeys(ctx context.Context, ks ...SigningKey) error
}

// Sweeper drops what nobody can use or reuse any more.
type Sweeper interface {
	// Sweep drops the tokens, sessions, signing keys and revocations that have
	// ended an hour before now, or earlier: the clocks of those that share the
	// store may differ. A used refresh token stays until its family ends. Streams
	// of counts that have nothing younger than [KeepDays] and a day are folded.
	// An issuer's Run calls it now and then; several may at once.
	Sweep(ctx context.Context, now time.Time) error
}

// A Hinter is a store that can say at once that there are changes. Hints may be
// lost: they make what [Changes.Since] guarantees faster.
type Hinter interface {
	// Hint calls f after changes, soon and now and then without one, until ctx
	// ends or hints are not to be had any more, which is the error.
	Hint(ctx context.Context, f func()) error
}

// Store is all of it: for issuers, sessions, meters and administration.
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
