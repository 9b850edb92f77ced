package issuer

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/authtier/authtier/issuer/internal/form"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// Config configures an [Issuer]. Issuer and Store must be set.
type Config struct {
	// Issuer is the iss of the tokens and the base of the endpoints: an https
	// URL without query, fragment and last slash (RFC 8414 section 2). On
	// loopback it may be http.
	//
	// It is part of what is stored. After a change, tokens and sessions from before
	// are refused, and the use from before is reported under the old URL only.
	Issuer string

	// Store keeps clients, keys, tokens and revocations. To rotate API keys and
	// secrets it must be a [store.Lister] and a [store.Rotator], and is told when
	// they were used last if it is a [store.Toucher]: a [store.Store] is all three.
	//
	// All issuers on one store accept its API keys, client secrets and passwords,
	// because these name no issuer. Only tokens and sessions belong to one audience.
	// Staging and production, and two products, therefore need a store each.
	Store Store

	// Users knows the users. If nil, it is Store, which must then have them.
	//
	// A table of one's own needs no versions, and nobody tells the issuer of its
	// changes. Call [Issuer.RevokeUser] after a user is deleted or disabled or has a
	// new password: otherwise the user's tokens stay valid. For the same reason a
	// [middleware.Cache] around [Issuer.Passwords] or a session system needs an
	// explicit TTL.
	//
	// The Login of a record is the one spelling of the name, whatever was asked for.
	// A table that finds ada for ADA returns the login ada: with two spellings,
	// RevokeUser of one would leave the tokens of the other. A missing user is
	// [store.ErrNotFound]. Any other error, such as sql.ErrNoRows, is a failure
	// (AUTH-4), and its status would tell which logins exist.
	Users store.Users

	// Keys sign and verify access tokens: stored ones from [OpenKeys], or fixed ones
	// from [NewKeySet]. They must not be nil unless AllowEphemeralKeys or
	// OpaqueTokens is set. With OpaqueTokens they must be nil: nothing would be
	// signed with them.
	//
	// Issuers with stores of their own that share Keys must differ in Issuer or
	// Audience. Otherwise each accepts the tokens of the other, also those that the
	// other has revoked: it does not hear of revocations in another store.
	Keys *KeySet

	// AllowEphemeralKeys lets the issuer start without Keys. It then makes an ES256
	// key of its own. The key and the tokens that it signed end with the process,
	// and no other node accepts these tokens. It is for tests and demonstrations.
	AllowEphemeralKeys bool

	// Audience is the aud of the tokens, and the only one accepted. If empty, it
	// is Issuer. Issuers that share a Store must differ in it, because the records
	// of refresh tokens and opaque access tokens name no issuer.
	Audience string

	// OpaqueTokens makes access tokens opaque instead of signed: shorter, and
	// unreadable for clients, but each is a record in the store. Signed tokens
	// are then refused.
	OpaqueTokens bool

	// Prefix begins generated tokens, API keys and client secrets: lower-case letters and digits.
	// If empty, it is "authtier". Tokens are found by it: after a change, all refresh
	// tokens and opaque access tokens from before are refused (AUTH-12).
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
	// minute. Tokens that others revoke in that time stay valid until the store
	// answers again. It applies only while [Issuer.Run] runs, because nobody else
	// asks the store again. Caches have an option of the same name.
	AllowStale bool

	// Log is told when the store cannot be followed. If nil, it is
	// [slog.Default].
	Log *slog.Logger
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
	case cfg.Keys != nil && cfg.OpaqueTokens:
		fault("Keys and OpaqueTokens: opaque tokens are not signed, and signed ones are refused")
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
	if g := cfg.AllowRefreshGrace; g != 0 && g < minRefreshGrace || g > maxRefreshGrace {
		fault("AllowRefreshGrace is %v, expected %v to %v (a number without a unit is nanoseconds)", g, minRefreshGrace, maxRefreshGrace)
	} else if g != 0 && cfg.AllowRefreshReuse {
		fault("AllowRefreshGrace is %v, and AllowRefreshReuse knows no first use", g)
	}
	return errors.Join(errs...)
}

// maxRefreshGrace is as long as a lost answer takes to be noticed, and no longer. A
// grace under minRefreshGrace is a mistaken unit.
const (
	minRefreshGrace = time.Millisecond
	maxRefreshGrace = time.Minute
)

// maxTTL is the longest lifetime that an access token may have.
func (cfg *Config) maxTTL() time.Duration {
	if cfg.Keys != nil && cfg.Keys.stored != nil {
		return cfg.Keys.stored.cfg.MaxTTL
	}
	return middleware.MaxLifetime
}

// usualTTL is how long an access token lives at most, unless this configuration or
// its own request says more. The partner system makes none that live longer.
const usualTTL = 24 * time.Hour

// longestTTL is how long an access token lives that any node with this
// configuration makes, as far as it is known beforehand.
func (cfg *Config) longestTTL() time.Duration {
	switch {
	case cfg.Keys != nil && cfg.Keys.stored != nil:
		return cfg.Keys.stored.cfg.MaxTTL
	case cfg.OpaqueTokens:
		return cfg.AccessTTL // the store deletes them when they are revoked
	}
	return max(cfg.AccessTTL, usualTTL)
}

// checkIssuer follows RFC 8414 section 2.
func checkIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	switch {
	case err != nil:
		return err
	case u.Scheme != "https" && !(u.Scheme == "http" && form.Loopback(u.Hostname())):
		return errors.New("expected an https URL, or http on loopback")
	case u.Host == "" || u.User != nil || strings.ContainsAny(issuer, "?#") || strings.HasSuffix(issuer, "/"):
		return errors.New("expected a host, and neither user, query, fragment nor a last slash")
	case u.Path != "":
		return form.CheckBase(u.Path) // of the endpoints
	}
	return nil
}

// ownUsers reports whether the users are in a table that is not the store.
func (cfg *Config) ownUsers() bool {
	if cfg.Users == nil {
		return false
	}
	canCompare := reflect.ValueOf(cfg.Users).Comparable() && reflect.ValueOf(cfg.Store).Comparable()
	return !canCompare || any(cfg.Users) != any(cfg.Store)
}

// generateKeys makes a key set where none is given. With opaque tokens the key
// signs nothing, and is an HMAC key because these are not published.
func (cfg *Config) generateKeys() error {
	if cfg.Keys != nil {
		return nil
	}
	alg := "ES256"
	if cfg.OpaqueTokens {
		alg = "HS256"
	}
	key, err := GenerateKey(alg)
	if err != nil {
		return err
	}
	cfg.Keys, err = NewKeySet(key)
	return err
}
