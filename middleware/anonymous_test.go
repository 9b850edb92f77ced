package middleware_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

func TestAllowAnonymous(t *testing.T) {
	optional := middleware.Bearer(people, &middleware.BearerConfig{AllowAnonymous: true})
	optionalKey := middleware.APIKey(people, &middleware.APIKeyConfig{AllowAnonymous: true})
	optionalBasic := middleware.Basic(people, &middleware.BasicConfig{AllowAnonymous: true})
	query := middleware.Bearer(people, &middleware.BearerConfig{AllowAnonymous: true, QuerySafe: []string{"files"}})
	either := middleware.OneOf(people, middleware.BearerConfig{AllowAnonymous: true}, middleware.APIKeyConfig{AllowAnonymous: true})
	for _, tt := range []struct {
		name    string
		wrapper middleware.Wrapper
		target  string
		lines   []string
		want    string // a code, "user client", or "nobody"
		vary    []string
	}{
		{"no credential", optional, "/", nil, "nobody", []string{"Authorization"}},
		{"an empty header", optional, "/", []string{"Authorization: "}, "nobody", []string{"Authorization"}},
		{"a right one", optional, "/", []string{tokenAda}, "ada app", []string{"Authorization"}},
		{"a wrong one", optional, "/", []string{"Authorization: Bearer junk"}, "AUTH-12", []string{"Authorization"}},
		{"another scheme", optional, "/", []string{"Authorization: Basic YTpi"}, "AUTH-3", []string{"Authorization"}},
		{"two headers", optional, "/", []string{tokenAda, "Authorization: "}, "AUTH-3", []string{"Authorization"}},
		{"no key", optionalKey, "/", nil, "nobody", []string{"X-API-KEY"}},
		{"a key", optionalKey, "/", []string{keyApp}, " app", []string{"X-API-KEY"}},
		{"a wrong key", optionalKey, "/", []string{"X-API-KEY: junk"}, "AUTH-12", []string{"X-API-KEY"}},
		{"no password", optionalBasic, "/", nil, "nobody", []string{"Authorization"}},
		{"no token in the query", query, "/?x=y", nil, "nobody", []string{"Authorization"}},
		{"an empty token in the query", query, "/?access_token=", nil, "AUTH-3", []string{"Authorization"}},
		{"a token in the query", query, "/?access_token=token-app", nil, " app", []string{"Authorization"}},
		{"either: none", either, "/", nil, "nobody", []string{"Authorization", "X-API-KEY"}},
		{"either: a key", either, "/", []string{keyApp}, " app", []string{"Authorization", "X-API-KEY"}},
		{"either: a wrong token beside a key", either, "/", []string{keyApp, "Authorization: Bearer junk"}, "AUTH-12", []string{"Authorization", "X-API-KEY"}},
		{"either: another scheme", either, "/", []string{"Authorization: Digest x"}, "AUTH-3", []string{"Authorization", "X-API-KEY"}},
		{"an identity from outside stays", middleware.Chain(key, optional), "/", []string{keyApp}, " app", []string{"X-API-KEY", "Authorization"}},
		{"and is merged", middleware.Chain(key, optional), "/", []string{keyApp, tokenAda}, "ada app", []string{"X-API-KEY", "Authorization"}},
		{"two that allow it", middleware.Chain(optionalKey, optional), "/", nil, "nobody", []string{"X-API-KEY", "Authorization"}},
	} {
		w := serve(tt.wrapper(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, ok := middleware.IdentityFromContext(r.Context())
			if !ok {
				w.Write([]byte("nobody"))
				return
			}
			w.Write([]byte(id.User + " " + id.Client))
		})), "GET", tt.target, tt.lines...)
		got := w.Body.String()
		if c := code(w); c != "" {
			got = c
		}
		if got != tt.want || !slices.Equal(w.Header().Values("Vary"), tt.vary) {
			t.Errorf("%s: got %q, Vary %v, want %q, %v", tt.name, got, w.Header().Values("Vary"), tt.want, tt.vary)
		}
	}
}

