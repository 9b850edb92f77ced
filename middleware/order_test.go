package middleware_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// TestS08Order puts wrappers into wrong or unusual orders. If a wrapper lacks
// something that it needs, the request is refused as a fault and never admitted.
func TestS08Order(t *testing.T) {
	scope := middleware.Scope("read")
	count := middleware.Usage(&tally{}, nil)
	within := func(guard ...middleware.Wrapper) middleware.Wrapper {
		return middleware.Tiers(middleware.TierTable{"/": middleware.Chain(guard...)}, nil)
	}
	for _, tt := range []struct {
		name  string
		guard middleware.Wrapper
		want  string
	}{
		{"Bearer, then Scope", middleware.Chain(bearer, scope), ""},
		{"Scope without Bearer", scope, "AUTH-8"},
		{"Scope, then Bearer", middleware.Chain(scope, bearer), "AUTH-8"},
		{"Scope twice", middleware.Chain(bearer, scope, scope), ""},
		{"Scope between Bearer and a key", middleware.Chain(bearer, scope, key), ""},
		{"Scope between a key and Bearer", middleware.Chain(key, scope, bearer), "AUTH-7"},
		{"another Scope behind", middleware.Chain(bearer, scope, middleware.Scope("write")), "AUTH-7"},
		{"another Scope in front", middleware.Chain(bearer, middleware.Scope("write"), scope), "AUTH-7"},
		{"Bearer twice", middleware.Chain(bearer, bearer), ""},
		{"Usage without Bearer", count, "AUTH-8"},
		{"Usage, then Bearer", middleware.Chain(count, bearer), "AUTH-8"},
		{"Bearer, then Usage", middleware.Chain(bearer, count), ""},
		{"an API key's scope does, and a token changes it", middleware.Chain(key, middleware.Scope("from-key"), bearer), "AUTH-8"},
		{"an API key's Usage, and a token of its client", middleware.Chain(key, count, bearer), "AUTH-8"},
		{"a token's Usage, and a key", middleware.Chain(bearer, count, key), ""},
		{"a tier with Scope alone", within(scope), "AUTH-8"},
		{"a tier with Usage alone", within(count), "AUTH-8"},
		{"a tier with Scope, behind Bearer", middleware.Chain(bearer, within(scope)), ""},
		{"a tier with another Scope, behind Bearer", middleware.Chain(bearer, within(middleware.Scope("write"))), "AUTH-7"},
		{"a tier with Bearer and Scope", within(bearer, scope), ""},
	} {
		reached := false
		h := tt.guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
		w := serve(h, "GET", "/", keyApp, tokenAda)
		if code(w) != tt.want || reached != (tt.want == "") {
			t.Errorf("S08 %s: got %d %s, handler reached is %t, want %q", tt.name, w.Code, w.Body, reached, tt.want)
		}
	}
}

