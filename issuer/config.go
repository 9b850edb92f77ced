package issuer

import (
	"cmp"
	"fmt"
	"log/slog"
	"time"

	"github.com/authtier/authtier/middleware/idp"
	"github.com/authtier/authtier/middleware/throttle"
	"github.com/authtier/authtier/store"
)

// Config configures an [Issuer], for [Open] and for [New]. It must say how the keys
// that sign access tokens are kept, by one of KeyFile, KeyVariable, EncryptionKey,
// Keys, AllowEphemeralKeys and OpaqueTokens. With the first three, signing keys are
// stored encrypted and can be rotated, and all issuers on the store share them.
type Config struct {
	// KeyFile is the name of a file that holds 32 bytes in base64. They encrypt the
	// stored signing keys. If the file does not exist and the store has no signing key
	// yet, the file is created with mode 0600. Keep a copy: without it the store's keys
	// are lost. All nodes need the same file.
	//
	// A file that others can write is an error. A file that others can read is an error
	// too, unless AllowReadableKeyFile is set.
	KeyFile              string
	AllowReadableKeyFile bool

	// KeyVariable is the name of an environment variable that holds the same 32 bytes
	// in base64, in place of a file.
	KeyVariable string

	// EncryptionKey is these 32 bytes themselves. 32 equal bytes are an error, because
	// they are probably a buffer that was never filled.
	EncryptionKey []byte `json:"-"`

	// KeySetName is the name of the stored signing keys in the store. If empty, it is
	// "authtier".
	//
	// SigningAlg is the algorithm of new stored keys: ES256, EdDSA, RS256 or HS256. If
	// empty, it is ES256.
	KeySetName, SigningAlg string

	// MaxTTL is the longest lifetime of a token that stored signing keys sign. A key
	// that no longer signs verifies for that much longer. If 0, it is 24 hours. All
	// nodes must have the same value.
	MaxTTL time.Duration

	// Keys are fixed signing keys, from [NewKeySet].
	//
	// Issuers with separate stores that share Keys must differ in URL or Audience.
	// Otherwise each accepts the other's tokens, including revoked ones, because an
	// issuer does not learn of revocations in another store.
	Keys *KeySet

	// AllowEphemeralKeys lets the issuer start without any of these keys. It then
	// generates an ES256 key of its own. The key and the tokens that it signs end with
	// the process, and no other node accepts these tokens. It is for tests and
	// demonstrations.
	AllowEphemeralKeys bool

	// OpaqueTokens makes access tokens opaque instead of signed. Opaque tokens are
	// shorter and clients cannot read them, but each is a record in the store. Signed
	// tokens are then refused.
	OpaqueTokens bool

	// Base is the path of /token, /introspect and /revoke, below the path of the
	// issuer's URL. If empty, it is "/oauth2".
	Base string

	// AllowPassword turns on the password grant. RFC 9700 section 2.4 forbids this
	// grant, because the application sees the password.
	AllowPassword bool

	// BehindAPIKey makes the client of the API key the client of the token,
	// introspection and revocation endpoints. They then accept no other client
	// authentication. A [middleware.APIKey] wrapper with keys of this issuer must be in
	// front.
	//
	// A request without a key is refused with AUTH-2. Without the wrapper this happens
	// to every request, and each endpoint logs one warning that says so.
	//
	// A key with scopes limits its client to tokens with these scopes. A key without
	// scopes does not limit the client, so make sure that the list is not empty by
	// mistake ([Issuer.CreateAPIKey]).
	//
	// If BehindAPIKey is false, the endpoints ignore the identity that a wrapper in
	// front has established, and a client needs its secret.
	BehindAPIKey bool

	// Users finds the users. If nil, it is the store, which must then implement
	// [store.Users].
	//
	// Users from another table need no versions, but the issuer does not learn when
	// they change. Call [Issuer.RevokeUser] after a user is deleted, disabled or given
	// a new password; otherwise the user's tokens stay valid. For the same reason a
	// [middleware.Cache] around [Issuer.Passwords] needs an explicit TTL.
	//
	// The Login of a record is the one spelling of the name, for every spelling that is
	// looked up. A table that finds ada for ADA must return the login ada. With two
	// spellings, RevokeUser of one would leave the tokens of the other.
	//
	// A missing user must be [store.ErrNotFound]. Any other error, such as
	// sql.ErrNoRows, is an internal failure (AUTH-4), and its status would tell which
	// logins exist.
	Users store.Users

	// Audience is the aud claim of the tokens, and the only audience accepted. If
	// empty, it is the issuer's URL. Issuers that share a Store must differ in it,
	// because the records of refresh tokens and opaque access tokens do not name the
	// issuer.
	Audience string

	// Prefix begins every generated token, API key and client secret. It has at most 64
	// lower-case letters and digits. If empty, it is "authtier". The issuer recognizes
	// its tokens by it: after a change, all earlier refresh tokens and opaque access
	// tokens are refused (AUTH-12).
	Prefix string

	// AccessTTL and RefreshTTL are the lifetimes of tokens, in whole seconds. If 0,
	// they are an hour and 30 days. Rotation gives the new refresh token a full
	// RefreshTTL, but never beyond the end of the family.
	//
	// FamilyTTL is the lifetime of a family of refresh tokens. If 0, it is a year, or
	// RefreshTTL if that is longer.
	AccessTTL, RefreshTTL, FamilyTTL time.Duration

	// Throttle slows down guessing of client secrets and user passwords at the
	// endpoints. If nil, the issuer creates a throttle that trusts no proxies.
	// AllowUnthrottled turns that off; it is an error to set both.
	Throttle         *throttle.Throttle
	AllowUnthrottled bool

	// BcryptCost is the highest cost of bcrypt hashes that were imported from another
	// system. If 0, there are none. Each failed login then takes as long as a hash of
	// this cost, so that response times do not reveal which users have such hashes.
	BcryptCost int

	// AllowRefreshReuse turns rotation off. A refresh token then works until it
	// expires, and the use of a stolen one is not detected.
	AllowRefreshReuse bool

	// AllowRefreshGrace is how long after its first use a refresh token may be used
	// again by its client: a millisecond to a minute, or 0 for no grace. Each such use
	// returns another pair of tokens of the same family. A use after the grace ends the
	// family.
	//
	// It is for clients that lost the answer to a refresh, or that refresh in several
	// tabs at once. A thief that is as fast gets a pair too, and is not detected.
	AllowRefreshGrace time.Duration

	// AllowStale accepts tokens even if the store could not be read for half a minute.
	// Tokens that other nodes revoke in that time stay valid until the store answers
	// again. It applies only while the issuer follows the store, which an issuer from
	// [New] does in Run. It applies to the cache of [Issuer.Validator] too.
	AllowStale bool

	// Log receives warnings and errors, such as those of a store that cannot be read.
	// If nil, it is [slog.Default].
	Log *slog.Logger
}

