package middleware_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

const (
	bearerOnly = `Bearer realm="api"`
	basicOnly  = `Basic realm="api", charset="UTF-8"`
	apiKeyOnly = `ApiKey realm="api"`
)

// TestOneOf tests that the first way whose credential is present decides alone.
func TestOneOf(t *testing.T) {
	tokenOrKey := middleware.OneOf(people, middleware.BearerConfig{RequireUser: true}, middleware.APIKeyConfig{})
	keyOrToken := middleware.OneOf(people, middleware.APIKeyConfig{}, middleware.BearerConfig{})
	any3 := middleware.OneOf(people, middleware.BearerConfig{}, middleware.APIKeyConfig{}, middleware.BasicConfig{})
	unknown := `Bearer realm="api", error="invalid_token", error_description="Invalid token"`
	for _, tt := range []struct {
		name       string
		guard      middleware.Wrapper
		lines      []string
		code       string // or the methods of the identity
		challenges []string
	}{
		{"token", tokenOrKey, []string{"Authorization: Bearer token-ada"}, "token", nil},
		{"key", tokenOrKey, []string{"X-API-KEY: key-app"}, "key", nil},
		{"token before key", tokenOrKey, []string{"X-API-KEY: wrong", "Authorization: Bearer token-ada"}, "token", nil},
		{"key before token", keyOrToken, []string{"X-API-KEY: key-app", "Authorization: Bearer wrong"}, "key", nil},
		{"key before a token of another client", keyOrToken, []string{"X-API-KEY: key-other", "Authorization: Bearer token-ada"}, "key", nil},
		{"a bad token beside a good key", tokenOrKey, []string{"X-API-KEY: key-app", "Authorization: Bearer wrong"}, "AUTH-12", []string{unknown, apiKeyOnly}},
		{"a bad key beside a good token", keyOrToken, []string{"X-API-KEY: wrong", "Authorization: Bearer token-ada"}, "AUTH-12", []string{apiKeyOnly, bearerOnly}},
		{"the way's own check", tokenOrKey, []string{"X-API-KEY: key-app", "Authorization: Bearer token-app"}, "AUTH-9",
			[]string{`Bearer realm="api", error="invalid_token", error_description="Expected a token of a user"`, apiKeyOnly}},
		{"nothing", tokenOrKey, nil, "AUTH-2", []string{bearerOnly, apiKeyOnly}},
		{"empty headers", any3, []string{"X-API-KEY: ", "Authorization: "}, "AUTH-2", []string{bearerOnly, apiKeyOnly, basicOnly}},
		{"a scheme that no way reads", tokenOrKey, []string{"X-API-KEY: key-app", "Authorization: Basic YXBwOnBhc3M="}, "AUTH-3", []string{bearerOnly, apiKeyOnly}},
		{"no scheme", tokenOrKey, []string{"Authorization: s,t"}, "AUTH-3",
			[]string{`Bearer realm="api", error="invalid_request", error_description="Invalid Authorization header: expected the scheme Bearer"`, apiKeyOnly}},
		{"two values", any3, []string{"Authorization: Basic YXBwOnBhc3M=", "Authorization: Basic YXBwOnBhc3M="}, "AUTH-3",
			[]string{`Bearer realm="api", error="invalid_request", error_description="Invalid Authorization header: more than one value"`, apiKeyOnly, basicOnly}},
		{"Basic's turn", any3, []string{"Authorization: bAsIc YXBwOnBhc3M="}, "basic", nil},
		{"the key's turn is before Basic's", any3, []string{"Authorization: Basic YXBwOnBhc3M=", "X-API-KEY: key-other"}, "key", nil},
		{"wrong password", any3, []string{"Authorization: Basic YXBwOm5vcGU="}, "AUTH-12", []string{basicOnly, bearerOnly, apiKeyOnly}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := serve(tt.guard(whoami), "GET", "/", tt.lines...)
			got := code(w)
			if got == "" {
				got = map[middleware.Methods]string{
					middleware.ByToken: "token", middleware.ByAPIKey: "key", middleware.ByBasic: "basic",
				}[identity(t, w).Methods]
			}
			if got != tt.code {
				t.Errorf("got %s, want %s: %s", got, tt.code, w.Body)
			}
			if got := w.Header().Values("WWW-Authenticate"); !slices.Equal(got, tt.challenges) {
				t.Errorf("challenges %q, want %q", got, tt.challenges)
			}
		})
	}
	if w := serve(any3(whoami), "GET", "/"); !strings.Contains(w.Body.String(), `Missing \"Authorization\" or \"X-API-KEY\" header`) {
		t.Errorf("the message names not all headers: %s", w.Body)
	}
	if w := serve(any3(whoami), "GET", "/", "Authorization: Digest x"); !strings.Contains(w.Body.String(), "expected the scheme Bearer or Basic") {
		t.Errorf("the message names not all schemes: %s", w.Body)
	}
}

