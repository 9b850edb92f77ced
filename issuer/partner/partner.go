// Package partner lets clients manage their own tokens and see their own use,
// all under Basic authentication: client ID and secret, or client ID and a live
// access token of that client in the secret's place.
//
//	p, err := partner.New(iss, usage, partner.Config{})
//	mux.Handle("/partner/", p.Handler(p))
//	mux.Handle("GET /reports", middleware.Basic(p, middleware.BasicConfig{})(reports))
package partner

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/internal/form"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// A Reporter reports use. A meter.Meter is one, and so is a [store.Usage].
type Reporter interface {
	Report(ctx context.Context, q store.Query) (rows iter.Seq2[store.Row, error], complete time.Time, err error)
}

// Config configures [Partner]. The zero value is ready to use.
type Config struct {
	// Base is the path of the routes. If empty, it is "/partner".
	Base string

	// Errors answers refused requests. If nil, a zero [errorsx.Writer] does.
	Errors *errorsx.Writer
}

// UsageScope is the scope of a client that sees everyone's use.
const UsageScope = "usage:read"

// Partner is the partner system of one issuer. It is the [middleware.Validator] of its
// credentials. Its methods may be called concurrently.
type Partner struct {
	issuer *issuer.Issuer
	usage  Reporter
	cfg    Config
}

// New returns the partner system of an issuer, with the usage that u reports.
func New(i *issuer.Issuer, u Reporter, cfg Config) (*Partner, error) {
	if cfg.Base == "" {
		cfg.Base = "/partner"
	}
	if i == nil || u == nil {
		return nil, errors.New("partner: New: nil issuer or reporter")
	}
	if err := form.CheckBase(cfg.Base); err != nil {
		return nil, fmt.Errorf("partner: New: %w", err)
	}
	return &Partner{issuer: i, usage: u, cfg: cfg}, nil
}

// Validate implements [middleware.Validator] for Basic credentials. The password is the
// client's secret, or an access token of that client itself: then the identity
// is the token's. A genuine token of the client that is expired or revoked is
// refused as such, anything else with one answer.
func (p *Partner) Validate(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
	if c.Scheme != errorsx.SchemeBasic {
		return nil, errorsx.Fault(fmt.Errorf("partner: a credential of scheme %s", c.Scheme))
	}
	id, err := p.issuer.Validate(ctx, c)
	if err == nil || !errors.Is(err, errorsx.CredentialsIncorrect) {
		return id, err
	}
	username := c.Username
	c.Scheme, c.Username = errorsx.SchemeBearer, ""
	id, err = p.issuer.Validate(ctx, c)
	if err == nil {
		if id.Client != username || id.User != "" {
			return nil, errorsx.CredentialsIncorrect
		}
		both := *id
		both.Methods |= middleware.ByBasic
		return &both, nil
	}
	switch e := errorsx.From(err); {
	case e.Code.Ours():
		return nil, err
	case e.Client == username && (e.Code == errorsx.TokenExpired || e.Code == errorsx.UnknownToken):
		return nil, err
	}
	return nil, errorsx.CredentialsIncorrect
}

// Subscribe implements [middleware.Source].
func (p *Partner) Subscribe(s middleware.Sink) (cancel func()) { return p.issuer.Subscribe(s) }

// Handler serves {Base}/, {Base}/tokens, {Base}/tokens/verify and
// {Base}/usages, behind Basic. v is the Partner itself, or a validator that wraps
// it. Handler panics if it is another one, because identities of others may have no
// client, and a query without a client would report everyone's use.
//
// A browser that has asked for the credentials sends them with requests from other
// sites too. A POST from another site ([http.CrossOriginProtection]) is refused
// with AUTH-3 and status 403, once it is authenticated.
func (p *Partner) Handler(v middleware.Validator) http.Handler {
	if !middleware.Wraps(v, p) {
		panic(fmt.Sprintf("partner: Handler: a %T that does not wrap this Partner", v))
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+p.cfg.Base+"/{$}", p.refusing(p.whoami))
	mux.Handle("POST "+p.cfg.Base+"/tokens", p.refusing(p.mint))
	mux.Handle("POST "+p.cfg.Base+"/tokens/verify", p.refusing(p.verify))
	mux.Handle("GET "+p.cfg.Base+"/usages", p.refusing(p.usages))
	h := middleware.Basic(v, nil)(errorsx.Mux(mux, nil))
	if p.cfg.Errors != nil {
		h = middleware.Errors(p.cfg.Errors)(h)
	}
	return h
}

// crossOrigin trusts no other origin. It passes requests without the headers that
// browsers set.
var crossOrigin = http.NewCrossOriginProtection()

func (p *Partner) refusing(h func(http.ResponseWriter, *http.Request, middleware.Identity) error) http.Handler {
	refuse := func(w http.ResponseWriter, r *http.Request, err error) {
		p.cfg.Errors.Resource(w, r, errorsx.SchemeBasic, err)
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
