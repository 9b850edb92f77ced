package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/authtier/authtier/errorsx"
	mw "github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// HTTPConfig configures the issuer's handlers. The zero value is ready to use.
type HTTPConfig struct {
	// Base is the path before /token, /introspect and /revoke. If empty, it is
	// "/oauth2".
	Base string

	// AllowPassword turns on the password grant, which RFC 9700 section 2.4
	// forbids: the application sees the password.
	AllowPassword bool

	// Errors answers refused requests. If nil, a zero [errorsx.Writer] does.
	Errors *errorsx.Writer
}

func (cfg HTTPConfig) path(name string) string {
	base := cfg.Base
	if base == "" {
		base = "/oauth2"
	}
	return base + "/" + name
}

// Handler serves the five endpoints at their paths: {Base}/token, /introspect
// and /revoke, and /.well-known/oauth-authorization-server and jwks.json.
func (i *Issuer) Handler(cfg HTTPConfig) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(cfg.path("token"), i.TokenHandler(cfg))
	mux.Handle(cfg.path("introspect"), i.IntrospectHandler(cfg))
	mux.Handle(cfg.path("revoke"), i.RevokeHandler(cfg))
	mux.Handle("GET "+metadataPath(i.cfg.Issuer), i.MetadataHandler(cfg))
	mux.Handle("GET "+keysPath, i.KeysHandler())
	return errorsx.Mux(mux, cfg.Errors)
}

// An endpoint is one of those that authenticate clients by RFC 6749 section
// 2.3.
type endpoint struct {
	issuer *Issuer
	cfg    HTTPConfig
	params []string // beside those of the client
	serve  func(w http.ResponseWriter, r *http.Request, client *store.Client, params map[string]string) error
}

func (e endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key, byKey := e.apiKey(r.Context())
	err := e.answer(w, r, key)
	if err == nil {
		return
	}
	scheme := errorsx.Basic
	if byKey {
		scheme = errorsx.APIKey
	}
	e.cfg.Errors.TokenEndpoint(w, r, scheme, err)
}

func (e endpoint) answer(w http.ResponseWriter, r *http.Request, key string) error {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return &errorsx.Error{
			Code: errorsx.InvalidParameter, Status: http.StatusMethodNotAllowed,
			Message: "Method not allowed, expected one of POST",
		}
	}
	known := e.params
	if key == "" {
		known = append([]string{"client_id", "client_secret"}, known...)
	}
	params, err := ReadParams(w, r, known...)
	if err != nil {
		return err
	}
	var client *store.Client
	if key != "" {
		client, err = e.issuer.client(r.Context(), key)
	} else {
		client, err = e.issuer.requestClient(r, params)
	}
	if err != nil {
		return err
	}
	return e.serve(w, r, client, params)
}

// apiKey returns the client of the API key that the endpoint stands behind.
func (e endpoint) apiKey(ctx context.Context) (client string, ok bool) {
	id, ok := mw.IdentityFromContext(ctx)
	if !ok || id.Issuer != e.issuer.cfg.Issuer || !id.Methods.Has(mw.ByAPIKey) {
		return "", false
	}
	return id.Client, true
}

// requestClient authenticates the client that sends r, by the Authorization
// header or in the body.
func (i *Issuer) requestClient(r *http.Request, params map[string]string) (*store.Client, error) {
	id, secret := params["client_id"], params["client_secret"]
	c, err := mw.ReadBasic(r.Header, "Authorization")
	switch {
	case err == nil && secret != "":
		return nil, invalid("%q parameter: the client is authenticated by the Authorization header too", "client_secret")
	case err == nil:
		return i.basicClient(r.Context(), c, id)
	case !errors.Is(err, errorsx.CredentialsMissing):
		return nil, err
	case id != "" && secret != "":
		client, _, err := i.authenticateClient(r.Context(), mw.Credential{Scheme: mw.SchemeBasic, Username: id, Secret: secret})
		return client, err
	case id != "":
		return nil, errorsx.CredentialsIncorrect
	case secret != "":
		return nil, missing("client_id")
	}
	return nil, err
}

// basicClient tries ID and secret as they were sent and, if that differs, as
// RFC 6749 section 2.3.1 has them, form-encoded. An ID in the body must be the
// same.
func (i *Issuer) basicClient(ctx context.Context, c mw.Credential, bodyID string) (*store.Client, error) {
	decoded, differs := formDecoded(c)
	if bodyID != "" && bodyID != c.Username && !(differs && bodyID == decoded.Username) {
		return nil, invalid("%q parameter: expected the client of the Authorization header", "client_id")
	}
	client, _, err := i.authenticateClient(ctx, c)
	if err != nil && differs && unlessRefused(err) == nil {
		client, _, err = i.authenticateClient(ctx, decoded)
	}
	if err == nil && bodyID != "" && bodyID != client.ID {
		return nil, invalid("%q parameter: expected the client of the Authorization header", "client_id")
	}
	return client, err
}

func formDecoded(c mw.Credential) (mw.Credential, bool) {
	user, err1 := url.QueryUnescape(c.Username)
	secret, err2 := url.QueryUnescape(c.Secret)
	differs := err1 == nil && err2 == nil && (user != c.Username || secret != c.Secret)
	c.Username, c.Secret = user, secret
	return c, differs
}

// writeSecret answers with JSON that nobody may keep.
func writeSecret(w http.ResponseWriter, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	json.NewEncoder(w).Encode(v) // a client that went away is not our failure
}

const keysPath = "/.well-known/jwks.json"

// metadataPath puts the well-known name between host and path (RFC 8414 section
// 3.1).
func metadataPath(issuer string) string {
	_, rest, _ := strings.Cut(issuer, "://")
	_, path, found := strings.Cut(rest, "/")
	if found {
		path = "/" + path
	}
	return "/.well-known/oauth-authorization-server" + path
}