// TestOneOfFailure tests that a failure of the server sends no challenge.
func TestOneOfFailure(t *testing.T) {
	down := middleware.ValidatorFunc(func(context.Context, middleware.Credential) (*middleware.Identity, error) {
		return nil, errors.New("down")
	})
	ew := &errorsx.Writer{Log: slog.New(slog.DiscardHandler), Dialect: errorsx.RFC}
	h := middleware.Chain(middleware.Errors(ew), middleware.OneOf(down, middleware.BearerConfig{}, middleware.APIKeyConfig{}))(whoami)
	for _, line := range []string{"Authorization: Bearer x", "X-API-KEY: x"} {
		w := serve(h, "GET", "/", line)
		if got := w.Header().Values("WWW-Authenticate"); code(w) != "AUTH-8" || w.Code != 503 || got != nil {
			t.Errorf("%s: got %d %s, challenges %q", line, w.Code, w.Body, got)
		}
	}
}

// TestOneOfScope tests that a lacking scope is reported in the scheme that
// authenticated.
func TestOneOfScope(t *testing.T) {
	h := middleware.Chain(middleware.OneOf(people, middleware.BearerConfig{}, middleware.APIKeyConfig{}), middleware.Scope("admin"))(whoami)
	for line, want := range map[string]string{"Authorization: Bearer token-ada": "Bearer ", "X-API-KEY: key-app": "ApiKey "} {
		w := serve(h, "GET", "/", line)
		if got := w.Header().Values("WWW-Authenticate"); code(w) != "AUTH-7" || len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("%s: got %d %q", line, w.Code, got)
		}
	}
}

// TestOneOfProtectsAnswers tests that the headers of an answer are the same for every
// way, because the next request may use another one.
func TestOneOfProtectsAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		ways    []middleware.Way
		vary    []string
		control string
	}{
		"Authorization alone": {[]middleware.Way{middleware.BearerConfig{}, middleware.BasicConfig{}}, nil, ""},
		"a key too":           {[]middleware.Way{middleware.BearerConfig{}, middleware.APIKeyConfig{}}, []string{"Authorization", "X-API-KEY"}, "private"},
		"what Confirm reads": {[]middleware.Way{middleware.BearerConfig{Vary: "Cookie", Confirm: confirms}, middleware.BasicConfig{Header: "X-Basic"}},
			[]string{"Authorization", "Cookie", "X-Basic"}, "private"},
	} {
		w := serve(middleware.OneOf(people, tt.ways...)(whoami), "GET", "/", "Authorization: Bearer token-ada")
		if got := w.Header().Values("Vary"); w.Code != 200 || !slices.Equal(got, tt.vary) || w.Header().Get("Cache-Control") != tt.control {
			t.Errorf("%s: got %d, Vary %q, Cache-Control %q", name, w.Code, got, w.Header().Get("Cache-Control"))
		}
	}
}

// TestOneOfQuery tests that a token in the query counts as much as one in a header.
func TestOneOfQuery(t *testing.T) {
	h := middleware.OneOf(people, middleware.APIKeyConfig{}, middleware.BearerConfig{QuerySafe: []string{"files"}})(whoami)
	w := serve(h, "GET", "/?access_token=token-app")
	if got := w.Header().Values("Vary"); identity(t, w).Methods != middleware.ByToken || !slices.Equal(got, []string{"X-API-KEY", "Authorization"}) ||
		w.Header().Get("Cache-Control") != "private" || w.Header().Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
	for _, tt := range []struct{ method, target, line, want string }{
		{"GET", "/?access_token=token-ada", "", "AUTH-7"},
		{"GET", "/?access_token=", "", "AUTH-3"},
		{"GET", "/?a=%zz", "", "AUTH-2"},
		{"GET", "/?a=%zz&access_token=token-app", "", "AUTH-3"},
		{"GET", "/?access_token=token-app", "Authorization: Bearer token-app", "AUTH-3"},
		{"GET", "/?access_token=token-app", "Authorization: Basic YXBwOnBhc3M=", "AUTH-3"},
		{"POST", "/?access_token=token-app", "", "AUTH-2"},
		{"GET", "/?access_token=wrong", "X-API-KEY: key-app", ""},
		{"GET", "/?other=x", "", "AUTH-2"},
	} {
		lines := []string{tt.line}
		if tt.line == "" {
			lines = nil
		}
		if w := serve(h, tt.method, tt.target, lines...); code(w) != tt.want && (tt.want != "" || w.Code != 200) {
			t.Errorf("%s %s %s: got %d %s, want %s", tt.method, tt.target, tt.line, w.Code, w.Body, tt.want)
		}
	}
}

// TestOneOfMerges tests that the identity of an outer wrapper must be of the same
// client.
func TestOneOfMerges(t *testing.T) {
	h := middleware.Chain(key, middleware.OneOf(people, middleware.BearerConfig{}, middleware.BasicConfig{}))(whoami)
	id := identity(t, serve(h, "GET", "/", "X-API-KEY: key-app", "Authorization: Bearer token-ada"))
	if id.User != "ada" || id.Methods != middleware.ByAPIKey|middleware.ByToken {
		t.Errorf("got %+v", id)
	}
	if w := serve(h, "GET", "/", "X-API-KEY: key-other", "Authorization: Bearer token-ada"); code(w) != "AUTH-1" {
		t.Errorf("another client's key: got %d %s", w.Code, w.Body)
	}
}

