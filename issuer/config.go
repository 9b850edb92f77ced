package issuer

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/authtier/authtier/issuer/internal/form"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// Config configures an [Issuer], for [Open] and for [New]. It must say how the keys
// that sign access tokens are kept, by one of KeyFile, KeyVariable, EncryptionKey,
// Keys, AllowEphemeralKeys and OpaqueTokens. With the first three, signing keys are
// stored encrypted, rotate, and are shared by all issuers on the store.
type Config struct {
	// KeyFile is the name of a file with 32 bytes in base64 that encrypt the stored
	// signing keys. It is made with mode 0600 if it does not exist and the store has
	// no signing key yet. Keep a copy: without it the store's keys are lost. All
	// nodes need the same.
	//
	// A file that others can write is refused, and so is one that others can read,
	// unless AllowReadableKeyFile accepts that.
	KeyFile              string
	AllowReadableKeyFile bool

	// KeyVariable is the name of an environment variable that holds the same in place
	// of a file.
	KeyVariable string

	// EncryptionKey is these 32 bytes themselves. 32 equal bytes, as of a buffer that
	// nothing was read into, are an error.
	EncryptionKey []byte `json:"-"`

	// KeySetName is the name of the stored signing keys in the store. If empty, it is
	// "authtier". SigningAlg is the algorithm of new ones: ES256, EdDSA, RS256 or
	// HS256; ES256, if empty.
	KeySetName, SigningAlg string

	// MaxTTL is the longest lifetime of a token that stored signing keys sign: a key
	// that signs no more verifies that much longer. If 0, it is a day. All nodes have
	// the same.
	MaxTTL time.Duration

	// Keys are fixed signing keys, from [NewKeySet].
	//
	// Issuers with stores of their own that share Keys must differ in URL or
	// Audience. Otherwise each accepts the tokens of the other, also those that the
	// other has revoked: it does not hear of revocations in another store.
	Keys *KeySet

	// AllowEphemeralKeys lets the issuer start with none of these. It then makes an
	// ES256 key of its own. The key and the tokens that it signed end with the process,
	// and no other node accepts these tokens. It is for tests and demonstrations.
	AllowEphemeralKeys bool

	// OpaqueTokens makes access tokens opaque instead of signed: shorter, and
	// unreadable for clients, but each is a record in the store. Signed tokens
	// are then refused.
	OpaqueTokens bool

	// Base is the path before /token, /introspect and /revoke, below that of the
	// issuer's URL. If empty, it is "/oauth2".
	Base string

	// AllowPassword turns on the password grant, which RFC 9700 section 2.4
	// forbids: the application sees the password.
	AllowPassword bool

	// BehindAPIKey makes the client of the API key the client of the token,
	// introspection and revocation endpoints. No other client authentication is
	// looked at. A [middleware.APIKey] wrapper with keys of this issuer must be in
	// front. A request without a key is AUTH-2, so that without a wrapper every
	// request is; a warning in the log says so once for each endpoint.
	//
	// A key with scopes limits its client to tokens with these. A key without scopes
	// does not limit the client: make sure that a list of scopes is not empty by
	// mistake ([Issuer.CreateAPIKey]).
	//
	// If BehindAPIKey is not set, the endpoints do not look at the identity that a
	// wrapper in front has established, and a client needs its secret.
	BehindAPIKey bool

	// Users knows the users. If nil, it is the store, which must then have them.
	//
	// A table of one's own needs no versions, and nobody tells the issuer of its
	// changes. Call [Issuer.RevokeUser] after a user is deleted or disabled or has a
	// new password: otherwise the user's tokens stay valid. For the same reason a
	// [middleware.Cache] around [Issuer.Passwords] needs an explicit TTL.
	//
	// The Login of a record is the one spelling of the name, whatever was asked for.
	// A table that finds ada for ADA returns the login ada: with two spellings,
	// RevokeUser of one would leave the tokens of the other. A missing user is
	// [store.ErrNotFound]. Any other error, such as sql.ErrNoRows, is a failure
	// (AUTH-4), and its status would tell which logins exist.
	Users store.Users

	// Audience is the aud of the tokens, and the only one accepted. If empty, it
	// is the issuer's URL. Issuers that share a Store must differ in it, because the records
	// of refresh tokens and opaque access tokens name no issuer.
	Audience string

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
	// answers again. It applies only while the issuer follows the store, which one from [New]
	// does in Run. It holds for the cache of [Issuer.Validator] too.
	AllowStale bool

	// Log is told when the store cannot be followed. If nil, it is
	// [slog.Default].
	Log *slog.Logger
}

// Format writes cfg without its encryption key, whatever the verb.
func (cfg Config) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "issuer configuration of the audience %q, key file %q, key variable %q", cfg.Audience, cfg.KeyFile, cfg.KeyVariable)
}

// LogValue returns cfg without its encryption key.
func (cfg Config) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(cfg)) }

// hasStoredKeys reports whether the signing keys are in the store.
func (cfg *Config) hasStoredKeys() bool {
	return cfg.KeyFile != "" || cfg.KeyVariable != "" || cfg.EncryptionKey != nil
}

// withDefaults returns a copy of a configuration with what it leaves out.
func (cfg *Config) withDefaults(url string) Config {
	var c Config
	if cfg != nil {
		c = *cfg
	}
	c.AccessTTL = cmp.Or(c.AccessTTL, time.Hour)
	c.RefreshTTL = cmp.Or(c.RefreshTTL, 30*24*time.Hour)
	c.FamilyTTL = cmp.Or(c.FamilyTTL, max(365*24*time.Hour, c.RefreshTTL))
	c.Audience = cmp.Or(c.Audience, url)
	c.Prefix = cmp.Or(c.Prefix, "authtier")
	c.Base = cmp.Or(c.Base, "/oauth2")
	if c.hasStoredKeys() {
		c.KeySetName = cmp.Or(c.KeySetName, "authtier")
		c.SigningAlg = cmp.Or(c.SigningAlg, "ES256")
		c.MaxTTL = cmp.Or(c.MaxTTL, 24*time.Hour)
	}
	return c
}

