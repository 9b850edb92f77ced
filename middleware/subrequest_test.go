package middleware_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// around are outermost wrappers, each of which makes a state.
var around = map[string]middleware.Wrapper{
	"nothing": middleware.Chain(func(next http.Handler) http.Handler { return next }),
	"Observe": middleware.Observe(func(*http.Request, middleware.Decision) {}),
	"Errors":  middleware.Errors(silent),
	"Proxy":   middleware.Proxy(nil),
}

// TestPartsOfABatch has a handler that derives further requests from the one that it
// serves. An identity proven for one of them must not count for the next.
func TestPartsOfABatch(t *testing.T) {
	for name, outer := range around {
		m := &tally{}
		mux := http.NewServeMux()
		mux.Handle("/metered", middleware.Chain(bearer, middleware.Usage(m, nil))(whoami))
		mux.Handle("/open", whoami)
		mux.Handle("/optional", middleware.Bearer(people, &middleware.BearerConfig{AllowAnonymous: true})(whoami))
		mux.Handle("/scope", middleware.Chain(middleware.Errors(silent), middleware.Scope("read"))(whoami))
		parts := []struct{ path, token, want string }{
			{"/metered", "token-ada", "ada"}, {"/metered", "token-ada", "ada"}, {"/metered", "second-token", "eve"},
			{"/optional", "", ""}, {"/scope", "", "AUTH-8"}, {"/open", "", ""},
		}
		batch := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			for _, part := range parts {
				sub, err := http.NewRequestWithContext(r.Context(), "GET", part.path, nil)
				if err != nil {
					t.Fatal(err)
				}
				if part.token != "" {
					sub.Header.Set("Authorization", "Bearer "+part.token)
				}
				w := httptest.NewRecorder()
				mux.ServeHTTP(w, sub)
				got := code(w)
				if got == "" {
					got = identity(t, w).User
				}
				if got != part.want {
					t.Errorf("%s, %s with %q: got %q %s, want %q", name, part.path, part.token, got, w.Body, part.want)
				}
			}
		})
		if serve(outer(batch), "POST", "/"); m.sum() != 3 {
			t.Errorf("%s: %d uses, want 3", name, m.sum())
		}
	}
}

// TestPartsAreJudgedByTheirOwnTime tests that a token that expires while a batch runs
// is refused in a later part of it.
func TestPartsAreJudgedByTheirOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		soon := directory{"t": {Issuer: "i", Client: "app", Expires: time.Now().Add(time.Second)}}
		route := middleware.Bearer(soon, nil)(whoami)
		serve(around["Observe"](http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			for _, want := range []string{"", "AUTH-11"} {
				sub, _ := http.NewRequestWithContext(r.Context(), "GET", "/", nil)
				sub.Header.Set("Authorization", "Bearer t")
				w := httptest.NewRecorder()
				if route.ServeHTTP(w, sub); code(w) != want {
					t.Errorf("got %d %s, want %q", w.Code, w.Body, want)
				}
				time.Sleep(2 * time.Second)
			}
		})), "POST", "/")
	})
}

// TestCheckOfMessages checks several messages of one stream.
func TestCheckOfMessages(t *testing.T) {
	optional := middleware.Bearer(people, &middleware.BearerConfig{AllowAnonymous: true})
	for name, outer := range around {
		serve(outer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if _, err := middleware.Check(r, middleware.Chain(bearer, middleware.Scope("admin"))); err == nil {
				t.Errorf("%s: admitted without the scope", name)
			}
			if id, ok := middleware.IdentityFromContext(r.Context()); ok {
				t.Errorf("%s: a refused check left %+v", name, id)
			}
			for _, user := range []string{"ada", "eve", ""} {
				r.Header.Set("Authorization", map[string]string{"ada": "Bearer token-ada", "eve": "Bearer second-token"}[user])
				if id, err := middleware.Check(r, optional); err != nil || id.User != user {
					t.Errorf("%s, a message of %q: got %q, %v", name, user, id.User, err)
				}
			}
		})), "GET", "/", tokenAda)
	}
}