// TestScopeBehindAnonymous tests that Scope requires a credential, even behind a
// wrapper that admits anonymous requests.
func TestScopeBehindAnonymous(t *testing.T) {
	rfc := &errorsx.Writer{Dialect: errorsx.RFC, Realm: "outside"}
	optional := middleware.Bearer(people, &middleware.BearerConfig{AllowAnonymous: true})
	custom := middleware.Bearer(people, &middleware.BearerConfig{AllowAnonymous: true, Header: "X-Token"})
	optionalKey := middleware.APIKey(people, &middleware.APIKeyConfig{AllowAnonymous: true})
	either := middleware.OneOf(people, middleware.BearerConfig{AllowAnonymous: true}, middleware.APIKeyConfig{AllowAnonymous: true})
	scope := middleware.Scope("read")
	for _, tt := range []struct {
		name       string
		wrapper    middleware.Wrapper
		lines      []string
		code       string
		message    string
		challenges []string
	}{
		{"none", middleware.Chain(optional, scope), nil, "AUTH-2", `Missing "Authorization" header`, []string{`Bearer realm="api"`}},
		{"the nearest header", middleware.Chain(optional, custom, scope), nil, "AUTH-2", `Missing "X-Token" header`, []string{`Bearer realm="api"`}},
		{"the nearest scheme", middleware.Chain(optional, optionalKey, scope), nil, "AUTH-2", `Missing "X-API-KEY" header`, []string{`ApiKey realm="api"`}},
		{"the writer", middleware.Chain(middleware.Errors(rfc), optional, scope), nil, "AUTH-2", `Missing "Authorization" header`, []string{`Bearer realm="outside"`}},
		{"the writer of the nearest", middleware.Chain(middleware.Errors(rfc), optional, middleware.Errors(silent), scope), nil, "AUTH-2", `Missing "Authorization" header`, []string{`Bearer realm="outside"`}},
		{"no writer around the nearest", middleware.Chain(optional, middleware.Errors(rfc), scope), nil, "AUTH-2", `Missing "Authorization" header`, []string{`Bearer realm="api"`}},
		{"either", middleware.Chain(either, scope), nil, "AUTH-2", `Missing "Authorization" or "X-API-KEY" header`, []string{`Bearer realm="api"`, `ApiKey realm="api"`}},
		{"a token without the scope", middleware.Chain(optional, scope), []string{"Authorization: Bearer token-app"}, "AUTH-7", "The request needs a scope that its credentials do not have", nil},
		{"a token with it", middleware.Chain(optional, scope), []string{tokenAda}, "", "", nil},
	} {
		w := serve(tt.wrapper(whoami), "GET", "/", tt.lines...)
		if code(w) != tt.code || message(w) != tt.message {
			t.Errorf("%s: got %d %s, want %s %q", tt.name, w.Code, w.Body, tt.code, tt.message)
		}
		if got := w.Header().Values("WWW-Authenticate"); tt.challenges != nil && !slices.Equal(got, tt.challenges) {
			t.Errorf("%s: got challenges %q, want %q", tt.name, got, tt.challenges)
		}
	}
}

// TestUsageBehindAnonymous tests that an anonymous request is not billed to anyone,
// and that AddUsage in its handler is no error.
func TestUsageBehindAnonymous(t *testing.T) {
	for name, cfg := range map[string]middleware.UsageConfig{
		"by request": {}, "by status": {CountStatus: func(int) bool { return true }},
	} {
		m := &tally{}
		optional := middleware.Bearer(people, &middleware.BearerConfig{AllowAnonymous: true})
		h := middleware.Chain(optional, middleware.Usage(m, &cfg))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if err := middleware.AddUsage(r.Context(), 10); err != nil {
				t.Error(err)
			}
		}))
		if w := serve(h, "GET", "/"); w.Code != 200 || m.sum() != 0 {
			t.Errorf("%s, without a credential: got %d and %d uses, want 200 and none", name, w.Code, m.sum())
		}
		if w := serve(h, "GET", "/", tokenAda); w.Code != 200 || m.sum() != 11 {
			t.Errorf("%s, with one: got %d and %d uses, want 200 and 11", name, w.Code, m.sum())
		}
	}
}

func TestAllowAnonymousPanics(t *testing.T) {
	for name, wire := range map[string]func(){
		"RequireUser": func() {
			middleware.Bearer(people, &middleware.BearerConfig{RequireUser: true, AllowAnonymous: true})
		},
		"one way of two": func() {
			middleware.OneOf(people, middleware.BearerConfig{AllowAnonymous: true}, middleware.APIKeyConfig{})
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			wire()
		}()
	}
}
