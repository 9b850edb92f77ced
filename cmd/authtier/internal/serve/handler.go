package serve

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer/session"
	"github.com/authtier/authtier/middleware"
)

// The product that each accepted request for /me counts.
const (
	usageProduct = "me"
	usageLabel   = "identity checks at /me"
)

// tiers returns the paths that are served. Each system guards its own routes. The tiers
// are the labels of the metrics, and refuse paths with two readings.
func tiers(issuer string) (middleware.TierTable, error) {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil, err
	}
	table := middleware.TierTable{}
	for _, prefix := range []string{
		u.Path + "/oauth2/", u.Path + "/.well-known/", "/.well-known/",
		"/api/", "/partner/", "/me/", "/healthz/", "/readyz/",
	} {
		table[prefix] = middleware.Unguarded
	}
	return table, table.Check()
}

// handler returns the handler of all paths.
func (t *site) handler() (http.Handler, error) {
	table, err := tiers(t.Issuer)
	if err != nil {
		return nil, err
	}
	me, err := t.me()
	if err != nil {
		return nil, err
	}

	mux := http.NewServeMux()
	t.iss.Register(mux)
	mux.Handle("GET /me", me)
	mux.HandleFunc("GET /healthz", t.health.alive)
	mux.HandleFunc("GET /readyz", t.health.ready)
	mount(mux, "/api", middleware.Errors(t.writer(session.Dialect))(t.sessionRoutes()))
	mount(mux, "/partner", middleware.Errors(t.writer(errorsx.Table))(t.partnerRoutes()))

	wrappers, err := t.wrappers()
	if err != nil {
		return nil, err
	}
	return middleware.Chain(append(wrappers, middleware.Tiers(table, nil))...)(errorsx.Mux(mux)), nil
}

// mount serves h below a path, and refuses the path itself. The mux would redirect it.
func mount(mux *http.ServeMux, path string, h http.Handler) {
	mux.Handle(path+"/", h)
	mux.Handle(path, errorsx.Mux(http.NewServeMux()))
}

// wrappers returns the wrappers around all routes.
func (t *site) wrappers() ([]middleware.Wrapper, error) {
	var all []middleware.Wrapper
	if t.metrics != nil {
		observe, err := observe(t.metrics)
		if err != nil {
			return nil, err
		}
		all = append(all, observe)
	}
	if len(t.proxies) > 0 {
		all = append(all, middleware.Proxy(&middleware.ProxyConfig{Trusted: t.proxies}))
	}
	all = append(all, middleware.Errors(t.writer(errorsx.RFC)))
	if t.proxied() {
		all = append(all, t.onlyProxies)
	}
	return all, nil
}

func (t *site) writer(d errorsx.Dialect) *errorsx.Writer {
	return &errorsx.Writer{Dialect: d, Log: t.log}
}

// onlyProxies refuses clients that bypass the proxy and would send their credentials over
// plain HTTP. Health checks carry no credentials.
func (t *site) onlyProxies(next http.Handler) http.Handler {
	var refuse *errorsx.Writer
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" || r.URL.Path == "/readyz" || t.fromProxy(r.RemoteAddr) {
			next.ServeHTTP(w, r)
			return
		}
		refuse.Refuse(w, r, "", errorsx.Forbidden("This server answers only its proxy"))
	})
}

// fromProxy reports whether a connection comes from a trusted proxy or from this machine.
func (t *site) fromProxy(remote string) bool {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	a := peer.Addr().Unmap().WithZone("")
	return a.IsLoopback() || slices.ContainsFunc(t.proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// sessionRoutes returns the routes of the session system.
func (t *site) sessionRoutes() http.Handler {
	mux := http.NewServeMux()
	t.sessions.Register(mux)
	mux.Handle("GET /api/me", t.sessions.Bearer()(http.HandlerFunc(identity)))
	return errorsx.Mux(mux)
}

// partnerRoutes returns the routes of the partner system. Paths that it does not have
// need a credential too.
func (t *site) partnerRoutes() http.Handler {
	mux := http.NewServeMux()
	t.partners.Register(mux)
	mux.Handle("/partner/", t.partners.Basic()(errorsx.Mux(http.NewServeMux())))
	return errorsx.Mux(mux)
}

// me returns the handler of /me. A refused credential is always 401: auth_request of nginx
// passes on only 401 and 403.
func (t *site) me() (http.Handler, error) {
	auth, err := validator(t.iss, t.verifier)
	if err != nil {
		return nil, err
	}
	product, err := t.usage.Product(backend.UsageAPI, usageProduct, usageLabel)
	if err != nil {
		return nil, err
	}
	return middleware.Chain(
		middleware.Errors(t.writer(session.Dialect)),
		middleware.OneOf(auth, middleware.BearerConfig{}, middleware.APIKeyConfig{}),
		t.countOwn(middleware.Usage(product, nil)),
	)(http.HandlerFunc(identity)), nil
}

// countOwn counts the requests of this issuer's clients. Usage is billed to them. Other
// issuers' clients have no bill here, and some of their tokens name no client at all.
func (t *site) countOwn(usage middleware.Wrapper) middleware.Wrapper {
	return func(next http.Handler) http.Handler {
		counted := usage(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, _ := middleware.IdentityFromContext(r.Context())
			if id.Issuer == t.iss.URL() && id.Client != "" {
				counted.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// identity answers with the identity of the request.
func identity(w http.ResponseWriter, r *http.Request) {
	id, _ := middleware.IdentityFromContext(r.Context())
	text, err := json.Marshal(struct {
		Client string            `json:"client_id"`
		User   string            `json:"user"`
		Scope  middleware.Scopes `json:"scope"`
		Issuer string            `json:"issuer"`
	}{id.Client, id.User, id.Scopes, id.Issuer})
	if err != nil {
		var refuse *errorsx.Writer
		refuse.Refuse(w, r, "", err)
		return
	}
	setIdentity(w.Header(), id)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(append(text, '\n'))
}

// setIdentity sets the headers that a proxy passes on to an application. auth_request of
// nginx cannot read the body of an answer.
func setIdentity(h http.Header, id middleware.Identity) {
	for _, f := range []struct{ name, value string }{
		{"Authtier-Client", id.Client},
		{"Authtier-User", id.User},
		{"Authtier-Scope", string(id.Scopes)},
		{"Authtier-Issuer", id.Issuer},
	} {
		// A header cannot hold a control character, which names of other issuers may have.
		if f.value != "" && !strings.ContainsFunc(f.value, unicode.IsControl) {
			h.Set(f.name, f.value)
		}
	}
}
