package middleware_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

func resource(url string) middleware.ResourceConfig {
	return middleware.ResourceConfig{URL: url, AuthorizationServers: []string{"https://id.example"}}
}

// TestResourceMetadata reads the metadata of resources, also with a forged Host.
func TestResourceMetadata(t *testing.T) {
	for url, path := range map[string]string{
		"https://api.example":              "/.well-known/oauth-protected-resource",
		"https://api.example/":             "/.well-known/oauth-protected-resource",
		"https://api.example/mcp":          "/.well-known/oauth-protected-resource/mcp",
		"https://api.example/a/b/":         "/.well-known/oauth-protected-resource/a/b/",
		"http://127.0.0.1:8080/reports%20": "/.well-known/oauth-protected-resource/reports%20",
	} {
		cfg := resource(url)
		cfg.Scopes, cfg.Name, cfg.Documentation = []string{"read", "write"}, "The API", "https://docs.example/"
		mux := http.NewServeMux()
		middleware.ProtectedResource(mux, cfg)

		r, w := httptest.NewRequest("GET", path, nil), httptest.NewRecorder()
		r.Host = "evil.example"
		r.Header.Set("X-Forwarded-Host", "evil.example")
		mux.ServeHTTP(w, r)
		below := httptest.NewRecorder()
		mux.ServeHTTP(below, httptest.NewRequest("GET", strings.TrimSuffix(path, "/")+"/x", nil))
		if below.Code != http.StatusNotFound {
			t.Errorf("%s: below the metadata, got %d", url, below.Code)
		}
		var got map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%s: got %d %s: %v", url, w.Code, w.Body, err)
		}
		want := map[string]any{
			"resource": url, "authorization_servers": []any{"https://id.example"}, "scopes_supported": []any{"read", "write"},
			"bearer_methods_supported": []any{"header"}, "resource_name": "The API", "resource_documentation": "https://docs.example/",
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: got %v %q, want %v", url, got, w.Header(), want)
		}
	}
}

// TestResourceChallenges tests that challenges carry the URL of the route's own metadata,
// and that the writer around the wrapper keeps its other settings.
func TestResourceChallenges(t *testing.T) {
	mux := http.NewServeMux()
	guard := middleware.Chain(middleware.Bearer(placed, nil), middleware.Scope("admin"))
	for _, route := range []string{"a", "b"} {
		mux.Handle("/"+route, middleware.ProtectedResource(mux, resource("https://api.example/"+route))(guard(http.NotFoundHandler())))
	}
	mux.Handle("/c", guard(http.NotFoundHandler()))
	h := middleware.Errors(&errorsx.Writer{Dialect: errorsx.RFC, Realm: "shop"})(mux)
	observed := middleware.Observe(func(*http.Request, middleware.Decision) {})(h)

	for _, tt := range []struct {
		path, token string
		status      int
		metadata    string
	}{
		{"/a", "", 401, "https://api.example/.well-known/oauth-protected-resource/a"},
		{"/a", "bad", 401, "https://api.example/.well-known/oauth-protected-resource/a"},
		{"/a", "good", 403, "https://api.example/.well-known/oauth-protected-resource/a"},
		{"/b", "", 401, "https://api.example/.well-known/oauth-protected-resource/b"},
		{"/c", "", 401, ""},
	} {
		for _, h := range []http.Handler{h, observed, h} {
			r, w := httptest.NewRequest("GET", tt.path, nil), httptest.NewRecorder()
			if tt.token != "" {
				r.Header.Set("Authorization", "Bearer "+tt.token)
			}
			h.ServeHTTP(w, r)
			got := w.Header().Get("Www-Authenticate")
			if w.Code != tt.status || !strings.Contains(got, `realm="shop"`) || strings.Contains(got, "resource_metadata") != (tt.metadata != "") ||
				!strings.Contains(got, tt.metadata) {
				t.Errorf("%s with %q: got %d %q, want %d and %s", tt.path, tt.token, w.Code, got, tt.status, tt.metadata)
			}
		}
	}
}

// TestResourceBehindSeveralWriters uses one wrapper behind two writers in turn.
func TestResourceBehindSeveralWriters(t *testing.T) {
	guarded := middleware.ProtectedResource(http.NewServeMux(), resource("https://api.example"))(middleware.Bearer(placed, nil)(http.NotFoundHandler()))
	for _, realm := range []string{"a", "b", "a"} {
		w := httptest.NewRecorder()
		middleware.Errors(&errorsx.Writer{Realm: realm})(guarded).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if got := w.Header().Get("Www-Authenticate"); !strings.HasPrefix(got, `Bearer realm="`+realm+`", resource_metadata=`) {
			t.Errorf("realm %s: got %q", realm, got)
		}
	}
}

// TestResourceWiring tests mistakes in the description of a resource.
func TestResourceWiring(t *testing.T) {
	good := resource("https://api.example/a")
	change := func(f func(*middleware.ResourceConfig)) middleware.ResourceConfig {
		cfg := good
		f(&cfg)
		return cfg
	}
	for name, tt := range map[string]struct {
		cfg   middleware.ResourceConfig
		wants []string
	}{
		"nothing":       {middleware.ResourceConfig{}, []string{"URL", "no AuthorizationServers"}},
		"plain http":    {resource("http://api.example"), []string{"not https"}},
		"relative":      {resource("/mcp"), []string{"URL"}},
		"a query":       {resource("https://api.example/?x=y"), []string{"query"}},
		"an empty one":  {resource("https://api.example/?"), []string{"query"}},
		"a fragment":    {resource("https://api.example/#x"), []string{"URL"}},
		"a password":    {resource("https://a:b@api.example/"), []string{"URL"}},
		"a quote":       {resource(`https://api.example/"x`), []string{"URL"}},
		"a bad issuer":  {change(func(c *middleware.ResourceConfig) { c.AuthorizationServers = []string{"id.example", ""} }), []string{"AuthorizationServers", `"id.example"`, `""`}},
		"bad scopes":    {change(func(c *middleware.ResourceConfig) { c.Scopes = []string{"a b"} }), []string{`"a b"`}},
		"bad documents": {change(func(c *middleware.ResourceConfig) { c.Documentation = "docs" }), []string{"Documentation"}},
	} {
		func() {
			defer func() {
				p := fmt.Sprint(recover())
				for _, want := range tt.wants {
					if !strings.Contains(p, want) {
						t.Errorf("%s: got %s, want a panic that says %q", name, p, want)
					}
				}
			}()
			middleware.ProtectedResource(http.NewServeMux(), tt.cfg)
		}()
	}
	for name, make := range map[string]func(){
		"nil mux":  func() { middleware.ProtectedResource(nil, good) },
		"nil next": func() { middleware.ProtectedResource(http.NewServeMux(), good)(nil) },
		"twice": func() {
			mux := http.NewServeMux()
			middleware.ProtectedResource(mux, good)
			middleware.ProtectedResource(mux, good)
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			make()
		}()
	}
}