var prefixForm = regexp.MustCompile(`^[a-z0-9]+$`)

// check returns everything that is wrong with the configuration of an issuer.
func (cfg *Config) check(url string, db Store) error {
	var errs []error
	if err := checkURL(url); err != nil {
		errs = append(errs, fmt.Errorf("URL %q: %w", url, err))
	}
	if isNil(db) {
		errs = append(errs, errors.New("no store"))
	} else if _, ok := db.(store.Users); cfg.Users == nil && !ok {
		errs = append(errs, errors.New("no Users, and the store has none"))
	}
	if strings.Contains(cfg.Audience, " ") {
		errs = append(errs, fmt.Errorf("audience %q holds a space", cfg.Audience))
	}
	if !prefixForm.MatchString(cfg.Prefix) {
		errs = append(errs, fmt.Errorf("prefix %q: expected lower-case letters and digits", cfg.Prefix))
	}
	if err := form.CheckBase(cfg.Base); err != nil {
		errs = append(errs, fmt.Errorf("the Base: %w", err))
	}
	if c := cfg.BcryptCost; c != 0 && (c < bcrypt.MinCost || c > maxBcryptCost) {
		errs = append(errs, fmt.Errorf("BcryptCost is %d, expected %d to %d", c, bcrypt.MinCost, maxBcryptCost))
	}
	if cfg.Throttle != nil && cfg.AllowUnthrottled {
		errs = append(errs, errors.New("both Throttle and AllowUnthrottled are set, expected one of them"))
	}
	return errors.Join(append(errs, cfg.checkKeys(db), cfg.checkLifetimes())...)
}

// isNil reports whether there is no store, or a nil pointer in place of one.
func isNil(db Store) bool {
	if db == nil {
		return true
	}
	v := reflect.ValueOf(db)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// checkKeys returns what is wrong with how the signing keys are kept.
func (cfg *Config) checkKeys(db Store) error {
	var ways []string
	for name, is := range map[string]bool{
		"KeyFile": cfg.KeyFile != "", "KeyVariable": cfg.KeyVariable != "", "EncryptionKey": cfg.EncryptionKey != nil,
		"Keys": cfg.Keys != nil, "OpaqueTokens": cfg.OpaqueTokens,
	} {
		if is {
			ways = append(ways, name)
		}
	}
	slices.Sort(ways)
	var errs []error
	switch {
	case len(ways) == 0 && !cfg.AllowEphemeralKeys:
		errs = append(errs, errors.New("no signing keys: set KeyFile, KeyVariable or EncryptionKey for stored ones, or Keys; "+
			"OpaqueTokens needs none, and AllowEphemeralKeys accepts one that ends with the process"))
	case len(ways) > 1:
		errs = append(errs, fmt.Errorf("%s are set, expected one of them", strings.Join(ways, " and ")))
	case cfg.Keys != nil && cfg.Keys.now.Load() == nil:
		errs = append(errs, errors.New("the set of Keys has no key: NewKeySet returns a set that has one"))
	}
	if cfg.AllowReadableKeyFile && cfg.KeyFile == "" {
		errs = append(errs, errors.New("AllowReadableKeyFile is set, and KeyFile is not"))
	}
	if cfg.hasStoredKeys() {
		errs = append(errs, cfg.checkStoredKeys(db))
	} else if cfg.KeySetName != "" || cfg.SigningAlg != "" || cfg.MaxTTL != 0 {
		errs = append(errs, errors.New("KeySetName, SigningAlg or MaxTTL is set, and the signing keys are not stored"))
	}
	return errors.Join(errs...)
}

func (cfg *Config) checkStoredKeys(db Store) error {
	var errs []error
	if _, ok := db.(store.SigningKeys); !ok && !isNil(db) {
		errs = append(errs, fmt.Errorf("the store, a %T, is no store.SigningKeys", db))
	}
	if cfg.MaxTTL < time.Second || cfg.MaxTTL > middleware.MaxLifetime {
		errs = append(errs, fmt.Errorf("MaxTTL is %v, expected 1s to %v", cfg.MaxTTL, middleware.MaxLifetime))
	}
	if !slices.Contains(generated, cfg.SigningAlg) {
		errs = append(errs, fmt.Errorf("SigningAlg is %q, expected one of %v", cfg.SigningAlg, generated))
	}
	if cfg.EncryptionKey != nil {
		_, err := newSealer(cfg.EncryptionKey)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (cfg *Config) checkLifetimes() error {
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
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
	if cfg.hasStoredKeys() {
		return cfg.MaxTTL
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
	case cfg.hasStoredKeys():
		return cfg.MaxTTL
	case cfg.OpaqueTokens:
		return cfg.AccessTTL // the store deletes them when they are revoked
	}
	return max(cfg.AccessTTL, usualTTL)
}

// checkURL follows RFC 8414 section 2.
func checkURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return err
	case u.Scheme != "https" && !(u.Scheme == "http" && form.Loopback(u.Hostname())):
		return errors.New("expected an https URL, or http on loopback")
	case u.Host == "" || u.User != nil || strings.ContainsAny(raw, "?#") || strings.HasSuffix(raw, "/"):
		return errors.New("expected a host, and neither user, query, fragment nor a last slash")
	case u.Path != "":
		return form.CheckBase(u.Path) // of the endpoints
	}
	return nil
}
