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
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/authtier/authtier/issuer/internal/form"
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

// Config configures an [Issuer]. Issuer and Store must be set.
type Config struct {
	// Issuer is the iss of the tokens and the base of the endpoints: an https
	// URL without query, fragment and last slash (RFC 8414 section 2). On
	// loopback it may be http.
	Issuer string

	// Store keeps clients, keys, tokens and revocations. To rotate API keys and
	// secrets it must be a [store.Lister] and a [store.Rotator], and is told when
	// they were used last if it is a [store.Toucher]: a [store.Store] is all three.
	Store Store

	// Users knows the users. If nil, it is Store, which must then have them. One's
	// own users table needs no versions: revoke what hangs on a user who is
	// disabled or has a new password with [Issuer.Revoke].
	Users store.Users

	// Keys sign and verify access tokens: stored ones from [OpenKeys], or fixed ones
	// from [NewKeySet]. They must not be nil unless AllowEphemeralKeys or
	// OpaqueTokens is set.
	Keys *KeySet

	// AllowEphemeralKeys lets the issuer start without Keys. It then makes an ES256
	// key of its own. The key and the tokens that it signed end with the process,
	// and no other node accepts these tokens. It is for tests and demonstrations.
	AllowEphemeralKeys bool

	// Audience is the aud of the tokens, and the only one accepted. If empty, it
	// is Issuer.
	Audience string

	// OpaqueTokens makes access tokens opaque instead of signed: shorter, and
	// unreadable for clients, but each is a record in the store. Signed tokens
	// are then refused.
	OpaqueTokens bool

	// Prefix begins generated tokens, API keys and client secrets: lower-case letters and digits.
	// If empty, it is "authtier".
	Prefix string

	// AccessTTL and RefreshTTL are how long tokens are valid, in whole seconds:
	// an hour and 30 days, if 0. A refresh token's lifetime starts anew when it
	// is rotated, until the family ends after FamilyTTL: a year, if 0.
	AccessTTL, RefreshTTL, FamilyTTL time.Duration

	// Throttle slows down those who guess at the endpoints: clients' secrets and
	// users' passwords. If nil, the issuer has one of its own, which knows no
	// proxies. AllowUnthrottled leaves it out.
	Throttle         *middleware.Throttle
	AllowUnthrottled bool

	// BcryptCost is the highest cost of the users' bcrypt hashes, if there are
	// any from another system. Each login that fails then costs as much, so that
	// these users cannot be told from others.
	BcryptCost int

	// AllowRefreshReuse turns rotation off: a refresh token works until it
	// expires, and a stolen one is not noticed.
	AllowRefreshReuse bool

	// AllowRefreshGrace is for how long after its first use a refresh token may be
	// used again by its client, at most a minute. Each such use gets a further pair
	// of the same family; one after it ends the family. It is for clients whose
	// answer got lost, or that refresh in several tabs at once. A thief who is as
	// fast as they are gets a pair too, and is not noticed.
	AllowRefreshGrace time.Duration

	// AllowStale accepts tokens when the store has not been heard of for half a
	// minute. What is revoked meanwhile, by others, stays admitted. Caches have an
	// option of the same name.
	AllowStale bool

	// Log is told when the store cannot be followed. If nil, it is
	// [slog.Default].
	Log *slog.Logger
}

