package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer/internal/form"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// Register adds the issuer's endpoints to mux, and no other path. Below the path of the
// issuer's URL these are {Base}/token, {Base}/introspect, {Base}/revoke and
// /.well-known/jwks.json.
//
// It also adds the metadata that names them: /.well-known/oauth-authorization-server
// before the path of the issuer's URL (RFC 8414 section 3.1), and
// /.well-known/openid-configuration below it (OpenID Connect Discovery 1.0 section 4).
//
// Each path is registered once for each method, so that it does not conflict with a
// pattern of the program such as "GET /". A wrong method is refused with AUTH-6 and
// status 405.
func (i *Issuer) Register(mux *http.ServeMux) {
	i.mustExist("Register")
	if mux == nil {
		panic("issuer: Register: nil ServeMux")
	}
	base := i.path() + i.cfg.Base
	form.Register(mux, base+"/token", i.TokenHandler())
	form.Register(mux, base+"/introspect", i.IntrospectHandler())
	form.Register(mux, base+"/revoke", i.RevokeHandler())
	form.Register(mux, i.path()+keysPath, i.KeysHandler(), http.MethodGet)
	form.Register(mux, metadataPath+i.path(), i.public(i.metadata), http.MethodGet)
	form.Register(mux, i.path()+openIDPath, i.public(i.openIDMetadata), http.MethodGet)
}

// An endpoint authenticates its client (RFC 6749 section 2.3) and then serves the
// request.
type endpoint struct {
	issuer *Issuer
	serve  serveFunc
	params []string // known parameters
	warned *sync.Once
}

type serveFunc func(w http.ResponseWriter, r *http.Request, client *store.Client, params form.Params) error

func newEndpoint(i *Issuer, serve serveFunc, params ...string) http.Handler {
	if !i.cfg.BehindAPIKey {
		params = append(params, "client_id", "client_secret")
	}
	return endpoint{i, serve, params, new(sync.Once)}
}

func (e endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	err := e.answer(w, r)
	if err == nil {
		return
	}
	scheme := middleware.SchemeBasic
	if e.issuer.cfg.BehindAPIKey {
		scheme = middleware.SchemeAPIKey
	}
	var inherited *errorsx.Writer
	inherited.RefuseAtTokenEndpoint(w, r, string(scheme), err)
}

// answer serves a request. The client is authenticated even if the connection is gone,
// because the request may be one that must take effect, such as a revocation.
func (e endpoint) answer(w http.ResponseWriter, r *http.Request) (err error) {
	defer errorsx.Recovered("issuer: the store", &err)
	if e.issuer.closed.Load() {
		return errClosed
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return errorsx.MethodNotAllowed(http.MethodPost)
	}

	body, err := form.ReadBody(w, r)
	if err != nil {
		return err
	}
	params, err := body.Params(e.params...)
	if err != nil {
		return err
	}

	var client *store.Client
	ctx := context.WithoutCancel(r.Context())
	if e.issuer.cfg.BehindAPIKey {
		client, err = e.keyClient(ctx)
	} else {
		client, err = e.issuer.requestClient(ctx, r, params)
	}
	if err != nil {
		return err
	}
	return e.serve(w, r, client, params)
}

// keyClient returns the client of the API key that a wrapper in front has accepted. If
// the key has scopes, the client gets tokens for these only.
//
// A request without an identity either passed a wrapper that allows anonymous requests,
// or there is no wrapper. The two look the same here, and in both the request has no
// key.
func (e endpoint) keyClient(ctx context.Context) (*store.Client, error) {
	i := e.issuer
	key, ok := middleware.IdentityFromContext(ctx)
	switch {
	case !ok:
		e.warned.Do(func() { i.logger().WarnContext(ctx, "authtier: "+errNoKeyInFront.Error(), "issuer", i.url) })
		return nil, missingKey(errNoKeyInFront)
	case !key.Methods.Has(middleware.ByAPIKey):
		// The wrapper in front accepts other credentials besides API keys.
		return nil, missingKey(nil)
	case key.Issuer != i.url:
		return nil, errorsx.Fault(fmt.Errorf("issuer: BehindAPIKey is set, and the API key in front is of the issuer %q", key.Issuer))
	case key.Methods != middleware.ByAPIKey:
		// The scopes of a combined identity are not those of the key.
		return nil, errorsx.Fault(errors.New("issuer: BehindAPIKey is set, and another credential stands in front beside the API key"))
	}

	c, err := i.client(ctx, key.Client, &key)
	if err != nil {
		return nil, err
	}
	if limitsByKey(&key) {
		c.Scopes, c.Default = limitedBy(c.Scopes, &key), limitedBy(c.Default, &key)
	}
	return c, nil
}

