package idp

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/internal/wiring"
)

// Config selects the tokens of one issuer that [Open] or [OpenIntrospection] accepts, and
// gives the meaning of their claims. The functions of this package that are named after a provider return one.
type Config struct {
	// Issuers are the exact spellings of iss that this issuer uses. Open reads the metadata
	// of the first. Each may have a {tenant} or {tenantid} as one whole path segment; see
	// Tenants. [middleware.Identity].Issuer is the first; if a template matches, it is the
	// token's own iss, and with Own the URL of that issuer.
	Issuers []string

	// JWKSURL is the URL of the key set (RFC 7517 section 5). If empty, it is found in
	// the issuer's metadata, or no set is fetched if Keys is set.
	JWKSURL string

	// Keys, such as those of [StaticKeys] or [FromKeyfunc], verify tokens instead of a
	// fetched set. Those of StaticKeys verify beside it if JWKSURL is set too.
	Keys Keys

	// Own is the program's own issuer, if its API keys and tokens of the provider come on
	// one request. The identity is then one of Own, with no name of the provider. Map must
	// set Client to a client of Own; it may set User to a login of Own, and Scopes. The
	// scopes are those that Map sets, even if the client or user of Own has fewer. A token is
	// AUTH-12 if that client or user does not exist, is disabled, or was revoked after the
	// token was issued.
	Own OwnIssuer

	// Audience lists the accepted audiences. A token with aud must have one of them.
	Audience []string

	// Clients lists clients. A token without aud is accepted only from one of them. If
	// Audience is set too, a token with aud must fit both. Audience or Clients must be
	// set.
	Clients []string

	// Types lists the accepted values of the header member typ, without regard to case
	// and to a leading "application/". The empty type stands for a token without typ. If
	// nil, they are at+jwt, JWT and the empty type. A token that is marked as a
	// refresh or logout token is AUTH-9 whatever Types says, and so is an ID token without
	// AllowIDTokens.
	Types []string

	// Tenants lists the tenants that a template in Issuers stands for. TenantClaim must
	// equal the tenant; if empty, it is "tid". AllowAnyTenant accepts every tenant. Those
	// of [Entra] must be GUIDs, whose letters are compared without regard to case.
	Tenants        []string
	TenantClaim    string
	AllowAnyTenant bool

	// User and Client are the claims that name the user and the client. If User is
	// empty, it is "sub", unless the provider's function says otherwise. If Client is empty, the client is client_id, azp, cid or
	// appid; all that a token has must be equal. A name that begins with a slash is a
	// JSON Pointer.
	User, Client string

	// Scopes are the claims whose union is the token's scopes. If nil, they are those that
	// the provider's function names, or else scope and scp. These two are split at blanks.
	// A string in any other claim is one scope. Lists are read element by element, and of
	// an object the members that are not false, null or empty. An element that is no scope
	// token (RFC 6749 section 3.3) is dropped.
	Scopes []string

	// ClientToken, if not nil, reports whether a token is a client's own and has no user.
	// A token whose sub is its client is one in any case, and so is one that the preset
	// recognizes. It must not depend on a claim that users can set, and must be safe for
	// concurrent use.
	ClientToken func(Claims) bool

	// Map, if not nil, changes the identity by its claims. It may set Client, User and
	// Scopes; all other fields are restored after it. An error refuses the token, with
	// AUTH-12 unless it is a refusal of its own. Map must depend on the claims alone,
	// because its result is cached, and must be safe for concurrent use.
	Map func(*middleware.Identity, Claims) error

	// Leeway is the tolerance for the issuer's clock when nbf and iat are compared. If 0,
	// it is 30 seconds, and if negative there is none. At most five minutes. exp is
	// exact.
	Leeway time.Duration

	// MaxLifetime is the longest time from iat to exp. For a signed token without iat it
	// is the longest time from now to exp. If 0, it is [MaxLifetime].
	MaxLifetime time.Duration

	// HTTPClient fetches the metadata and the key set, and asks an introspection endpoint.
	// If nil, a client with the settings of [http.DefaultTransport] is used. Its
	// CheckRedirect is ignored.
	HTTPClient *http.Client

	// AllowEmptyStart makes Open return before the first fetch. Every token of the issuer
	// is AUTH-8 until a fetch succeeds.
	AllowEmptyStart bool

	// AllowHTTP allows http for the hosts that Issuers, JWKSURL and the Endpoint of an
	// [IntrospectionConfig] name with http. On loopback http is always allowed.
	AllowHTTP bool

	// AllowIDTokens accepts the issuer's ID tokens. They are made for an application and
	// tell that a person has logged in there, not what an API may do.
	AllowIDTokens bool

	// Refresh is the time between fetches of the key set, and MaxStale the time for which
	// a set is used if it cannot be fetched again. If 0, they are five minutes, and a day or
	// Refresh if that is longer.
	Refresh, MaxStale time.Duration

	// Log receives failed fetches and skipped keys. If nil, it is [slog.Default].
	Log *slog.Logger

	preset preset

	// anyAudience accepts any audience. Only introspection sets it.
	anyAudience bool
}

// MaxLifetime is the longest time from iat to exp that a token may have, unless
// [Config].MaxLifetime is set.
const MaxLifetime = 366 * 24 * time.Hour

