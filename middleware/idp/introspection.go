package idp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// IntrospectionConfig configures [Introspection].
type IntrospectionConfig struct {
	// ClientID and ClientSecret authenticate this resource server at the endpoint by
	// HTTP Basic (RFC 6749 section 2.3.1). They must be set.
	ClientID     string
	ClientSecret string `json:"-"`

	// Issuer is the issuer that assigned the names of clients and users. It must be
	// set. If the answer has an iss, it must equal Issuer.
	Issuer string

	// Audience lists the accepted audiences. A token must have at least one of them.
	// If empty, the audience is not checked: the endpoint knows which client asks and
	// may decide for it.
	Audience []string

	// UserClaim is the member that holds the user's login. A token without it is a
	// client's own. If empty, UserClaim is "username". Use "sub" for issuers that put
	// the user there; a token whose sub is its client_id still has no user.
	UserClaim string

	// Leeway is the tolerance for the issuer's clock when exp and nbf are compared.
	// It is from 0, the default, to one minute.
	Leeway time.Duration

	// Client sends the requests. Its CheckRedirect is ignored. If nil, a client with
	// the settings of [http.DefaultTransport] is used.
	Client *http.Client `json:"-"`
}

// Format writes cfg without the client's secret, for every verb.
func (cfg IntrospectionConfig) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "introspection by client %q at issuer %q", cfg.ClientID, cfg.Issuer)
}

// LogValue returns cfg without the client's secret.
func (cfg IntrospectionConfig) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(cfg)) }

const introspectionTimeout = 2 * time.Second

// Introspection returns a validator that asks an authorization server's introspection
// endpoint about each token (RFC 7662). The endpoint is an https URL, or an http URL
// on loopback. Put a [middleware.Cache] around the validator, because otherwise every request
// waits for the endpoint. Nothing notifies that cache of revocations, so its TTL must
// be set. A revoked token stays accepted for that long.
//
// The endpoint must answer within two seconds, with status 200 and at most 1 MiB of
// strict JSON. Redirects are not followed. Any other answer is a failure of the
// server (AUTH-8), for example if the endpoint is down or rejects the client's
// secret.
//
// A token is refused with AUTH-12 if it is not active, is of another issuer or
// audience, or is not yet valid. A token that is past its exp is AUTH-11. A token is
// AUTH-9 if its token_type is not Bearer, or if the answer says that it is a refresh
// token or an ID token. The causes of refusals are like those of [JWT].
//
// Introspection returns an error that names every fault: if the endpoint is not
// such a URL, and if a field of cfg is missing or invalid.
func Introspection(endpoint string, cfg IntrospectionConfig) (middleware.Validator, error) {
	errs := []error{remoteURL(endpoint)}
	if cfg.ClientID == "" {
		errs = append(errs, errors.New("no ClientID"))
	}
	if cfg.ClientSecret == "" {
		errs = append(errs, errors.New("no ClientSecret"))
	}
	errs = append(errs, checkTrust(cfg.Issuer, cfg.Audience, cfg.UserClaim, cfg.Leeway))

	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("idp: Introspection: %w", err)
	}

	cfg.UserClaim = cmp.Or(cfg.UserClaim, "username")
	return &introspector{endpoint, cfg, remoteClient(cfg.Client, noRedirect)}, nil
}

type introspector struct {
	endpoint string
	cfg      IntrospectionConfig
	client   *http.Client
}

// Validate implements [middleware.Validator].
func (v *introspector) Validate(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
	if c.Scheme != middleware.SchemeBearer {
		return nil, errorsx.Fault(fmt.Errorf("idp: Introspection: a credential of scheme %s", c.Scheme))
	}

	body, err := v.post(ctx, c.Secret)
	if err != nil {
		return nil, fmt.Errorf("idp: Introspection: %w", err)
	}
	a, err := v.read(body)
	if err != nil {
		return nil, fmt.Errorf("idp: Introspection: the answer: %w", err)
	}
	return v.judge(c.Now(), a)
}

// post returns the endpoint's answer about a token (RFC 7662 section 2.1).
func (v *introspector) post(ctx context.Context, token string) (body []byte, err error) {
	defer errorsx.Recovered("idp: Introspection: the client", &err)
	ctx, cancel := context.WithTimeout(ctx, introspectionTimeout)
	defer cancel()

	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, v.endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}

	// RFC 6749 section 2.3.1 asks for form encoding of both before Basic.
	r.SetBasicAuth(url.QueryEscape(v.cfg.ClientID), url.QueryEscape(v.cfg.ClientSecret))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	return remoteBody(v.client, r)
}

// An introspected is an answer of the endpoint (RFC 7662 section 2.2).
type introspected struct {
	Active value `json:"active"`

	// These members tell other kinds of tokens from access tokens. token_type is
	// registered; some servers add token_use or typ.
	Type textClaim `json:"token_type"`
	Use  textClaim `json:"token_use"`
	Typ  textClaim `json:"typ"`

	claims payload
	active bool
	user   string
	object string
}

var (
	otherUses  = []string{"refresh_token", "refresh", "id_token", "id"}
	otherTypes = []string{"refresh", "offline", "id", "refresh+jwt", "logout"}
)

