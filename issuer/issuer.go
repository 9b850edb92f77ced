// Package issuer is an authorization server in a program of your own. It mints, rotates
// and revokes tokens, and decides which credentials are genuine.
//
//	iss, err := issuer.Open(ctx, "https://api.example.com", db, &issuer.Config{KeyFile: "auth.key"})
//	defer iss.Close()
//	iss.Register(mux)
//	mux.Handle("/reports/", middleware.Bearer(iss.Validator(), nil)(reports))
//
// [Issuer.CreateClient], [Issuer.CreateAPIKey] and [Issuer.CreateUser] create the first
// records. API keys and client secrets are replaced and revoked by their IDs
// ([Issuer.RotateAPIKey], [Issuer.RotateSecret]).
//
// An [Issuer] is a [middleware.Validator] of API keys, client secrets and access
// tokens. It tells a [middleware.Cache] in front of it about every revocation. Its
// endpoints are the token endpoint (RFC 6749), introspection (RFC 7662), revocation
// (RFC 7009), metadata (RFC 8414, and OpenID Connect Discovery 1.0) and the key set
// (RFC 7517). Access tokens are signed (RFC 9068) or opaque. Refresh tokens are opaque
// and rotate; a second use of one ends its family (RFC 9700 section 4.14.2).
//
// There is no authorization code flow, on purpose. A team that needs it has an identity
// provider, and [middleware.JWT] verifies the provider's tokens.
package issuer

import (
	"context"
	"fmt"
	"net/url"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// A Store is what an issuer reads and writes of a [store.Store].
type Store interface {
	store.Clients
	store.APIKeys
	store.Tokens
	store.Changes
}

// An Issuer mints and verifies. Its methods may be called concurrently.
type Issuer struct {
	url         string
	db          Store
	cfg         Config
	users       store.Users
	keys        *KeySet
	jwt         middleware.Validator
	revocations revocations
	sinks       middleware.Sinks
	validator   func() middleware.Validator

	closed atomic.Bool
	life   context.Context // until it is closed
	end    context.CancelFunc
	opened chan struct{} // closed when the goroutines of Open have ended; nil after New

	runs atomic.Int32 // times that the store is followed at this moment
	ran  atomic.Bool  // whether it ever was

	uses uses

	accessPrefix, refreshPrefix, keyPrefix, secretPrefix string // of generated secrets
}

var (
	_ middleware.Validator = (*Issuer)(nil)
	_ middleware.Source    = (*Issuer)(nil)
	_ middleware.Local     = (*Issuer)(nil)
)

// New returns an issuer that does nothing by itself: [Issuer.Run] follows the store.
// It is for programs that compose: with a store that implements less, or with
// goroutines of their own. Most programs call [Open], which says what url is.
//
// To rotate API keys and secrets, db must be a [store.Lister] and a [store.Rotator];
// to create records, a [store.Admin]; for stored signing keys, a
// [store.SigningKeys]. It is told of last uses if it is a [store.Toucher].
//
// cfg may be nil no more than for Open. The error joins everything that is wrong with
// url, db and cfg. The store's revocations have been read when New returns.
func New(ctx context.Context, url string, db Store, cfg *Config) (*Issuer, error) {
	i, err := newIssuer(ctx, url, db, cfg)
	if err != nil {
		return nil, fmt.Errorf("issuer: New: %w", err)
	}
	return i, nil
}

func newIssuer(ctx context.Context, url string, db Store, given *Config) (*Issuer, error) {
	cfg := given.withDefaults(url)
	if err := cfg.check(url, db); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if cfg.Throttle == nil && !cfg.AllowUnthrottled {
		cfg.Throttle, _ = middleware.NewThrottle(nil) // which nothing is wrong with
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

	var err error
	if i.keys, err = cfg.keySet(ctx, db); err != nil {
		return nil, err
	}
	i.jwt, err = middleware.JWT(i.keys, middleware.JWTConfig{Issuer: url, Audience: []string{cfg.Audience}})
	if err != nil {
		return nil, err
	}
	if err := i.follow(ctx); err != nil {
		return nil, fmt.Errorf("reading revocations: %w", err)
	}
	return i, nil
}

// keySet returns the keys that sign: those that are stored or given, or a new one.
// With opaque tokens the key signs nothing, and is an HMAC key because these are not
// published.
func (cfg *Config) keySet(ctx context.Context, db Store) (*KeySet, error) {
	switch {
	case cfg.hasStoredKeys():
		return openKeys(ctx, db.(store.SigningKeys), cfg)
	case cfg.Keys != nil:
		return cfg.Keys, nil
	}
	alg := "ES256"
	if cfg.OpaqueTokens {
		alg = "HS256"
	}
	key, err := GenerateKey(alg)
	if err != nil {
		return nil, err
	}
	return NewKeySet(key)
}

// ownUsers reports whether the users are in a table that is not the store.
func (i *Issuer) ownUsers() bool {
	if i.cfg.Users == nil {
		return false
	}
	canCompare := reflect.ValueOf(i.cfg.Users).Comparable() && reflect.ValueOf(i.db).Comparable()
	return !canCompare || any(i.cfg.Users) != any(i.db)
}

// path is the path of the issuer's URL, on which its endpoints are.
func (i *Issuer) path() string {
	u, _ := url.Parse(i.url) // checked by New
	return u.EscapedPath()
}

// URL returns the issuer's URL.
func (i *Issuer) URL() string { return i.url }

// Audience returns the audience of the issuer's tokens.
func (i *Issuer) Audience() string { return i.cfg.Audience }
