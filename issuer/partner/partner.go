// Package partner lets clients manage their own tokens and see their own use,
// all under Basic authentication: client ID and secret, or client ID and a live
// access token of that client in the secret's place.
//
//	p, err := partner.New(iss, usage, partner.Config{})
//	mux.Handle("/partner/", p.Handler())
//	mux.Handle("GET /reports", middleware.Basic(p, middleware.BasicConfig{})(reports))
package partner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	mw "github.com/authtier/authtier/middleware"
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

// Partner is the partner system of one issuer. It is the [mw.Validator] of its
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
	switch {
	case i == nil || u == nil:
		return nil, errors.New("partner: New: nil issuer or reporter")
	case !strings.HasPrefix(cfg.Base, "/") || strings.HasSuffix(cfg.Base, "/"):
		return nil, fmt.Errorf("partner: New: Base %q: expected a slash at the beginning and none at the end", cfg.Base)
	}
	return &Partner{issuer: i, usage: u, cfg: cfg}, nil
}

// Validate implements [mw.Validator] for Basic credentials. The password is the
// client's secret, or an access token of that client itself: then the identity
// is the token's. A genuine token of the client that is expired or revoked is
// refused as such, anything else with one answer.
func (p *Partner) Validate(ctx context.Context, c mw.Credential) (*mw.Identity, error) {
	if c.Scheme != mw.SchemeBasic {
		return nil, fmt.Errorf("partner: Validate: scheme %v, expected basic", c.Scheme)
	}
	id, err := p.issuer.Validate(ctx, c)
	if err == nil || !errors.Is(err, errorsx.CredentialsIncorrect) {
		return id, err
	}
	username := c.Username
	c.Scheme, c.Username = mw.SchemeBearer, ""
	id, err = p.issuer.Validate(ctx, c)
	if err == nil {
		if id.Client != username || id.User != "" {
			return nil, errorsx.CredentialsIncorrect
		}
		both := *id
		both.Methods |= mw.ByBasic
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

// Handler serves {Base}/, {Base}/tokens, {Base}/tokens/verify and
// {Base}/usages. Whoever is not authenticated learns nothing of other paths.
func (p *Partner) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+p.cfg.Base+"/{$}", p.refusing(p.whoami))
	mux.Handle("POST "+p.cfg.Base+"/tokens", p.refusing(p.mint))
	mux.Handle("POST "+p.cfg.Base+"/tokens/verify", p.refusing(p.verify))
	mux.Handle("GET "+p.cfg.Base+"/usages", p.refusing(p.usages))
	return mw.Basic(p, mw.BasicConfig{Errors: p.cfg.Errors})(errorsx.Mux(mux, p.cfg.Errors))
}

func (p *Partner) refusing(h func(http.ResponseWriter, *http.Request, mw.Identity) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := mw.IdentityFromContext(r.Context())
		if err := h(w, r, id); err != nil {
			p.cfg.Errors.Resource(w, r, errorsx.Basic, err)
		}
	})
}

func (p *Partner) whoami(w http.ResponseWriter, _ *http.Request, id mw.Identity) error {
	scopes := id.Scopes.List()
	if scopes == nil {
		scopes = []string{}
	}
	writeJSON(w, http.StatusOK, struct {
		Client string   `json:"client_id"`
		Scopes []string `json:"scopes"`
	}{id.Client, scopes})
	return nil
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // a client that went away is not our failure
}
