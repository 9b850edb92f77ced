package middleware_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/authtier/authtier/middleware"
)

// TestC08CacheHoldsNoVerdict uses one token on routes with different requirements.
// C08
func TestC08CacheHoldsNoVerdict(t *testing.T) {
	c := newCache(t, people, 100, middleware.CacheConfig{})
	for range 2 {
		for want, guard := range map[string]middleware.Wrapper{
			"":        middleware.Chain(middleware.Bearer(c, &middleware.BearerConfig{Audience: "a1"}), middleware.Scope("read")),
			"AUTH-7":  middleware.Chain(middleware.Bearer(c, nil), middleware.Scope("write")),
			"AUTH-12": middleware.Bearer(c, &middleware.BearerConfig{Audience: "a3"}),
			"AUTH-1":  middleware.Chain(middleware.APIKey(c, nil), middleware.Bearer(c, nil)),
		} {
			w := serve(guard(whoami), "GET", "/", tokenAda, "X-API-KEY: key-other")
			if code(w) != want {
				t.Errorf("got %d %s, want %q", w.Code, w.Body, want)
			}
		}
	}

	loose := middleware.Chain(middleware.APIKey(c, nil), middleware.Bearer(c, &middleware.BearerConfig{AllowOtherClient: true}))
	strict := middleware.Chain(middleware.APIKey(c, nil), middleware.Bearer(c, nil))
	for range 2 {
		if w := serve(loose(whoami), "GET", "/", tokenAda, "X-API-KEY: key-other"); w.Code != 200 {
			t.Errorf("AllowOtherClient: got %d %s", w.Code, w.Body)
		}
		if w := serve(strict(whoami), "GET", "/", tokenAda, "X-API-KEY: key-other"); code(w) != "AUTH-1" {
			t.Errorf("beside a route that allows it: got %d %s", w.Code, w.Body)
		}
	}
}

// TestSyntaxIsCheckedOnHits tests that a hit does not admit a token in a header that
// only a query may carry.
func TestSyntaxIsCheckedOnHits(t *testing.T) {
	v := middleware.ValidatorFunc(func(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
		return &middleware.Identity{Issuer: "i", Client: "c", Scopes: "s"}, nil
	})
	guard := middleware.Bearer(newCache(t, v, 100, middleware.CacheConfig{}), &middleware.BearerConfig{QuerySafe: []string{"s"}})
	for range 2 {
		if w := serve(guard(whoami), "GET", "/?access_token=a%20b"); w.Code != 200 {
			t.Errorf("in the query: got %d %s", w.Code, w.Body)
		}
		if w := serve(guard(whoami), "GET", "/", "Authorization: Bearer a b"); code(w) != "AUTH-3" {
			t.Errorf("in the header: got %d %s", w.Code, w.Body)
		}
	}
}

// TestOneAllocation measures the cost of a whole chain: one allocation, for the
// request's copy and its state.
func TestOneAllocation(t *testing.T) {
	c := newCache(t, people, 100, middleware.CacheConfig{})
	m := &tally{}
	guard := middleware.Tiers(middleware.TierTable{"/user/": middleware.Chain(
		middleware.APIKey(c, nil),
		middleware.Bearer(c, &middleware.BearerConfig{RequireUser: true, Audience: "a1"}),
		middleware.Scope("read"), middleware.Usage(m, nil),
	)}, nil)

	h := guard(opaqueHandler)
	r, w := httptest.NewRequest("GET", "/user/x", nil), httptest.NewRecorder()
	r.Header.Set("X-API-KEY", "key-app")
	r.Header.Set("Authorization", "Bearer token-ada")
	h.ServeHTTP(w, r)

	n := testing.AllocsPerRun(1000, func() {
		clear(w.Header())
		h.ServeHTTP(w, r)
	})
	if n != 1 || w.Code != 200 {
		t.Errorf("%v allocations and status %d, want 1 and 200", n, w.Code)
	}
}

// TestC14CopiesAreTheirOwn changes copies of an identity that a cache remembers.
func TestC14CopiesAreTheirOwn(t *testing.T) {
	c := newCache(t, people, 100, middleware.CacheConfig{})
	narrow := middleware.ValidatorFunc(func(ctx context.Context, cred middleware.Credential) (*middleware.Identity, error) {
		id, err := c.Validate(ctx, cred)
		if err != nil {
			return nil, err
		}
		copied := *id
		copied.Scopes = "read"
		return &copied, nil
	})

	wide := middleware.Chain(middleware.APIKey(c, nil), middleware.Bearer(c, nil))
	tight := middleware.Chain(middleware.APIKey(c, nil), middleware.Bearer(narrow, nil))
	for range 2 {
		if id := identity(t, serve(wide(whoami), "GET", "/", keyApp, tokenAda)); id.Scopes != "read files" {
			t.Errorf("the whole identity has the scopes %q", id.Scopes)
		}
		if id := identity(t, serve(tight(whoami), "GET", "/", keyApp, tokenAda)); id.Scopes != "read" {
			t.Errorf("the narrowed copy has the scopes %q", id.Scopes)
		}
	}

	// Usage must not take its counter from the identity of which the copy was made.
	clients := map[string]int64{}
	m := meterFunc(func(client string) func(int64) error {
		return func(n int64) error { clients[client] += n; return nil }
	})
	count := middleware.Usage(m, nil)
	inner := count(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	asOther := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := middleware.IdentityFromContext(r.Context())
		id.Client = "x"
		inner.ServeHTTP(w, r.WithContext(middleware.WithIdentity(context.Background(), id)))
	})

	bearer := middleware.Bearer(c, nil)
	serve(bearer(asOther), "GET", "/", tokenAda)
	serve(middleware.Chain(bearer, count)(whoami), "GET", "/", tokenAda)
	serve(bearer(asOther), "GET", "/", tokenAda)
	if clients["app"] != 1 || clients["x"] != 2 {
		t.Errorf("counted %v, want 1 for app and 2 for x", clients)
	}
}

// meterFunc is a meter that returns the counter of a client.
type meterFunc func(client string) func(int64) error

func (f meterFunc) Counter(_ int, _, client string) (func(int64) error, error) { return f(client), nil }