// TestS05PanicsBehind lets handlers and callbacks panic. The panic of a handler
// reaches the server, and the panic of a callback becomes a fault. The next request
// is served.
func TestS05PanicsBehind(t *testing.T) {
	c := newCache(t, people, 100, middleware.CacheConfig{})
	guard := middleware.Chain(middleware.APIKey(c, nil), middleware.Bearer(c, nil), middleware.Usage(&tally{}, nil))
	for name, value := range map[string]any{
		"a text": "s3cret", "an error": errors.New("s3cret"), "a refusal": errorsx.UnknownToken, "net/http's own": http.ErrAbortHandler,
	} {
		broken := true
		h := guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if broken {
				panic(value)
			}
			io.WriteString(w, "fine")
		}))
		func() {
			defer func() {
				if got := recover(); got != value {
					t.Errorf("S05 a handler's panic with %s became %v", name, got)
				}
			}()
			serve(h, "GET", "/", keyApp, tokenAda)
		}()
		broken = false
		if w := serve(h, "GET", "/", keyApp, tokenAda); w.Body.String() != "fine" {
			t.Errorf("S05 after a handler's panic with %s: got %d %s", name, w.Code, w.Body)
		}
	}
	for name, h := range map[string]http.Handler{
		"Confirm": middleware.Chain(middleware.Errors(silent), middleware.Bearer(c, &middleware.BearerConfig{Confirm: func(*http.Request, middleware.Identity) error { panic("s3cret") }}))(whoami),
		"a meter": middleware.Chain(middleware.Chain(middleware.Errors(silent), middleware.Bearer(c, nil)), middleware.Usage(meterFunc(func(string) func(int64) error { panic("s3cret") }), nil))(whoami),
		"counter": middleware.Chain(middleware.Chain(middleware.Errors(silent), middleware.Bearer(c, nil)), middleware.Usage(meterFunc(func(string) func(int64) error {
			return func(int64) error { panic("s3cret") }
		}), nil))(whoami),
	} {
		if w := serve(h, "GET", "/", tokenAda); w.Code != 500 || code(w) != "AUTH-8" || strings.Contains(w.Body.String(), "s3cret") {
			t.Errorf("S05 a panic in %s: got %d %s", name, w.Code, w.Body)
		}
	}
}

// TestP16StripPrefix mounts tiers inside and outside of http.StripPrefix. Inside, the
// rest of the path is judged as it is, and one without a leading slash is refused.
func TestP16StripPrefix(t *testing.T) {
	guard := tiers(t, "/ext/", "/user/")
	open := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Seen", r.URL.Path) })
	for _, tt := range []struct{ place, target, tier, seen string }{
		{"before", "/ext/user/x", "/user/", "/user/x"},
		{"before", "/ext/ext/x", "/ext/", "/ext/x"},
		{"before", "/extuser", "", ""},
		{"before", "/extuser/x", "", ""},
		{"before", "/ext%2fuser", "", ""},
		{"before", "/ext/%2e%2e/user", "", ""},
		{"before", "/ext/ext/../user/x", "", ""},
		{"before", "/ext", "", ""},
		{"behind", "/ext/user/x", "/ext/", "/user/x"},
		{"behind", "/extuser", "", ""},
		{"behind", "/ext/../user", "", ""},
		{"behind", "/ext%2fuser", "", ""},
	} {
		h := http.StripPrefix("/ext", guard(open))
		if tt.place == "behind" {
			h = guard(http.StripPrefix("/ext", open))
		}
		w := serve(h, "GET", tt.target)
		if got := w.Header(); got.Get("Tier") != tt.tier || got.Get("Seen") != tt.seen {
			t.Errorf("P16 StripPrefix %s the tiers, %s: got tier %q, path %q, want %q, %q", tt.place, tt.target, got.Get("Tier"), got.Get("Seen"), tt.tier, tt.seen)
		}
	}
}

// TestT09Grants looks for a scope in a list of granted scopes that are similar to it,
// and in a long list.
func TestT09Grants(t *testing.T) {
	many := strings.Repeat("s ", 9_999)
	for granted, want := range map[middleware.Scopes]string{
		"read": "", "a read": "", "read b": "", "a read b": "", middleware.Scopes(many + "read"): "",
		"": "AUTH-7", "read:all": "AUTH-7", "Read": "AUTH-7", "rea d": "AUTH-7", "reads bread": "AUTH-7", "*": "AUTH-7", "read*": "AUTH-7",
		"a,read": "AUTH-7", "read\t": "AUTH-7", "\u00a0read": "AUTH-7", middleware.Scopes(many): "AUTH-7",
	} {
		v := middleware.ValidatorFunc(func(context.Context, middleware.Credential) (*middleware.Identity, error) {
			return &middleware.Identity{Issuer: "i", Client: "c", Scopes: granted}, nil
		})
		guard := middleware.Chain(middleware.Bearer(v, nil), middleware.Scope("read"))
		if w := serve(guard(whoami), "GET", "/", tokenAda); code(w) != want {
			t.Errorf("T09 granted %.30q: got %d %s, want %q", granted, w.Code, code(w), want)
		}
	}
}

