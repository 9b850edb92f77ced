package idp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// An Introspector validates tokens by asking an authorization server's introspection
// endpoint about each of them (RFC 7662). Use [OpenIntrospection]: the zero value accepts
// no token. Its methods are safe for concurrent use.
type Introspector struct {
	issuer       *trusted
	endpoint     string
	timeout      time.Duration
	client       *http.Client
	authenticate authenticator
}

// OpenIntrospection returns a validator of the tokens that an authorization server
// describes at its introspection endpoint. cfg says what the members of an answer mean,
// as it does for the claims of a signed token, and may come from the function for a
// provider if that function does not set JWKSURL. ask says how the endpoint is asked. ctx
// bounds only the opening.
//
// OpenIntrospection returns an error that names every fault of cfg and ask. JWKSURL,
// Keys, Types, AllowEmptyStart, Refresh and MaxStale of cfg must not be set, because
// introspection does not use them. It also returns an error if the endpoint cannot be
// found.
//
// Put a [middleware.Cache] around the validator; otherwise every request waits for the
// endpoint. The provider's revocations do not reach that cache, so its TTL must be set. A
// token that the provider has revoked stays admitted for that long. Revocations of
// [Config].Own do reach it.
func OpenIntrospection(ctx context.Context, cfg Config, ask IntrospectionConfig) (*Introspector, error) {
	unused := unusedFields(&cfg)
	cfg.anyAudience = ask.AllowAnyAudience
	t := newTrusted(cfg)

	errs := []error{unused, t.cfg.check(), ask.check(&t.cfg)}
	if ctx == nil {
		errs = append(errs, errors.New("nil Context"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("idp: OpenIntrospection: %w", err)
	}

	endpoint := ask.Endpoint
	if endpoint == "" {
		var err error
		if endpoint, err = t.cfg.discover(ctx, introspectionURL); err != nil {
			return nil, fmt.Errorf("idp: OpenIntrospection: issuer %q: %w", t.cfg.Issuers[0], err)
		}
	}

	return &Introspector{
		issuer: t, endpoint: endpoint, timeout: cmp.Or(ask.Timeout, introspectionTimeout),
		client: remoteClient(t.cfg.HTTPClient, noRedirect), authenticate: ask.authenticator(),
	}, nil
}

// unusedFields returns an error that names the fields that are set and that introspection
// does not use.
func unusedFields(cfg *Config) error {
	var set []string
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"JWKSURL", cfg.JWKSURL != ""},
		{"Keys", cfg.Keys != nil},
		{"Types", cfg.Types != nil},
		{"AllowEmptyStart", cfg.AllowEmptyStart},
		{"Refresh", cfg.Refresh != 0},
		{"MaxStale", cfg.MaxStale != 0},
	} {
		if f.set {
			set = append(set, f.name)
		}
	}
	if set == nil {
		return nil
	}
	return fmt.Errorf("introspection does not use %s: expected no value", strings.Join(set, ", "))
}

// Subscribe implements [middleware.Source]: s learns of revocations of [Config].Own, if it
// is set. Nothing tells of the provider's own revocations.
func (v *Introspector) Subscribe(s middleware.Sink) (cancel func()) {
	if v.issuer != nil && v.issuer.cfg.Own != nil {
		return v.issuer.cfg.Own.Subscribe(s)
	}
	s.FreshUntil(time.Now().Add(forever))
	return func() {}
}

// Partial implements [middleware.PartialSource]. It returns true, so that a cache needs a
// TTL.
func (v *Introspector) Partial() bool { return true }

// Validate implements [middleware.Validator].
//
// The rules for claims are those of a [Verifier]. The first fault decides: AUTH-12 for a
// token that is not active or is of another issuer, AUTH-9 for one that is no access
// token, AUTH-11 after exp, and AUTH-12 for any other. A token with the token_type DPoP
// is AUTH-12, and one with cnf is for wrappers with ConfirmKey alone, as for a Verifier.
// Members that are null count as absent.
//
// An answer may lack iss, unless an issuer is a template, and may lack exp; an exp of 0
// counts as absent. Without exp the identity expires a minute after the credential's
// time, so that a cache asks again by then.
//
// The endpoint must answer in time, with status 200 and at most 1 MiB of strict JSON in
// which active is a boolean. Redirects are not followed. Any other answer is a failure of
// the server (AUTH-8), for example if the endpoint is down or rejects the client's secret.
func (v *Introspector) Validate(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
	switch {
	case v.issuer == nil:
		return nil, errorsx.Fault(errors.New("idp: an Introspector that OpenIntrospection did not make"))
	case c.Scheme != middleware.SchemeBearer:
		return nil, errorsx.Fault(fmt.Errorf("idp: introspection: a credential of scheme %s", c.Scheme))
	}

	body, err := v.post(ctx, c.Secret)
	if err != nil {
		return nil, fmt.Errorf("idp: introspection: %w", err)
	}
	answer, active, err := readAnswer(body)
	if err != nil {
		return nil, fmt.Errorf("idp: introspection: the answer: %w", err)
	}

	if !active {
		return nil, refused(errorsx.UnknownToken, answer.fault("active", words("true")))
	}
	return v.issuer.judgeAnswer(ctx, c.Now(), answer, strings.TrimSpace(string(body)))
}

// post returns the endpoint's answer about a token (RFC 7662 section 2.1).
func (v *Introspector) post(ctx context.Context, token string) (body []byte, err error) {
	defer errorsx.Recovered("idp: introspection: the HTTPClient or BearerToken", &err)
	ctx, cancel := context.WithTimeout(ctx, v.timeout)
	defer cancel()

	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}}
	if err := v.authenticate(ctx, form, header); err != nil {
		return nil, err
	}

	r, err := http.NewRequestWithContext(ctx, http.MethodPost, v.endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header = header
	return remoteBody(v.client, r)
}
