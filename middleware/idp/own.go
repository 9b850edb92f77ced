package idp

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// Own accepts the access tokens of an issuer of this suite that runs in another program.
// issuer is its URL. If no audience is given, it is the issuer's URL, as it is for the
// issuer itself.
//
// Own keeps the issuer's own rule, which is that of RFC 9068: typ is at+jwt, the header
// names a key by its kid and nothing else, aud, client_id, exp, iat, jti and sub are required, and
// there is no tolerance for clocks. The user is username, even if that login equals the
// ID of a client. A token without username is a client's own. The claim scope holds the scopes.
//
// The other program tells this one nothing about revocations. A revoked token is accepted
// until it expires, so choose short lifetimes, or use [OpenIntrospection].
func Own(issuer string, audience ...string) Config {
	if len(audience) == 0 {
		audience = []string{issuer}
	}
	return Config{
		Issuers: []string{issuer}, Audience: audience,
		preset: preset{own: true, faults: missing("Own", "issuer", issuer)},
	}
}

// An OwnIssuer is the program's own issuer, see [Config].Own. An issuer.Issuer is one.
type OwnIssuer interface {
	middleware.Source

	// URL returns the issuer's URL.
	URL() string

	// CheckActive returns nil if the client and the user exist, are not disabled, and
	// were not revoked after the time issued. An empty name is not checked. Its errors
	// mean the same as those of [middleware.Validator]. It must be safe for concurrent
	// use.
	CheckActive(ctx context.Context, client, user string, issued time.Time) error
}

// checkActive asks the own issuer, if there is one, for the client and user of a token.
func (t *trusted) checkActive(ctx context.Context, id *middleware.Identity, issued time.Time) (err error) {
	if t.cfg.Own == nil {
		return nil
	}
	defer errorsx.Recovered("idp: Own", &err)
	return t.cfg.Own.CheckActive(ctx, id.Client, id.User, issued)
}

// ownDefaults sets the fields that the rule of Own decides. It returns an error if the
// program has set one of them.
func (cfg *Config) ownDefaults() error {
	if cfg.Types != nil || cfg.User != "" || cfg.Client != "" || cfg.Scopes != nil || cfg.ClientToken != nil || cfg.Leeway != 0 || cfg.AllowIDTokens {
		return errors.New("an issuer of this suite has a fixed rule: expected no Types, User, Client, Scopes, ClientToken, Leeway and AllowIDTokens")
	}
	cfg.Types, cfg.User, cfg.Scopes, cfg.Leeway = []string{"at+jwt"}, "username", []string{"scope"}, -1
	return nil
}

// checkOwn returns the fault of a token of an issuer of this suite that lacks a claim, or
// has one of another form than the issuer writes.
func (t *trusted) checkOwn(c Claims) error {
	if !t.cfg.preset.own {
		return nil
	}
	for _, claim := range []struct {
		name     string
		required bool
	}{{"sub", true}, {"jti", true}, {"client_id", true}, {"azp", false}, {"username", false}} {
		if err := c.checkName(claim.name, claim.required); err != nil {
			return err
		}
	}

	scope := c.value("scope")
	if aud, ok := c.audience(); !ok || len(aud) == 0 {
		return c.fault("aud", wantAudience)
	}
	if scope != nil && (scope.Kind() != '"' || !middleware.Scopes(unquoted(scope)).Valid()) {
		return c.fault("scope", wantScopes)
	}
	if !c.Has("iat") {
		return c.fault("iat", wantSeconds)
	}
	if c.Has("cnf") {
		return c.fault("cnf", words("none, since such an issuer binds no token to a key"))
	}
	return nil
}

// checkName returns the fault of a claim that is no name: it is empty, has control
// characters, is no string, or is absent although it is required.
func (c Claims) checkName(name string, required bool) error {
	v, present := c.members.get(name)
	switch {
	case !present && !required:
		return nil
	case v.Kind() != '"':
		return c.fault(name, wantString)
	}

	switch s := unquoted(v); {
	case s == "":
		return c.fault(name, wantFilled)
	case strings.ContainsFunc(s, unicode.IsControl):
		return c.fault(name, wantPrinted)
	}
	return nil
}
