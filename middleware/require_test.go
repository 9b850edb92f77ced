package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

type check = func(*http.Request, middleware.Identity) error

func failing(err error) check { return func(*http.Request, middleware.Identity) error { return err } }

// answer serves a request with an identity and returns what was answered.
func answer(t *testing.T, w middleware.Wrapper, id middleware.Identity, ew *errorsx.Writer) (*httptest.ResponseRecorder, middleware.Decision) {
	t.Helper()
	var d middleware.Decision
	h := middleware.Chain(
		middleware.Observe(func(_ *http.Request, seen middleware.Decision) { d = seen }), middleware.Errors(ew),
		func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(w, r.WithContext(middleware.WithIdentity(r.Context(), id)))
			})
		}, w,
	)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	return rec, d
}

// TestRequire tests what the errors of checks become, in both dialects.
func TestRequire(t *testing.T) {
	boom := errors.New("the owner is another")
	for name, tt := range map[string]struct {
		checks    []check
		status    int
		code      string
		message   string // in the body
		challenge bool
	}{
		"admitted":                   {[]check{failing(nil), failing(nil)}, 204, "", "", false},
		"no refusal":                 {[]check{failing(boom)}, 403, "AUTH-7", `"The request is not permitted"`, false},
		"forbidden":                  {[]check{failing(errorsx.Forbidden("Only the owner"))}, 403, "AUTH-7", `"Only the owner"`, false},
		"all that is missing":        {[]check{failing(errorsx.Forbidden("A")), failing(nil), failing(errorsx.Forbidden("B")), failing(boom), failing(errorsx.Forbidden("A"))}, 403, "AUTH-7", `"A; B"`, false},
		"joined in one check":        {[]check{failing(errors.Join(errorsx.Forbidden("A"), boom, errorsx.Forbidden("B")))}, 403, "AUTH-7", `"A; B"`, false},
		"a wrapped one":              {[]check{failing(wrapped{errorsx.Forbidden("A")})}, 403, "AUTH-7", `"A"`, false},
		"the code alone":             {[]check{failing(errorsx.ScopeNotAuthorized)}, 403, "AUTH-7", `"The request is not permitted"`, false},
		"another refusal":            {[]check{failing(errorsx.Forbidden("A")), failing(errorsx.CredentialsIncorrect)}, 401, "AUTH-1", "", true},
		"a failure of the server":    {[]check{failing(errorsx.Forbidden("A")), failing(errorsx.Fault(boom))}, 500, "AUTH-8", "", false},
		"a failure behind a refusal": {[]check{failing(errors.Join(errorsx.Forbidden("A"), errorsx.Fault(boom)))}, 500, "AUTH-8", "", false},
		"too late":                   {[]check{failing(fmt.Errorf("asking: %w", context.DeadlineExceeded))}, 500, "AUTH-8", "", false},
		"nil among others":           {[]check{failing(errors.Join((*errorsx.Error)(nil), errorsx.Forbidden("A")))}, 500, "AUTH-8", "", false},
		"a quota":                    {[]check{failing(errorsx.TooManyRequests)}, 429, "AUTH-13", "", true},
		"a nil pointer for an error": {[]check{failing((*errorsx.Error)(nil))}, 500, "AUTH-8", "", false},
		"a panic":                    {[]check{func(*http.Request, middleware.Identity) error { panic("boom") }}, 500, "AUTH-8", "", false},
	} {
		for _, dialect := range []errorsx.Dialect{errorsx.Table, errorsx.RFC} {
			w, d := answer(t, middleware.Require(tt.checks...), middleware.Identity{Client: "app", Issuer: "i"}, &errorsx.Writer{Dialect: dialect, Log: slog.New(slog.DiscardHandler)})
			body := w.Body.String()
			if w.Code != tt.status && (tt.status != 500 || w.Code != 503) || !strings.Contains(body, tt.code) || !strings.Contains(body, tt.message) || (w.Header().Get("Www-Authenticate") != "") != tt.challenge {
				t.Errorf("%s: got %d %s %q", name, w.Code, body, w.Header())
			}
			if tt.code == "AUTH-7" && (d.Refusal.Client != "app" || d.Cause() == nil) {
				t.Errorf("%s: observed %+v", name, d.Refusal)
			}
			if strings.Contains(body, boom.Error()) {
				t.Errorf("%s: the client reads the cause: %s", name, body)
			}
		}
	}
}

