// Package issuer mints tokens, rotates and revokes them, and knows which
// credentials are genuine.
//
//	keys, err := issuer.OpenKeys(ctx, db, issuer.StoredKeysConfig{Seal: seal})
//	iss, err := issuer.New(ctx, issuer.Config{Issuer: "https://api.example.com", Store: db, Keys: keys})
//	go iss.Run(ctx)
//	auth, err := middleware.NewCache(iss, 100_000, middleware.CacheConfig{})
//	mux.Handle("/", iss.Handler(issuer.HTTPConfig{}))
//	mux.Handle("/reports/", middleware.Bearer(auth, middleware.BearerConfig{})(reports))
//
// An [Issuer] is a [middleware.Validator] of API keys, client secrets and access
// tokens; a [middleware.Cache] in front of it is told of every revocation. Its
// handlers are the token endpoint (RFC 6749), introspection (RFC 7662),
// revocation (RFC 7009), metadata (RFC 8414, and as OpenID Connect Discovery has
// it) and the key set (RFC 7517). Access
// tokens are signed (RFC 9068) or opaque; refresh tokens are opaque, rotate, and
// end their family when one is used twice (RFC 9700 section 4.14.2).
//
// API keys and client secrets are made, imported, replaced and revoked by their
// IDs ([Issuer.RotateAPIKey], [Issuer.RotateSecret]).
//
// There is no authorization code flow, on purpose. Who needs one has an
// identity provider, whose tokens [middleware.JWT] verifies.
package issuer

import (
	"context"
	"fmt"
	"net/url"
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
	cfg   Config
	users store.Users
	jwt   middleware.Validator
	live  live
	sinks middleware.Sinks

	runs atomic.Int32 // calls of Run that have not returned
	ran  atomic.Bool  // whether there was one

	uses uses

	accessPrefix, refreshPrefix, keyPrefix, secretPrefix string // of generated secrets
}

var (
	_ middleware.Validator = (*Issuer)(nil)
	_ middleware.Source    = (*Issuer)(nil)
	_ middleware.Local     = (*Issuer)(nil)
)

// New returns an issuer, once it has read the store's revocations. It reports
// everything that is wrong with the configuration at once.
func New(ctx context.Context, cfg Config) (*Issuer, error) {
	setDefaults(&cfg)
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("issuer: New: %w", err)
	}
	if cfg.Throttle == nil && !cfg.AllowUnthrottled {
		cfg.Throttle, _ = middleware.NewThrottle(nil) // which nothing is wrong with
	}
	if err := cfg.generateKeys(); err != nil {
		return nil, fmt.Errorf("issuer: New: %w", err)
	}
	i := &Issuer{
		cfg: cfg, users: cfg.Users, live: newLive(cfg.longestTTL()),
		accessPrefix: cfg.Prefix + "_at", refreshPrefix: cfg.Prefix + "_rt",
		keyPrefix: cfg.Prefix + "_key", secretPrefix: cfg.Prefix + "_cs",
	}
	i.uses.keeper, _ = cfg.Store.(store.Toucher)
	if i.users == nil {
		i.users = cfg.Store.(store.Users)
	}
	var err error
	i.jwt, err = middleware.JWT(cfg.Keys, middleware.JWTConfig{Issuer: cfg.Issuer, Audience: []string{cfg.Audience}})
	if err != nil {
		return nil, fmt.Errorf("issuer: New: %w", err)
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("issuer: New: %w", context.Cause(ctx))
	}
	if err := i.follow(ctx); err != nil {
		return nil, fmt.Errorf("issuer: New: reading revocations: %w", err)
	}
	return i, nil
}

// path is the path of the issuer's URL, on which its endpoints are.
func (i *Issuer) path() string {
	u, _ := url.Parse(i.cfg.Issuer) // checked by New
	return u.EscapedPath()
}

// URL returns the issuer's URL.
func (i *Issuer) URL() string { return i.cfg.Issuer }

// Audience returns the audience of the issuer's tokens.
func (i *Issuer) Audience() string { return i.cfg.Audience }