func TestOneOfPanics(t *testing.T) {
	for name, wire := range map[string]func(){
		"no way":        func() { middleware.OneOf(people) },
		"nil validator": func() { middleware.OneOf(nil, middleware.APIKeyConfig{}) },
		"nil way":       func() { middleware.OneOf(people, nil) },
		"twice": func() {
			middleware.OneOf(people, middleware.BearerConfig{}, middleware.BearerConfig{RequireUser: true})
		},
		"a key in Authorization": func() {
			middleware.OneOf(people, middleware.APIKeyConfig{Header: "authorization"}, middleware.BearerConfig{})
		},
		"not a scope": func() { middleware.OneOf(people, middleware.BearerConfig{QuerySafe: []string{"a b"}}) },
		"nil handler": func() { middleware.OneOf(people, middleware.BearerConfig{})(nil) },
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

// TestC20VaryIsEachAnswersOwn tests that a handler's change of Vary does not appear
// in other answers.
func TestC20VaryIsEachAnswersOwn(t *testing.T) {
	c := newCache(t, people, 100, middleware.CacheConfig{})
	h := middleware.OneOf(c, middleware.BearerConfig{}, middleware.APIKeyConfig{}, middleware.BearerConfig{Header: "X-Token"})(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Add("Vary", r.URL.Path) }))
	first := serve(h, "GET", "/first", "X-API-KEY: key-app").Header()
	serve(h, "GET", "/second", "X-API-KEY: key-app")
	if got := first["Vary"]; got[len(got)-1] != "/first" {
		t.Errorf("the first answer varies by %q", got)
	}
}

// TestOneOfOneAllocation tests that OneOf allocates no more than a chain does.
func TestOneOfOneAllocation(t *testing.T) {
	c := newCache(t, people, 100, middleware.CacheConfig{})
	h := middleware.Chain(
		middleware.OneOf(c, middleware.BearerConfig{RequireUser: true}, middleware.APIKeyConfig{}, middleware.BasicConfig{}),
		middleware.Usage(&tally{}, nil))(opaqueHandler)
	for _, line := range [][2]string{{"Authorization", "Bearer token-ada"}, {"X-Api-Key", "key-app"}} {
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Header.Set(line[0], line[1])
		h.ServeHTTP(w, r)
		n := testing.AllocsPerRun(1000, func() {
			clear(w.Header())
			h.ServeHTTP(w, r)
		})
		if n != 1 || w.Code != 200 {
			t.Errorf("%s: %v allocations and status %d, want 1 and 200", line[0], n, w.Code)
		}
	}
}

// TestOneOfByScheme has a validator for each scheme. One of them is throttled, behind
// a proxy.
func TestOneOfByScheme(t *testing.T) {
	keys := directory{"a-key": {Issuer: "i", Client: "app", Methods: middleware.ByAPIKey}}
	throttle := newThrottle(t, 1)
	cache := newCache(t, middleware.ValidatorFunc(passwords), 100, middleware.CacheConfig{})
	h := middleware.Chain(
		middleware.Proxy(&middleware.ProxyConfig{Trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}),
		middleware.OneOf(middleware.ByScheme{middleware.SchemeAPIKey: keys, middleware.SchemeBasic: throttle.Around(cache)},
			middleware.APIKeyConfig{}, middleware.BasicConfig{}),
	)(whoami)
	try := func(lines ...string) string { // the client is 192.0.2.1
		if w := serve(h, "GET", "/", lines...); w.Code != 200 {
			return code(w)
		}
		return ""
	}
	right, wrong := "Authorization: Basic "+b64std("app:pass"), "Authorization: Basic "+b64std("app:guess")
	for _, tt := range []struct {
		want  string
		lines []string
	}{
		{"", []string{"X-API-KEY: a-key"}},
		{"AUTH-12", []string{"X-API-KEY: pass"}},
		{"", []string{right}},
		{"AUTH-1", []string{wrong, "X-Forwarded-For: 1.1.1.1"}},
		{"AUTH-1", []string{wrong, "X-Forwarded-For: 1.1.1.1"}},
		{"AUTH-13", []string{right, "X-Forwarded-For: 1.1.1.1"}},
		{"", []string{right, "X-Forwarded-For: 2.2.2.2"}},
		{"", []string{right}},
	} {
		if got := try(tt.lines...); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.lines, got, tt.want)
		}
	}
	if s := cache.Stats(); s.Hits != 2 {
		t.Errorf("%+v, want two hits", s)
	}
	if _, err := (middleware.ByScheme{}).Validate(t.Context(), token("x")); !errors.Is(err, errorsx.Internal) {
		t.Errorf("a scheme without a validator: got %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a way without a validator: no panic")
		}
	}()
	middleware.OneOf(middleware.ByScheme{middleware.SchemeAPIKey: keys}, middleware.BearerConfig{})
}
