package issuer

import (
	"context"
	"net/http"
	"sync"

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
