// Package partner lets clients manage their own tokens and see their own usage. They
// authenticate with Basic. The username is the client ID, and the password is the
// client's secret or one of its valid access tokens.
//
//	p, err := partner.New(iss, usage, nil)
//	p.Register(mux)
//	mux.Handle("GET /reports", p.Basic()(reports))
package partner

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/internal/form"
	"github.com/authtier/authtier/issuer/internal/hook"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// A Reporter reports usage. A meter.Meter and a [store.Usage] are Reporters.
type Reporter interface {
	Report(ctx context.Context, q store.Query) (*store.Report, error)
}

// Config configures a [Partner]. The zero value is ready to use.
type Config struct {
	// Base is the path of the routes. If empty, it is "/partner".
	Base string
}

// UsageScope is the scope that allows a client to see the usage of all clients of the
// issuer.
const UsageScope = "usage:read"

// Partner is the partner system of one issuer. Its methods are safe for concurrent use.
// They panic if the Partner is nil or does not come from [New].
type Partner struct {
	issuer *issuer.Issuer
	usage  Reporter
	base   string
	basic  middleware.Wrapper
}

// New returns the partner system of an issuer. Its usage reports come from u. cfg may
// be nil. New returns an error that joins everything that is wrong with the arguments.
func New(i *issuer.Issuer, u Reporter, cfg *Config) (*Partner, error) {
	base := "/partner"
	if cfg != nil && cfg.Base != "" {
		base = cfg.Base
	}
	var errs []error
	if err := form.CheckBase(base); err != nil {
		errs = append(errs, fmt.Errorf("the Base %w", err))
	}
	if i == nil || i.URL() == "" {
		errs = append(errs, errors.New("no issuer: it does not come from issuer.Open or issuer.New"))
	}
	if hook.IsNil(u) {
		errs = append(errs, errors.New("no reporter"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("partner: New: %w", err)
	}
	return &Partner{
		issuer: i, usage: u, base: base, basic: middleware.Basic(hook.Guarded(i, validator{i}), nil),
	}, nil
}

// Basic lets a request through only with a client's ID and secret, or with its ID and
// one of its own access tokens. In the second case, the identity has the token's
// scopes. Basic caches and throttles credentials as [issuer.Issuer.Validator] does.
func (p *Partner) Basic() middleware.Wrapper {
	p.mustExist("Basic")
	return p.basic
}

// mustExist panics if p is nil or zero. A program has such a Partner if it ignores the
// error of New.
func (p *Partner) mustExist(method string) {
	if p == nil || p.basic == nil {
		panic("partner: " + method + ": the Partner does not come from New")
	}
}

// A validator validates the Basic credentials of partners.
type validator struct{ issuer *issuer.Issuer }

// Validate implements [middleware.Validator]. It refuses an expired or revoked token of
// the client as such. It refuses anything else with the same error.
func (v validator) Validate(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
	id, err := v.issuer.Validate(ctx, c)
	if err == nil || !errors.Is(err, errorsx.CredentialsIncorrect) {
		return id, err
	}

	// The password is not the client's secret, so it is tried as an access token.
	username := c.Username
	c.Scheme, c.Username = middleware.SchemeBearer, ""
	id, err = v.issuer.Validate(ctx, c)
	if err == nil {
		// Only the client's own tokens count, not those of its users.
		if id.Client != username || id.User != "" {
			return nil, errorsx.CredentialsIncorrect
		}
		return id, nil
	}

	switch e := errorsx.From(err); {
	case e.Code.IsServerError():
		return nil, err
	case e.Client == username && (e.Code == errorsx.TokenExpired || e.Code == errorsx.UnknownToken):
		return nil, err
	}
	return nil, errorsx.CredentialsIncorrect
}

// Subscribe implements [middleware.Source].
func (v validator) Subscribe(s middleware.Sink) (cancel func()) { return v.issuer.Subscribe(s) }

// Register adds {Base}/, {Base}/tokens, {Base}/tokens/verify and {Base}/usages to mux,
// behind Basic, and no other path. Each path is registered once for each method, so
// that it does not conflict with a pattern of the program such as "GET /". A wrong
// method is refused with AUTH-6 and status 405, once the request is authenticated.
//
// A browser that has asked the user for credentials also sends them with requests from
// other sites. A POST from another site ([http.CrossOriginProtection]) is refused with
// AUTH-3 and status 403, once it is authenticated.
//
// Register panics if mux is nil.
func (p *Partner) Register(mux *http.ServeMux) {
	p.mustExist("Register")
	if mux == nil {
		panic("partner: Register: nil ServeMux")
	}
	add := func(method, path string, h func(http.ResponseWriter, *http.Request, middleware.Identity) error) {
		form.RegisterBehind(mux, p.basic, p.base+path, refusing(h), method)
	}
	add(http.MethodGet, "/{$}", p.whoami)
	add(http.MethodPost, "/tokens", p.mint)
	add(http.MethodPost, "/tokens/verify", p.verify)
	add(http.MethodGet, "/usages", p.usages)
}

// crossOrigin trusts no other origin. It accepts requests without the headers that
// browsers set.
var crossOrigin = http.NewCrossOriginProtection()

func refusing(h func(http.ResponseWriter, *http.Request, middleware.Identity) error) http.Handler {
	refuse := func(w http.ResponseWriter, r *http.Request, err error) {
		var inherited *errorsx.Writer
		inherited.Refuse(w, r, string(middleware.SchemeBasic), err)
	}

	return form.Refusing("partner: the store", refuse, func(w http.ResponseWriter, r *http.Request) error {
		if err := crossOrigin.Check(r); err != nil {
			return &errorsx.Error{
				Code: errorsx.CredentialsMalformed, Status: http.StatusForbidden,
				Message: "Invalid \"Origin\" or \"Sec-Fetch-Site\" header: the request comes from another site", Err: err,
			}
		}

		id, _ := middleware.IdentityFromContext(r.Context())
		if id.Client == "" {
			return errorsx.Fault(errors.New("partner: an identity without a client"))
		}
		return h(w, r, id)
	})
}

func (p *Partner) whoami(w http.ResponseWriter, _ *http.Request, id middleware.Identity) error {
	form.WriteJSON(w, http.StatusOK, struct {
		Client string   `json:"client_id"`
		Scopes []string `json:"scopes"`
	}{id.Client, id.Scopes.List()})
	return nil
}
