package middleware_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

func TestCheck(t *testing.T) {
	both := middleware.Chain(key, bearer, middleware.Scope("read"))
	for _, tt := range []struct {
		name    string
		wrapper middleware.Wrapper
		lines   [][2]string
		want    errorsx.Code
		user    string
	}{
		{"right", both, [][2]string{{"X-Api-Key", "key-app"}, {"Authorization", "Bearer token-ada"}}, 0, "ada"},
		{"no key", both, [][2]string{{"Authorization", "Bearer token-ada"}}, errorsx.CredentialsMissing, ""},
		{"another client's key", both, [][2]string{{"X-Api-Key", "key-other"}, {"Authorization", "Bearer token-ada"}}, errorsx.CredentialsIncorrect, ""},
		{"no scope", both, [][2]string{{"X-Api-Key", "key-app"}, {"Authorization", "Bearer token-app"}}, errorsx.ScopeNotAuthorized, ""},
		{"anonymous", middleware.Bearer(people, &middleware.BearerConfig{AllowAnonymous: true}), nil, 0, ""},
		{"nobody asks", func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) })
		}, nil, errorsx.Internal, ""},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		for _, l := range tt.lines {
			r.Header.Set(l[0], l[1])
		}
		id, err := middleware.Check(r, tt.wrapper)
		got := errorsx.Code(0)
		if err != nil {
			got = errorsx.From(err).Code
		}
		if got != tt.want || id.User != tt.user {
			t.Errorf("%s: got %v and user %q, want AUTH-%d and %q", tt.name, err, id.User, tt.want, tt.user)
		}
	}
}

// TestCheckBehindAnonymous tests that Check wants a wrapper that authenticates, even
// if an outer wrapper has admitted the request without a credential.
func TestCheckBehindAnonymous(t *testing.T) {
	anonymous := middleware.Bearer(people, &middleware.BearerConfig{AllowAnonymous: true})
	h := anonymous(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		logs := func(next http.Handler) http.Handler { return next }
		if _, err := middleware.Check(r, logs); err == nil || errorsx.From(err).Code != errorsx.Internal {
			t.Errorf("a logger: got %v, want AUTH-8", err)
		}
		if _, err := middleware.Check(r, anonymous); err != nil {
			t.Errorf("anonymous: got %v", err)
		}
		if _, err := middleware.Check(r, key); errorsx.From(err).Code != errorsx.CredentialsMissing {
			t.Errorf("a key: got %v, want AUTH-2", err)
		}
	}))
	if w := serve(h, "GET", "/"); w.Code != 200 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// TestCheckIsObserved tests that an outer Observe sees the refusal, and that Check
// asks no outer writer for an answer.
func TestCheckIsObserved(t *testing.T) {
	o := &observer{}
	h := o.wrapper()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := middleware.Check(r, bearer); err != nil {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	w := serve(h, "GET", "/")
	if d := o.last(t); d.Code() != errorsx.CredentialsMissing || d.Status != http.StatusTeapot || w.Body.Len() != 0 {
		t.Errorf("got %+v, and the client %q", d, w.Body)
	}
}

func TestAllScopes(t *testing.T) {
	for _, tt := range []struct {
		scopes []string
		want   string
	}{
		{[]string{"read"}, ""}, {[]string{"read", "files"}, ""}, {[]string{"files", "read"}, ""},
		{[]string{"read", "write"}, "AUTH-7"}, {[]string{"write"}, "AUTH-7"},
	} {
		w := serve(middleware.Chain(bearer, middleware.AllScopes(tt.scopes...))(whoami), "GET", "/", tokenAda)
		if code(w) != tt.want {
			t.Errorf("%v: got %d %s, want %q", tt.scopes, w.Code, w.Body, tt.want)
		}
	}
	w := serve(middleware.Chain(bearer, middleware.AllScopes("read", "write"))(whoami), "GET", "/", tokenAda)
	if got := w.Header().Get("WWW-Authenticate"); got != `Bearer realm="api", error="insufficient_scope", `+
		`error_description="The request needs scopes that its credentials do not have", scope="read write"` {
		t.Errorf("got challenge %q", got)
	}
	if w := serve(middleware.AllScopes("read")(whoami), "GET", "/"); code(w) != "AUTH-8" {
		t.Errorf("behind nothing: got %d %s, want AUTH-8", w.Code, w.Body)
	}
	for name, wire := range map[string]func(){
		"none": func() { middleware.AllScopes() }, "a blank": func() { middleware.AllScopes("a b") }, "empty": func() { middleware.AllScopes("") },
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

func TestAPIKeyFunc(t *testing.T) {
	keys := middleware.APIKeyFunc(func(_ context.Context, sum [32]byte) (string, error) {
		switch sum {
		case sha256.Sum256([]byte("right")):
			return "acme", nil
		case sha256.Sum256([]byte("down")):
			return "acme", errors.New("the table is locked")
		}
		return "", nil
	})
	h := middleware.Chain(middleware.Errors(silent), middleware.APIKey(keys, nil))(whoami)
	for line, want := range map[string]string{
		"X-API-KEY: right": "", "X-API-KEY: wrong": "AUTH-1", "X-API-KEY: down": "AUTH-4", "X-Other: right": "AUTH-2",
	} {
		if w := serve(h, "GET", "/", line); code(w) != want {
			t.Errorf("%s: got %d %s, want %q", line, w.Code, w.Body, want)
		}
	}
	if w := serve(middleware.Chain(middleware.Errors(silent), middleware.Bearer(keys, nil))(whoami), "GET", "/", "Authorization: Bearer right"); code(w) != "AUTH-8" {
		t.Errorf("as a validator of tokens: got %d %s, want AUTH-8", w.Code, w.Body)
	}
}
