// Package issuer is an authorization server that runs inside your program. It mints,
// rotates and revokes tokens, and validates credentials.
//
//	iss, err := issuer.Open(ctx, "https://api.example.com", db, &issuer.Config{KeyFile: "auth.key"})
//	defer iss.Close()
//	iss.Register(mux)
//	mux.Handle("/reports/", middleware.Bearer(iss.Validator(), nil)(reports))
//
// [Issuer.CreateClient], [Issuer.CreateAPIKey] and [Issuer.CreateUser] create the first
// records. [Issuer.RotateAPIKey] and [Issuer.RotateSecret] replace API keys and client
// secrets by their IDs.
//
// An [Issuer] is a [middleware.Validator] of API keys, client secrets and access
// tokens. It tells a [middleware.Cache] in front of it about every revocation.
//
// Its endpoints are the token endpoint (RFC 6749), introspection (RFC 7662), revocation
// (RFC 7009), metadata (RFC 8414, and OpenID Connect Discovery 1.0) and the key set
// (RFC 7517). Access tokens are signed (RFC 9068) or opaque. Refresh tokens are opaque
// and rotate; a second use of one ends its family (RFC 9700 section 4.14.2).
//
// The package has no authorization code flow, on purpose. A team that needs one has an
// identity provider, and [idp.Open] verifies the provider's tokens.
package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer/internal/keyring"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
	"github.com/authtier/authtier/middleware/throttle"
	"github.com/authtier/authtier/store"
)

// A Store is the part of a [store.Store] that an issuer needs.
type Store interface {
	store.Clients
	store.APIKeys
	store.Tokens
	store.Changes
}

// An Issuer mints, validates and revokes credentials. Its methods are safe for
// concurrent use.
//
// [Issuer.Register] and the methods that return a validator or a handler panic if the
// Issuer is nil or does not come from [Open] or [New]. Register also panics if mux is
// nil.
type Issuer struct {
	url         string
	db          Store
	cfg         Config
	users       store.Users
	keys        *keyring.Ring
	signed      *idp.Verifier
	revocations revocations
	sinks       middleware.Sinks
	validator   func() middleware.Validator

	closed atomic.Bool
	life   context.Context // ends when the issuer is closed
	end    context.CancelFunc
	opened chan struct{} // closed when the goroutines of Open have ended; nil after New

	runs atomic.Int32 // the number of running calls of follows
	ran  atomic.Bool  // whether follows was ever called

	uses uses

	accessPrefix, refreshPrefix, keyPrefix, secretPrefix string // prefixes of generated secrets
}

var (
	_ middleware.Validator        = (*Issuer)(nil)
	_ middleware.Source           = (*Issuer)(nil)
	_ middleware.OfflineValidator = (*Issuer)(nil)
)

// New returns an issuer without goroutines of its own: the program must call
// [Issuer.Run], which follows the store. Most programs call [Open] instead, which also
// documents url. New is for programs whose store implements only part of [store.Store],
// or that manage the goroutines themselves.
//
// Some methods need more of db than [Store]. Rotating API keys and secrets needs a
// [store.Lister] and a [store.Rotator]. Creating records needs a [store.Admin]. Stored
// signing keys need a [store.SigningKeys]. If db is a [store.Toucher], it is told when
// keys and secrets were last used.
//
// cfg must not be nil, as for Open. New returns an error that joins everything that is
// wrong with ctx, url, db and cfg. New reads the store's revocations before it returns.
// A panic of the store is an error too.
func New(ctx context.Context, url string, db Store, cfg *Config) (*Issuer, error) {
	i, err := newIssuer(ctx, url, db, cfg)
	if err != nil {
		return nil, fmt.Errorf("issuer: New: %w", err)
	}
	return i, nil
}

func newIssuer(ctx context.Context, url string, db Store, given *Config) (_ *Issuer, err error) {
	defer errorsx.Recovered("the store", &err)
	cfg := given.withDefaults(url)
	errs := []error{cfg.check(url, db)}
	if ctx == nil {
		errs = append(errs, errors.New("nil Context"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}

	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if cfg.Throttle == nil && !cfg.AllowUnthrottled {
		// The default configuration is valid, so that there is no error.
		cfg.Throttle, _ = throttle.New(nil)
	}

	i := &Issuer{
		url: url, db: db, cfg: cfg, users: cfg.Users, revocations: newRevocations(cfg.longestTTL()),
		accessPrefix: cfg.Prefix + "_at", refreshPrefix: cfg.Prefix + "_rt",
		keyPrefix: cfg.Prefix + "_key", secretPrefix: cfg.Prefix + "_cs",
	}
	i.validator = sync.OnceValue(func() middleware.Validator { return i.guarded(i) })
	i.life, i.end = context.WithCancel(context.Background())
	i.uses.toucher, _ = db.(store.Toucher)
	if i.users == nil {
		i.users = db.(store.Users)
	}

	if i.keys, err = cfg.keySet(ctx, db); err != nil {
		return nil, err
	}
	own := idp.Own(url, cfg.Audience)
	own.Keys = i.keys
	if i.signed, err = idp.Open(ctx, own); err != nil {
		return nil, err
	}

	// An issuer that has not read the revocations refuses every token.
	if err := i.follow(ctx); err != nil {
		return nil, fmt.Errorf("reading revocations: %w", err)
	}
	return i, nil
}

// keySet returns the signing keys: the stored ones, the given ones, or a new key. With
// opaque tokens the new key signs nothing. It is then an HMAC key, because these are
// not published.
func (cfg *Config) keySet(ctx context.Context, db Store) (*keyring.Ring, error) {
	switch {
	case cfg.hasStoredKeys():
		return keyring.Open(ctx, db.(store.SigningKeys), cfg.storedKeys())
	case cfg.Keys != nil:
		return cfg.Keys.ring, nil
	}
	alg := "ES256"
	if cfg.OpaqueTokens {
		alg = "HS256"
	}
	key, err := keyring.Generate(alg)
	if err != nil {
		return nil, err
	}
	return keyring.New(key)
}

// storedKeys returns the configuration of stored signing keys.
func (cfg *Config) storedKeys() keyring.Config {
	return keyring.Config{
		Set: cfg.KeySetName, Alg: cfg.SigningAlg, MaxTTL: cfg.MaxTTL,
		File: cfg.KeyFile, AllowReadable: cfg.AllowReadableKeyFile, Variable: cfg.KeyVariable, EncryptionKey: cfg.EncryptionKey,
	}
}

// ownUsers reports whether the users are in a table outside the store.
func (i *Issuer) ownUsers() bool {
	if i.cfg.Users == nil {
		return false
	}
	// Comparing two interfaces whose values are not comparable would panic.
	canCompare := reflect.ValueOf(i.cfg.Users).Comparable() && reflect.ValueOf(i.db).Comparable()
	return !canCompare || any(i.cfg.Users) != any(i.db)
}

// mustExist panics if i is nil or zero. A program has such an Issuer if it ignores the
// error of Open or New.
func (i *Issuer) mustExist(method string) {
	if i == nil || i.url == "" {
		panic("issuer: " + method + ": the Issuer does not come from Open or New")
	}
}

// path returns the path of the issuer's URL. The endpoints are below it.
func (i *Issuer) path() string {
	u, _ := url.Parse(i.url) // New has checked it
	return u.EscapedPath()
}

// URL returns the issuer's URL.
func (i *Issuer) URL() string { return i.url }

// Audience returns the audience of the issuer's tokens.
func (i *Issuer) Audience() string { return i.cfg.Audience }