// An Issuer mints and verifies. Its methods may be called concurrently.
type Issuer struct {
	cfg   Config
	users store.Users
	jwt   middleware.Validator
	live  live
	sinks middleware.Sinks

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
		cfg.Throttle, _ = middleware.NewThrottle(middleware.ThrottleConfig{}) // which nothing is wrong with
	}
	if cfg.Keys == nil {
		key, err := GenerateKey("ES256")
		if err != nil {
			return nil, err
		}
		if cfg.Keys, err = NewKeySet(key); err != nil {
			return nil, err
		}
	}
	i := &Issuer{
		cfg: cfg, users: cfg.Users, live: newLive(),
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

func setDefaults(cfg *Config) {
	cfg.AccessTTL = cmp.Or(cfg.AccessTTL, time.Hour)
	cfg.RefreshTTL = cmp.Or(cfg.RefreshTTL, 30*24*time.Hour)
	cfg.FamilyTTL = cmp.Or(cfg.FamilyTTL, max(365*24*time.Hour, cfg.RefreshTTL))
	cfg.Audience = cmp.Or(cfg.Audience, cfg.Issuer)
	cfg.Prefix = cmp.Or(cfg.Prefix, "authtier")
}

var prefixForm = regexp.MustCompile(`^[a-z0-9]+$`)

func (cfg *Config) check() error {
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if err := checkIssuer(cfg.Issuer); err != nil {
		fault("issuer %q: %w", cfg.Issuer, err)
	}
	if cfg.Store == nil {
		fault("no Store")
	} else if _, ok := cfg.Store.(store.Users); cfg.Users == nil && !ok {
		fault("no Users, and the Store has none")
	}
	switch {
	case cfg.Keys == nil && !cfg.AllowEphemeralKeys && !cfg.OpaqueTokens:
		fault("no Keys: OpenKeys returns stored ones, and AllowEphemeralKeys accepts a key that ends with the process")
	case cfg.Keys != nil && cfg.Keys.now.Load() == nil:
		fault("Keys has no key: OpenKeys and NewKeySet return sets that have one")
	}
	if strings.Contains(cfg.Audience, " ") {
		fault("audience %q holds a space", cfg.Audience)
	}
	if !prefixForm.MatchString(cfg.Prefix) {
		fault("prefix %q: expected lower-case letters and digits", cfg.Prefix)
	}
	if c := cfg.BcryptCost; c != 0 && (c < bcrypt.MinCost || c > maxBcryptCost) {
		fault("BcryptCost is %d, expected %d to %d", c, bcrypt.MinCost, maxBcryptCost)
	}
	for _, ttl := range []struct {
		name string
		d    time.Duration
	}{{"AccessTTL", cfg.AccessTTL}, {"RefreshTTL", cfg.RefreshTTL}, {"FamilyTTL", cfg.FamilyTTL}} {
		if ttl.d < time.Second || ttl.d%time.Second != 0 {
			fault("%s is %v, expected whole seconds", ttl.name, ttl.d)
		}
	}
	if longest := cfg.maxTTL(); cfg.AccessTTL > longest {
		fault("AccessTTL is %v, expected at most %v", cfg.AccessTTL, longest)
	}
	if cfg.FamilyTTL < cfg.RefreshTTL {
		fault("FamilyTTL is %v, less than RefreshTTL %v", cfg.FamilyTTL, cfg.RefreshTTL)
	}
	if g := cfg.AllowRefreshGrace; g < 0 || g > maxRefreshGrace {
		fault("AllowRefreshGrace is %v, expected at most %v", g, maxRefreshGrace)
	} else if g != 0 && cfg.AllowRefreshReuse {
		fault("AllowRefreshGrace is %v, and AllowRefreshReuse knows no first use", g)
	}
	return errors.Join(errs...)
}

// maxRefreshGrace is as long as a lost answer takes to be noticed, and no longer.
const maxRefreshGrace = time.Minute

// maxTTL is the longest lifetime that an access token may have.
func (cfg *Config) maxTTL() time.Duration {
	if cfg.Keys != nil && cfg.Keys.stored != nil {
		return cfg.Keys.stored.cfg.MaxTTL
	}
	return middleware.MaxLifetime
}

// checkIssuer follows RFC 8414 section 2.
func checkIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	switch {
	case err != nil:
		return err
	case u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())):
		return errors.New("expected an https URL, or http on loopback")
	case u.Host == "" || u.User != nil || strings.ContainsAny(issuer, "?#") || strings.HasSuffix(issuer, "/"):
		return errors.New("expected a host, and neither user, query, fragment nor a last slash")
	case u.Path != "":
		return form.CheckBase(u.Path) // of the endpoints
	}
	return nil
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// path is the path of the issuer's URL, on which its endpoints are.
func (i *Issuer) path() string {
	u, _ := url.Parse(i.cfg.Issuer) // checked by New
	return u.EscapedPath()
}

// URL returns the issuer's URL.
func (i *Issuer) URL() string { return i.cfg.Issuer }