// Format writes cfg without its encryption key, for every verb.
func (cfg Config) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "issuer configuration of the audience %q, key file %q, key variable %q", cfg.Audience, cfg.KeyFile, cfg.KeyVariable)
}

// LogValue returns cfg without its encryption key.
func (cfg Config) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(cfg)) }

// hasStoredKeys reports whether the signing keys are in the store.
func (cfg *Config) hasStoredKeys() bool {
	return cfg.KeyFile != "" || cfg.KeyVariable != "" || cfg.EncryptionKey != nil
}

// withDefaults returns a copy of cfg with its zero values replaced. cfg may be nil.
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

// maxRefreshGrace is long enough for a client to notice a lost answer. A grace under
// minRefreshGrace is probably a number without a unit, which means nanoseconds.
const (
	minRefreshGrace = time.Millisecond
	maxRefreshGrace = time.Minute
)

// maxTTL returns the longest lifetime that an access token may have.
func (cfg *Config) maxTTL() time.Duration {
	if cfg.hasStoredKeys() {
		return cfg.MaxTTL
	}
	return idp.MaxLifetime
}

// usualTTL is the longest lifetime of an access token, unless this configuration or a
// grant asks for more. The partner system mints no token that lives longer.
const usualTTL = 24 * time.Hour

// longestTTL returns the longest lifetime of access tokens that a node with this
// configuration makes, as far as it is known in advance. A grant may still ask for
// more.
func (cfg *Config) longestTTL() time.Duration {
	switch {
	case cfg.hasStoredKeys():
		return cfg.MaxTTL
	case cfg.OpaqueTokens:
		return cfg.AccessTTL // the store deletes revoked tokens
	}
	return max(cfg.AccessTTL, usualTTL)
}