// A preset holds the conditions of a provider that a program cannot remove.
type preset struct {
	// own holds the rules of [Own].
	own bool

	// kind is the claim in which the provider names the kind of a token, and kinds are
	// the accepted ones.
	kind  string
	kinds []string

	// machine reports whether a token is a client's own.
	machine func(Claims) bool

	// refuse returns the fault of a token that the provider gives to strangers, or nil.
	refuse func(c Claims, client string) error

	// accessMarks are claims of which every access token has at least one. A token with
	// none of them is an ID token.
	accessMarks []string

	// scopes are the claims for scopes unless the program sets Scopes.
	scopes []string

	// absent maps one of scopes to another. The first is read only in a token without the
	// second.
	absent map[string]string

	// guids requires that Tenants are GUIDs.
	guids bool

	// noUser gives no token a user unless the program sets User.
	noUser bool

	// userHint says which of the provider's settings adds a missing user.
	userHint string

	// faults are the faults in the arguments of the provider's function.
	faults []error
}

const (
	defaultLeeway = 30 * time.Second
	maxLeeway     = 5 * time.Minute
)

// withDefaults returns cfg with its default values.
func (cfg Config) withDefaults() Config {
	if cfg.preset.own {
		cfg.preset.faults = slices.Concat(cfg.preset.faults, []error{cfg.ownDefaults()})
	}
	cfg.TenantClaim = cmp.Or(cfg.TenantClaim, "tid")
	cfg.MaxLifetime = cmp.Or(cfg.MaxLifetime, MaxLifetime)
	cfg.Refresh = cmp.Or(cfg.Refresh, defaultRefresh)
	cfg.MaxStale = cmp.Or(cfg.MaxStale, max(defaultMaxStale, cfg.Refresh))
	if cfg.Types == nil {
		cfg.Types = []string{"at+jwt", "JWT", ""}
	}
	switch {
	case cfg.Scopes != nil:
		// A program that lists a claim wants it read in any case.
		cfg.preset.absent = nil
	case cfg.preset.scopes != nil:
		cfg.Scopes = cfg.preset.scopes
	default:
		cfg.Scopes = []string{"scope", "scp"}
	}
	if cfg.preset.guids {
		cfg.Tenants = lower(cfg.Tenants)
	}
	if cfg.User == "" && !cfg.preset.noUser {
		cfg.User = "sub"
	}
	switch {
	case cfg.Leeway == 0:
		cfg.Leeway = defaultLeeway
	case cfg.Leeway < 0:
		cfg.Leeway = 0
	}
	return cfg
}

// check returns an error that names every fault of a Config with its defaults.
func (cfg *Config) check() error {
	errs := slices.Clone(cfg.preset.faults)
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	if len(cfg.Issuers) == 0 {
		fault("no Issuers")
	}
	for _, iss := range cfg.Issuers {
		errs = append(errs, cfg.checkIssuer(iss))
	}
	if len(cfg.Audience) == 0 && len(cfg.Clients) == 0 && !cfg.anyAudience {
		fault("neither Audience nor Clients: a token could be for anybody's API")
	}
	for name, list := range map[string][]string{"Audience": cfg.Audience, "Clients": cfg.Clients, "Tenants": cfg.Tenants} {
		for _, s := range list {
			if s == "" || strings.ContainsFunc(s, unicode.IsSpace) {
				fault("%s holds %q, expected no empty value and no blank", name, s)
			}
		}
	}

	errs = append(errs, cfg.checkGUIDs(), cfg.checkOwnIssuer())
	if cfg.Keys != nil && wiring.IsNil(cfg.Keys) {
		fault("the Keys are a nil %T", cfg.Keys)
	}
	if _, static := cfg.Keys.(staticKeys); cfg.Keys != nil && !static && cfg.JWKSURL != "" {
		fault("both Keys and JWKSURL are set, expected one of them: only StaticKeys can stand beside a fetched set")
	}
	if cfg.JWKSURL != "" {
		if err := cfg.checkURL(cfg.JWKSURL); err != nil {
			fault("the JWKSURL: %w", err)
		}
	}

	if cfg.Leeway > maxLeeway {
		fault("the Leeway is %v, expected at most %v", cfg.Leeway, maxLeeway)
	}
	if cfg.MaxLifetime < time.Second {
		fault("the MaxLifetime is %v, expected at least 1s: a number without a unit is nanoseconds", cfg.MaxLifetime)
	}
	if cfg.Refresh < time.Second {
		fault("the Refresh is %v, expected at least 1s: a number without a unit is nanoseconds", cfg.Refresh)
	}
	if cfg.MaxStale < cfg.Refresh {
		fault("the MaxStale is %v, expected at least the Refresh, %v", cfg.MaxStale, cfg.Refresh)
	}
	return errors.Join(errs...)
}

// checkIssuer returns what is wrong with one of the Issuers.
func (cfg *Config) checkIssuer(iss string) error {
	if iss == "" {
		return errors.New("the Issuers hold an empty one")
	}
	before, after, isTemplate := cutTenant(iss)
	switch {
	case strings.ContainsAny(before+after, "{}"):
		return fmt.Errorf("the issuer %q has a brace, expected at most one segment {tenant} or {tenantid}", iss)
	case isTemplate && len(cfg.Tenants) == 0 && !cfg.AllowAnyTenant:
		return fmt.Errorf("the issuer %q is a template: set Tenants, or AllowAnyTenant", iss)
	case isTemplate && len(cfg.Tenants) > 0 && cfg.AllowAnyTenant:
		return errors.New("both Tenants and AllowAnyTenant are set, expected one of them")
	}
	return nil
}

// checkOwnIssuer returns what is wrong with Own.
func (cfg *Config) checkOwnIssuer() error {
	switch {
	case cfg.Own == nil:
		return nil
	case wiring.IsNil(cfg.Own):
		return fmt.Errorf("the Own is a nil %T", cfg.Own)
	case cfg.Own.URL() == "":
		return errors.New("the issuer in Own has no URL, as if it did not come from Open or New")
	case cfg.Map == nil:
		return errors.New("the issuer in Own needs a Map: nothing says which of its clients a client of the provider is")
	}
	return nil
}