// read parses an answer. Its errors are faults of the endpoint, not of the token.
func (v *introspector) read(body []byte) (*introspected, error) {
	a := &introspected{}
	if jsontext.Value(body).Kind() != '{' {
		return nil, errors.New("not a JSON object")
	}
	if err := json.Unmarshal(body, a); err != nil {
		return nil, withoutValue(err)
	}

	switch jsontext.Value(a.Active).Kind() {
	case 'f':
		// The answer about an inactive token need not hold more (RFC 7662 section 2.2).
		return a, nil
	case 't':
		a.active = true
	default:
		return nil, errors.New(`the member "active" is missing or no boolean`)
	}

	if err := json.Unmarshal(body, &a.claims); err != nil {
		return nil, withoutValue(err)
	}

	var err error
	if a.user, err = a.claims.userIn(inAnswer, v.cfg.UserClaim, body); err != nil {
		return nil, err
	}
	a.object = strings.TrimSpace(string(body))
	return a, a.check()
}

// check returns an error that names a member with an invalid value.
func (a *introspected) check() error {
	p := &a.claims
	for _, n := range []struct {
		name  string
		claim *textClaim
	}{
		{"iss", &p.Issuer}, {"sub", &p.Subject}, {"jti", &p.ID}, {"client_id", &p.Client},
		{"token_type", &a.Type}, {"token_use", &a.Use}, {"typ", &a.Typ},
	} {
		if !n.claim.names(false) {
			return n.claim.misnamed(inAnswer, n.name)
		}
	}

	switch {
	case p.Scope.wrong() || !middleware.Scopes(p.Scope.s).Valid():
		return p.Scope.fault(inAnswer, "scope", wantScopes)
	case p.Audience.wrong:
		return p.Audience.fault(inAnswer, "aud", wantAudience)
	case p.Expires.wrong:
		return p.Expires.fault(inAnswer, "exp", wantSeconds)
	case p.NotBefore.wrong:
		return p.NotBefore.fault(inAnswer, "nbf", wantSeconds)
	}
	return nil
}

// judge decides on a token by the endpoint's answer.
func (v *introspector) judge(now time.Time, a *introspected) (*middleware.Identity, error) {
	p := &a.claims
	refuse := func(code errorsx.Code, cause error) (*middleware.Identity, error) {
		return nil, &errorsx.Error{Code: code, Client: p.Client.s, Err: cause}
	}

	var expires time.Time
	if p.Expires.present() {
		expires = p.Expires.t.Add(v.cfg.Leeway)
	}

	switch soon := now.Add(v.cfg.Leeway); {
	case !a.active:
		return nil, refused(errorsx.UnknownToken, newFault(inAnswer, "active", words("true"), 'f'))
	case p.Issuer.present() && p.Issuer.s != v.cfg.Issuer:
		return nil, refused(errorsx.UnknownToken, p.Issuer.fault(inAnswer, "iss", anyOf{v.cfg.Issuer}))
	case a.otherType() != nil:
		return refuse(errorsx.WrongTokenType, a.otherType())
	case p.Expires.present() && !now.Before(expires):
		return refuse(errorsx.TokenExpired, p.Expires.fault(inAnswer, "exp", timeAfter(now.Add(-v.cfg.Leeway))))
	case len(v.cfg.Audience) > 0 && !slices.ContainsFunc(p.Audience.list, func(s string) bool { return slices.Contains(v.cfg.Audience, s) }):
		return refuse(errorsx.UnknownToken, p.Audience.fault(inAnswer, "aud", anyOf(v.cfg.Audience)))
	case p.bound(inAnswer) != nil:
		return refuse(errorsx.UnknownToken, p.bound(inAnswer))
	case p.NotBefore.t.After(soon):
		fault := p.NotBefore.fault(inAnswer, "nbf", timeUntil(soon))
		return refuse(errorsx.UnknownToken, &notYetValid{fault, p.NotBefore.t.Add(-v.cfg.Leeway)})
	}

	id := middleware.Identity{
		Issuer:   v.cfg.Issuer,
		Client:   p.Client.s,
		User:     a.user,
		Scopes:   middleware.Scopes(p.Scope.s),
		Methods:  middleware.ByToken,
		TokenID:  p.ID.s,
		Audience: middleware.Audience(strings.Join(p.Audience.list, " ")),
		Expires:  expires,
	}
	id = id.WithClaims(a.object)
	return &id, nil
}

// otherType returns the fault of a token that is not a Bearer access token, or nil.
func (a *introspected) otherType() error {
	switch {
	case a.Type.present() && !strings.EqualFold(a.Type.s, "Bearer"):
		return a.Type.fault(inAnswer, "token_type", words("Bearer"))
	case slices.Contains(otherUses, strings.ToLower(a.Use.s)):
		return a.Use.fault(inAnswer, "token_use", words("the use of an access token"))
	case slices.Contains(otherTypes, mediaType(a.Typ.s)):
		return a.Typ.fault(inAnswer, "typ", words("the type of an access token"))
	}
	return nil
}