type wrapped struct{ err error }

func (w wrapped) Error() string { return "wrapped" }
func (w wrapped) Unwrap() error { return w.err }

// TestRequireSeesTheRequest tests that a check gets the request of the route and the
// identity, and that neither can be changed by it.
func TestRequireSeesTheRequest(t *testing.T) {
	mux := http.NewServeMux()
	owner := middleware.Require(func(r *http.Request, id middleware.Identity) error {
		if id.User != r.PathValue("user") {
			return errorsx.Forbidden("Only the owner may read this")
		}
		id.User = "root"
		return nil
	})
	mux.Handle("GET /users/{user}", owner(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := middleware.IdentityFromContext(r.Context())
		w.Write([]byte(id.User))
	})))
	for path, want := range map[string]int{"/users/ada": 200, "/users/eve": 403} {
		r, w := httptest.NewRequest("GET", path, nil), httptest.NewRecorder()
		mux.ServeHTTP(w, r.WithContext(middleware.WithIdentity(r.Context(), middleware.Identity{Client: "app", User: "ada"})))
		if w.Code != want || want == 200 && w.Body.String() != "ada" {
			t.Errorf("%s: got %d %s", path, w.Code, w.Body)
		}
	}
}

// TestRequireNeedsAnIdentity tests requests that nobody has authenticated.
func TestRequireNeedsAnIdentity(t *testing.T) {
	called := false
	require := middleware.Require(func(*http.Request, middleware.Identity) error { called = true; return nil })
	validator := middleware.APIKeyFunc(func(context.Context, [32]byte) (string, error) { return "", errorsx.CredentialsIncorrect })
	for name, tt := range map[string]struct {
		w      middleware.Wrapper
		status int
		header string
	}{
		"no wrapper": {middleware.Chain(middleware.Errors(&errorsx.Writer{Log: slog.New(slog.DiscardHandler)}), require), 500, ""},
		"anonymous":  {middleware.Chain(middleware.APIKey(validator, &middleware.APIKeyConfig{AllowAnonymous: true, Header: "X-My-Key"}), require), 401, `ApiKey realm="api"`},
	} {
		w := httptest.NewRecorder()
		tt.w(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Code != tt.status && (tt.status != 500 || w.Code != 503) || w.Header().Get("Www-Authenticate") != tt.header || called {
			t.Errorf("%s: got %d %s %q, called: %t", name, w.Code, w.Body, w.Header(), called)
		}
	}
}

// TestRequireWiring tests mistakes in wiring.
func TestRequireWiring(t *testing.T) {
	for name, make := range map[string]func(){
		"nothing":   func() { middleware.Require() },
		"nil check": func() { middleware.Require(failing(nil), nil) },
		"nil next":  func() { middleware.Require(failing(nil))(nil) },
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

// TestClaimsFromContext decodes the claims of an identity.
func TestClaimsFromContext(t *testing.T) {
	type claims struct {
		Email  string   `json:"email"`
		Groups []string `json:"groups"`
	}
	with := func(text string) (claims, error) {
		id := middleware.Identity{Client: "app"}.WithClaims(text)
		return middleware.ClaimsFromContext[claims](middleware.WithIdentity(t.Context(), id))
	}
	if c, err := with(`{"email":"a@b","groups":["x"],"other":1}`); err != nil || c.Email != "a@b" || len(c.Groups) != 1 {
		t.Errorf("got %+v, %v", c, err)
	}
	if c, err := with(`{"email":"a@b","groups":7}`); err == nil || c.Email != "" || !strings.Contains(err.Error(), "groups") {
		t.Errorf("a claim that does not fit: got %+v, %v", c, err)
	}
	if c, err := with(""); err == nil {
		t.Errorf("no claims: got %+v", c)
	}
	if c, err := middleware.ClaimsFromContext[claims](t.Context()); err == nil {
		t.Errorf("no identity: got %+v", c)
	}
	if m, err := middleware.ClaimsFromContext[map[string]any](middleware.WithIdentity(t.Context(), middleware.Identity{Client: "app"}.WithClaims(`{"a":1}`))); err != nil || m["a"] != 1.0 {
		t.Errorf("a map: got %v, %v", m, err)
	}
}