// TestCheckRefusesWhatAuthenticatesNobody tests that Check fails for a wrapper that
// authenticates nobody, and for a use that cannot be counted after the handler.
func TestCheckRefusesWhatAuthenticatesNobody(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer token-ada")
	logs := func(next http.Handler) http.Handler { return next }
	uncounted := middleware.Usage(&tally{fail: fmt.Errorf("disk full")}, &middleware.UsageConfig{CountStatus: func(int) bool { return true }})
	for name, wrapper := range map[string]middleware.Wrapper{
		"a logger": logs, "a writer": middleware.Errors(silent), "no counter": middleware.Chain(middleware.Errors(silent), bearer, uncounted),
	} {
		if id, err := middleware.Check(r, wrapper); err == nil || errorsx.From(err).Code != errorsx.Internal || id.User != "" {
			t.Errorf("%s: got %+v, %v, want AUTH-8", name, id, err)
		}
	}
}

// TestProxyOutlivesATimeout has a key that is limited to some networks, a slow store,
// and a request that ends before the store answers. The client's address must not
// change.
func TestProxyOutlivesATimeout(t *testing.T) {
	limited := middleware.Identity{Issuer: "i", Client: "app", APIKeyID: "k"}.WithDetails(middleware.Details{Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	ended, done := make(chan struct{}), make(chan struct{})
	slow := middleware.ValidatorFunc(func(context.Context, middleware.Credential) (*middleware.Identity, error) {
		<-ended
		return &limited, nil
	})
	guarded := middleware.APIKey(slow, nil)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the handler ran for a client from elsewhere")
	}))
	late := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		guarded.ServeHTTP(w, r)
	})
	h := middleware.Proxy(&middleware.ProxyConfig{Trusted: behind})(http.TimeoutHandler(late, time.Millisecond, ""))
	serveFrom(h, proxyAddr, "X-API-KEY: key", "X-Forwarded-For: 6.6.6.6")
	close(ended)
	<-done
}

// TestThiefLearnsNothing tests that the answers to a key that is limited to other
// networks and to an unknown key are equal, headers included.
func TestThiefLearnsNothing(t *testing.T) {
	limited := middleware.Identity{Issuer: "i", Client: "app", APIKeyID: "k"}.WithDetails(middleware.Details{Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	v := middleware.ValidatorFunc(func(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
		if c.Secret != "key" {
			return nil, &errorsx.Error{Code: errorsx.CredentialsIncorrect, Message: "The API key is incorrect"}
		}
		return &limited, nil
	})
	h := middleware.APIKey(v, nil)(whoami)
	genuine, unknown := serveFrom(h, "6.6.6.6:1", "X-API-KEY: key"), serveFrom(h, "6.6.6.6:1", "X-API-KEY: other")
	if g, u := fmt.Sprint(genuine.Code, genuine.Header(), genuine.Body), fmt.Sprint(unknown.Code, unknown.Header(), unknown.Body); g != u {
		t.Errorf("got %s, and for an unknown key %s", g, u)
	}
}

// TestEveryLeafTells tests that a TTL may be missing only if all inner validators are
// sources.
func TestEveryLeafTells(t *testing.T) {
	told, silent := newSource(), blind(newSource())
	told.answer = yes
	for name, tt := range map[string]struct {
		v  middleware.Validator
		ok bool
	}{
		"both":       {middleware.ByScheme{middleware.SchemeAPIKey: told, middleware.SchemeBearer: middleware.Around(told, pass)}, true},
		"one of two": {middleware.ByScheme{middleware.SchemeAPIKey: told, middleware.SchemeBearer: silent}, false},
		"deeper":     {middleware.Around(middleware.ByScheme{middleware.SchemeAPIKey: told, middleware.SchemeBearer: silent}, pass), false},
	} {
		if _, err := middleware.NewCache(tt.v, 10, nil); (err == nil) != tt.ok {
			t.Errorf("%s without a TTL: got %v", name, err)
		}
		if _, err := middleware.NewCache(tt.v, 10, &middleware.CacheConfig{TTL: time.Minute}); err != nil {
			t.Errorf("%s with one: got %v", name, err)
		}
	}
}

// TestTierWantsItsOwnGuard tests that an outer wrapper that admits anonymous requests
// does not make a tier without a guard acceptable.
func TestTierWantsItsOwnGuard(t *testing.T) {
	logs := func(next http.Handler) http.Handler { return next }
	nobody := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(middleware.WithIdentity(r.Context(), middleware.Identity{})))
		})
	}
	optional := middleware.Bearer(people, &middleware.BearerConfig{AllowAnonymous: true})
	for name, tt := range map[string]struct {
		guard middleware.Wrapper
		want  string
	}{
		"a logger": {logs, "AUTH-8"}, "an identity of nobody": {nobody, "AUTH-8"}, "a scope": {middleware.Scope("read"), "AUTH-2"},
		"one that lets anybody in": {optional, ""}, "a key": {key, "AUTH-2"},
	} {
		guard := middleware.Tiers(middleware.TierTable{"/": tt.guard}, nil)
		if w := serve(middleware.Chain(middleware.Errors(silent), optional, guard)(whoami), "GET", "/"); code(w) != tt.want {
			t.Errorf("%s: got %d %s, want %q", name, w.Code, w.Body, tt.want)
		}
	}
}