var errNoKeyInFront = errors.New("a request without an API key at an endpoint with BehindAPIKey: an APIKey wrapper must stand in front of it")

func missingKey(cause error) error {
	return &errorsx.Error{Code: errorsx.CredentialsMissing, Message: "Missing API key", Err: cause}
}

// requestClient authenticates the client that sent r, by the Authorization header or by
// the body.
func (i *Issuer) requestClient(ctx context.Context, r *http.Request, params form.Params) (*store.Client, error) {
	id, secret := params.Get("client_id"), params.Get("client_secret")
	c, err := middleware.ReadBasic(r, "Authorization")
	switch {
	case err == nil && secret != "":
		return nil, form.Invalid("client_secret", "the client is authenticated by the Authorization header too")
	case err == nil:
		return i.basicClient(ctx, c, id)
	case !errors.Is(err, errorsx.CredentialsMissing):
		return nil, err
	case id != "" && secret != "":
		return i.tryClient(ctx, middleware.Credential{Scheme: middleware.SchemeBasic, Username: id, Secret: secret}.WithRequest(r))
	case id != "":
		return nil, errorsx.CredentialsIncorrect
	case secret != "":
		return nil, form.Missing("client_id")
	}
	return nil, err
}

// basicClient tries the ID and secret as they were sent. If form-decoding changes them,
// it also tries the decoded ones (RFC 6749 section 2.3.1). A client_id in the body must
// name the same client.
func (i *Issuer) basicClient(ctx context.Context, c middleware.Credential, bodyID string) (*store.Client, error) {
	decoded, differs := formDecoded(c)
	if bodyID != "" && bodyID != c.Username && !(differs && bodyID == decoded.Username) {
		return nil, form.Invalid("client_id", "expected the client of the Authorization header")
	}

	readings := []middleware.Credential{c}
	if differs {
		readings = append(readings, decoded)
	}

	client, err := i.tryClient(ctx, readings...)
	if err == nil && bodyID != "" && bodyID != client.ID {
		return nil, form.Invalid("client_id", "expected the client of the Authorization header")
	}
	return client, err
}

// tryClient returns the client that one of the readings of a credential authenticates.
// If none does, that counts as one failure for each client ID.
func (i *Issuer) tryClient(ctx context.Context, readings ...middleware.Credential) (client *store.Client, err error) {
	var attempts [2]*middleware.Attempt // one for each reading
	defer func() {
		for _, a := range slices.Backward(attempts[:]) {
			a.End(err)
		}
	}()

	now := time.Now()
	for n, c := range readings {
		readings[n] = c.At(now)
		// Two readings with the same ID are one attempt.
		if n > 0 && c.Username == readings[0].Username {
			continue
		}
		if attempts[n], err = i.cfg.Throttle.Begin(readings[n]); err != nil {
			return nil, err
		}
	}

	// Only a refusal leads to the next reading. Any other failure says nothing about
	// the credential.
	for _, c := range readings {
		client, _, err = i.authenticateClient(ctx, c)
		if err == nil || unlessRefused(err) != nil {
			return client, err
		}
	}
	return nil, err
}

// formDecoded returns c form-decoded, and reports whether that changes it.
func formDecoded(c middleware.Credential) (middleware.Credential, bool) {
	user, err1 := url.QueryUnescape(c.Username)
	secret, err2 := url.QueryUnescape(c.Secret)
	differs := err1 == nil && err2 == nil && (user != c.Username || secret != c.Secret)
	c.Username, c.Secret = user, secret
	return c, differs
}