// sharedCache is a shared cache as RFC 9111 allows it (sections 3, 3.5 and 4.1). It
// stores an answer unless it is no-store, private, or to a request with
// Authorization. It selects answers by the headers in Vary, and stores a 404 like a
// 200.
func sharedCache(next http.Handler) http.Handler {
	type kept struct {
		answer *httptest.ResponseRecorder
		asked  http.Header
	}
	store := map[string][]kept{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	search:
		for _, k := range store[r.URL.String()] {
			for _, names := range k.answer.Header()["Vary"] {
				for name := range strings.SplitSeq(names, ",") {
					if name = strings.TrimSpace(name); name == "*" || r.Header.Get(name) != k.asked.Get(name) {
						continue search
					}
				}
			}
			w.Header().Set("From", "cache")
			w.WriteHeader(k.answer.Code)
			w.Write(k.answer.Body.Bytes())
			return
		}
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		control := answer.Header().Get("Cache-Control")
		if !strings.Contains(control, "no-store") && !strings.Contains(control, "private") && r.Header.Get("Authorization") == "" {
			store[r.URL.String()] = append(store[r.URL.String()], kept{answer, r.Header.Clone()})
		}
		w.WriteHeader(answer.Code)
		w.Write(answer.Body.Bytes())
	})
}

// TestC20SharedCache puts such a cache in front. No client may get the answer to
// another one. An answer that is the same for everyone may be stored.
func TestC20SharedCache(t *testing.T) {
	// This handler sets no headers, as a careless one does not.
	cacheable := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		whoami.ServeHTTP(w, r)
	})
	custom := middleware.Bearer(people, &middleware.BearerConfig{Header: "X-Token"})
	query := middleware.Bearer(people, &middleware.BearerConfig{QuerySafe: []string{"files"}})
	for _, tt := range []struct {
		name   string
		guard  middleware.Wrapper
		target string
		a, b   []string
	}{
		{"two keys", key, "/x", []string{keyApp}, []string{"X-API-KEY: key-other"}},
		{"a key, then none", key, "/x", []string{keyApp}, nil},
		{"a wrong key, then a right one", key, "/x", []string{"X-API-KEY: nobody"}, []string{keyApp}},
		{"no key, then one", key, "/x", nil, []string{keyApp}},
		{"two tokens", bearer, "/x", []string{tokenAda}, []string{"Authorization: Bearer token-app"}},
		{"a token, then none", bearer, "/x", []string{tokenAda}, nil},
		{"two custom headers", custom, "/x", []string{"X-Token: Bearer token-ada"}, []string{"X-Token: Bearer token-app"}},
		{"one key, two tokens", middleware.Chain(key, bearer), "/x", []string{keyApp, tokenAda}, []string{keyApp, "Authorization: Bearer token-app"}},
		{"a query token, then a header too", query, "/?access_token=token-app", nil, []string{tokenAda}},
	} {
		plain, cached := tt.guard(cacheable), sharedCache(tt.guard(cacheable))
		for _, lines := range [][]string{tt.a, tt.b, tt.a} {
			want, got := serve(plain, "GET", tt.target, lines...), serve(cached, "GET", tt.target, lines...)
			if got.Code != want.Code || got.Body.String() != want.Body.String() {
				t.Errorf("C20 %s, asked with %q: got %d %s, want %d %s", tt.name, lines, got.Code, got.Body, want.Code, want.Body)
			}
		}
	}
	open := sharedCache(whoami)
	serve(open, "GET", "/", keyApp)
	if w := serve(open, "GET", "/"); w.Header().Get("From") != "cache" {
		t.Error("C20 the cache keeps nothing at all")
	}
}
