package middleware

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
)

// IntrospectionConfig configures [Introspection].
type IntrospectionConfig struct {
	// ClientID and ClientSecret authenticate this resource server at the
	// endpoint, as HTTP Basic (RFC 6749 section 2.3.1). They must be set.
	ClientID     string
	ClientSecret string `json:"-"`

	// Issuer is whose names client and user are. It must be set; an iss in the
	// answer must equal it.
	Issuer string

	// Audience are the audiences accepted: the token must have one of them. If
	// empty, the endpoint's word is enough: it knows which client asks.
	Audience []string

	// UserClaim is the member that holds the user's login; a token without it is
	// a client's. If empty, it is "username". Issuers of user tokens alone put
	// the user into "sub".
	UserClaim string

	// Leeway is allowed on exp and nbf for the issuer's clock, at most a minute.
	// If 0, there is none.
	Leeway time.Duration

	// Client asks the endpoint. Its CheckRedirect is not used. If nil, it is a
	// client with the settings of [http.DefaultTransport].
	Client *http.Client `json:"-"`
}

// Format writes cfg without the client's secret, whatever the verb.
func (cfg IntrospectionConfig) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "introspection by client %q at issuer %q", cfg.ClientID, cfg.Issuer)
}

// LogValue returns cfg without the client's secret.
func (cfg IntrospectionConfig) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(cfg)) }

const introspectionTimeout = 2 * time.Second

// Introspection returns a validator that asks the endpoint of an authorization
// server what a token is worth (RFC 7662). The endpoint is https, or http on
// loopback. Put a [Cache] around it: every token is a question otherwise, and
// how long the cache remembers an answer (one minute, unless told otherwise) is
// how long a revoked token is still accepted.
//
// The endpoint has two seconds to answer, with status 200 and at most 1 MiB of
// strict JSON; redirects are not followed. Anything else, such as a server that
// is down or does not accept the client's secret, is AUTH-8 and never the
// token's fault.
//
// A token that is not active is AUTH-12, and so is one of another issuer or
// audience, or not yet valid. One that is past its exp is AUTH-11. One whose
// token_type is not Bearer, or that is said to be a refresh or ID token, is
// AUTH-9. The causes of refusals are like those of [JWT].
func Introspection(endpoint string, cfg IntrospectionConfig) (Validator, error) {
	errs := []error{remoteURL(endpoint)}
	if cfg.ClientID == "" || cfg.ClientSecret == "" {
		errs = append(errs, errors.New("no ClientID, or no ClientSecret"))
	}
	if cfg.Issuer == "" {
		errs = append(errs, errors.New("no Issuer"))
	}
	if slices.Contains(cfg.Audience, "") {
		errs = append(errs, errors.New("an empty Audience"))
	}
	if cfg.Leeway < 0 || cfg.Leeway > time.Minute {
		errs = append(errs, fmt.Errorf("leeway %v, expected 0 to 1m", cfg.Leeway))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("middleware: Introspection: %w", err)
	}
	cfg.UserClaim = cmp.Or(cfg.UserClaim, "username")
	return &introspector{endpoint, cfg, remoteClient(cfg.Client, noRedirect)}, nil
}

type introspector struct {
	endpoint string
	cfg      IntrospectionConfig
	client   *http.Client
}

// Validate implements [Validator].
func (v *introspector) Validate(ctx context.Context, c Credential) (*Identity, error) {
	if c.Scheme != errorsx.SchemeBearer {
		return nil, errorsx.Fault(fmt.Errorf("middleware: Introspection: a credential of scheme %s", c.Scheme))
	}
	body, err := v.ask(ctx, c.Secret)
	if err != nil {
		return nil, fmt.Errorf("middleware: Introspection: %w", err)
	}
	a, err := v.read(body)
	if err != nil {
		return nil, fmt.Errorf("middleware: Introspection: the answer: %w", err)
	}
	return v.judge(c.Now(), a)
}

// ask returns what the endpoint says about a token (RFC 7662 section 2.1).
func (v *introspector) ask(ctx context.Context, token string) (body []byte, err error) {
	defer errorsx.Recovered("middleware: Introspection: the client", &err)
	ctx, cancel := context.WithTimeout(ctx, introspectionTimeout)
	defer cancel()
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, v.endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.SetBasicAuth(url.QueryEscape(v.cfg.ClientID), url.QueryEscape(v.cfg.ClientSecret))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	return remoteBody(v.client, r)
}

// An introspected is what an endpoint tells (RFC 7662 section 2.2).
type introspected struct {
	Active value `json:"active"`

	// What tells other tokens from access tokens: token_type is registered,
	// token_use and typ are what some servers add.
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

// read reads an answer. What is wrong with it is the endpoint's fault.
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

// check returns an error that names a member which does not fit.
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
	case p.Scope.wrong() || !Scopes(p.Scope.s).Valid():
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

// judge decides on the answer of the endpoint.
func (v *introspector) judge(now time.Time, a *introspected) (*Identity, error) {
	p := &a.claims
	refuse := func(code errorsx.Code, cause error) (*Identity, error) {
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
	case p.NotBefore.t.After(soon):
		fault := p.NotBefore.fault(inAnswer, "nbf", timeUntil(soon))
		return refuse(errorsx.UnknownToken, &notYetValid{fault, p.NotBefore.t.Add(-v.cfg.Leeway)})
	}
	return &Identity{
		Issuer:   v.cfg.Issuer,
		Client:   p.Client.s,
		User:     a.user,
		Scopes:   Scopes(p.Scope.s),
		Methods:  ByToken,
		TokenID:  p.ID.s,
		Audience: Scopes(strings.Join(p.Audience.list, " ")),
		Expires:  expires,
		claims:   a.object,
	}, nil
}

// otherType returns the fault of a token that is no access token for Bearer, or
// nil.
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
