package middleware

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/authtier/authtier/errorsx"
)

// ResourceConfig describes a protected resource for its clients (RFC 9728 section 2). URL
// and AuthorizationServers must be set.
type ResourceConfig struct {
	// URL identifies the resource: the URL at which clients call it, without query and
	// fragment. It is https, or http on loopback.
	URL string

	// AuthorizationServers are the issuers whose tokens the resource accepts.
	AuthorizationServers []string

	// Scopes are the scopes that a client may need, or nil.
	Scopes []string

	// Name and Documentation are for people: what the resource is called, and the URL of
	// a page about it.
	Name, Documentation string
}

// ProtectedResource publishes the metadata of a resource, from which a client that knows
// only the resource's URL learns where to get a token (RFC 9728). It adds the metadata to
// mux, at /.well-known/oauth-protected-resource followed by the path of the resource. The
// wrapper that it returns puts the URL of the metadata into the challenges of a 401 and
// of an insufficient scope:
//
//	reports := middleware.ProtectedResource(mux, middleware.ResourceConfig{
//		URL: "https://api.example.com/reports", AuthorizationServers: []string{"https://id.example.com"},
//	})
//	mux.Handle("GET /reports", reports(middleware.Bearer(auth, nil)(handler)))
//
// The wrapper belongs outside of the wrappers that refuse and inside of [Errors], whose
// other settings it keeps. Each route whose URL is a resource of its own needs its own
// wrapper, because clients compare the resource with the URL that they have called. The
// metadata needs no credential, so it must be in an open tier. All of it comes from the
// configuration and nothing from a request.
//
// ProtectedResource panics if mux is nil, if mux has the path already, and if a field of
// cfg is missing or invalid.
func ProtectedResource(mux *http.ServeMux, cfg ResourceConfig) Wrapper {
	err := cfg.check()
	if mux == nil {
		err = errors.Join(errors.New("nil ServeMux"), err)
	}
	mustWire("ProtectedResource", err)

	path, metadataURL := cfg.place()
	pattern := "GET " + path
	if strings.HasSuffix(path, "/") {
		pattern += "{$}" // and not everything below
	}
	mux.Handle(pattern, cfg.metadata())

	derived := &derivedWriter{metadata: metadataURL}
	return func(next http.Handler) http.Handler {
		notNil("ProtectedResource", next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, r := join(r)
			before := s.around.Load()
			s.around.Store(derived.from(before))
			defer s.around.Store(before)
			next.ServeHTTP(w, r)
		})
	}
}

// check returns an error that names every fault.
func (cfg *ResourceConfig) check() error {
	errs := []error{checkPublicURL("URL", cfg.URL)}
	if u, err := url.Parse(cfg.URL); err == nil && (u.RawQuery != "" || strings.Contains(cfg.URL, "?")) {
		errs = append(errs, errors.New("the URL has a query"))
	}
	if len(cfg.AuthorizationServers) == 0 {
		errs = append(errs, errors.New("no AuthorizationServers"))
	}
	for _, issuer := range cfg.AuthorizationServers {
		errs = append(errs, checkPublicURL("AuthorizationServers", issuer))
	}
	if cfg.Documentation != "" {
		errs = append(errs, checkPublicURL("Documentation", cfg.Documentation))
	}
	for _, scope := range cfg.Scopes {
		if !validScope(scope) {
			errs = append(errs, fmt.Errorf("Scopes: %q is not a scope", scope))
		}
	}
	return errors.Join(errs...)
}

// checkPublicURL returns an error unless raw is a URL that clients may be sent to: https,
// or http on loopback, and spelled as a challenge quotes it.
func checkPublicURL(field, raw string) error {
	if err := (&errorsx.Writer{ResourceMetadata: raw}).Check(); raw == "" || err != nil {
		return fmt.Errorf("%s: %q is not an absolute URL without user information and fragment", field, raw)
	}
	u, _ := url.Parse(raw) // Check has parsed it
	if host := u.Hostname(); u.Scheme != "https" && host != "localhost" && host != "127.0.0.1" && host != "::1" {
		return fmt.Errorf("%s: %q is not https (http only on loopback)", field, raw)
	}
	return nil
}

// place returns the path and the URL of the metadata (RFC 9728 section 3.1).
func (cfg *ResourceConfig) place() (path, metadataURL string) {
	u, _ := url.Parse(cfg.URL) // check has parsed it
	path = "/.well-known/oauth-protected-resource"
	if u.EscapedPath() != "/" {
		path += u.EscapedPath()
	}
	return path, u.Scheme + "://" + u.Host + path
}

// metadata returns a handler of the metadata. Any site may read it, for clients that run
// in a browser.
func (cfg *ResourceConfig) metadata() http.Handler {
	body, _ := json.Marshal(struct { // strings always encode
		Resource      string   `json:"resource"`
		Servers       []string `json:"authorization_servers"`
		Scopes        []string `json:"scopes_supported,omitempty"`
		Methods       []string `json:"bearer_methods_supported"`
		Name          string   `json:"resource_name,omitempty"`
		Documentation string   `json:"resource_documentation,omitempty"`
	}{cfg.URL, cfg.AuthorizationServers, cfg.Scopes, []string{"header"}, cfg.Name, cfg.Documentation})

	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "public, max-age=300")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Access-Control-Allow-Origin", "*")
		w.Write(body) // an error means that the client has gone
	})
}

// A derivedWriter makes surroundings whose writer sends the URL of the metadata.
type derivedWriter struct {
	metadata string
	last     atomic.Pointer[derivedFrom]
}

type derivedFrom struct{ before, inside *surroundings }

// from returns the surroundings inside of the wrapper. before may be nil. The result for
// the last surroundings is remembered, because without Observe they are the same for all
// requests.
func (d *derivedWriter) from(before *surroundings) *surroundings {
	if last := d.last.Load(); last != nil && last.before == before {
		return last.inside
	}

	var inside surroundings
	if before != nil {
		inside = *before
	}
	var writer errorsx.Writer
	if inside.writer != nil {
		writer = *inside.writer
	}
	writer.ResourceMetadata = d.metadata
	inside.writer = &writer

	if inside.observation == nil {
		d.last.Store(&derivedFrom{before, &inside})
	}
	return &inside
}