// TestJudgedByOneOfOnesOwn tests that an inner wrapper cannot change an identity that
// Scope has judged, even if the program's own code has proven it.
func TestJudgedByOneOfOnesOwn(t *testing.T) {
	own := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id := middleware.Identity{Issuer: "i", Client: "app", Scopes: "admin", Methods: middleware.ByAPIKey}
			next.ServeHTTP(w, r.WithContext(middleware.WithIdentity(r.Context(), id)))
		})
	}
	if w := serve(middleware.Chain(middleware.Errors(silent), own, middleware.Scope("admin"), bearer)(whoami), "GET", "/", tokenAda); code(w) != "AUTH-8" {
		t.Errorf("got %d %s, want AUTH-8", w.Code, w.Body)
	}
}

// TestTokensWithoutID tests that two tokens are not taken for one because neither has
// an ID.
func TestTokensWithoutID(t *testing.T) {
	v := directory{
		"gate": {Issuer: "i", Client: "app", Scopes: "admin"}, "read": {Issuer: "i", Client: "app", Scopes: "read"},
	}
	two := middleware.Chain(middleware.Bearer(v, &middleware.BearerConfig{Header: "X-Gateway"}), middleware.Bearer(v, nil))
	if w := serve(two(whoami), "GET", "/", "X-Gateway: Bearer gate", "Authorization: Bearer read"); code(w) != "AUTH-1" {
		t.Errorf("two tokens: got %d %s, want AUTH-1", w.Code, w.Body)
	}
	if w := serve(two(whoami), "GET", "/", "X-Gateway: Bearer read", "Authorization: Bearer read"); w.Code != 200 {
		t.Errorf("one token twice: got %d %s", w.Code, w.Body)
	}
}

// TestAddUsageAfterAnInnerOne tests that AddUsage in a handler adds to the Usage
// around that handler, after an inner Usage has ended.
func TestAddUsageAfterAnInnerOne(t *testing.T) {
	outer, inner := &tally{}, &tally{}
	part := middleware.Usage(inner, nil)(whoami)
	h := middleware.Chain(bearer, middleware.Usage(outer, nil))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		part.ServeHTTP(httptest.NewRecorder(), r)
		if err := middleware.AddUsage(r.Context(), 100); err != nil {
			t.Error(err)
		}
	}))
	serve(h, "GET", "/", tokenAda)
	if got := []int64{outer.sum(), inner.sum()}; !slices.Equal(got, []int64{101, 1}) {
		t.Errorf("got %v, want 101 and 1", got)
	}
}
