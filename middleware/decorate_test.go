package middleware_test

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/throttle"
)

// blind wraps a validator and hides its type.
func blind(v middleware.Validator) middleware.Validator {
	return middleware.ValidatorFunc(func(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
		return v.Validate(ctx, c)
	})
}

// TestCacheHearsThroughDecorators tests that the cache finds a source inside of
// decorators, and requires a TTL if it finds none.
func TestCacheHearsThroughDecorators(t *testing.T) {
	for name, decorate := range map[string]func(middleware.Validator) middleware.Validator{
		"Around": func(v middleware.Validator) middleware.Validator { return middleware.Around(v, pass) },
		"Around twice": func(v middleware.Validator) middleware.Validator {
			return middleware.Around(middleware.Around(v, pass), pass)
		},
		"ByScheme": func(v middleware.Validator) middleware.Validator {
			return middleware.ByScheme{middleware.SchemeBearer: v}
		},
	} {
		o := newSource()
		o.answer = yes
		c := newCache(t, decorate(o), 10, middleware.CacheConfig{TTL: time.Minute})
		for range 2 {
			client(t, c, token("a"))
		}
		o.Forget(middleware.Revocation{TokenID: "id-a"})
		if client(t, c, token("a")); o.asked.Load() != 2 {
			t.Errorf("%s: asked %d times, want once, and once more after the revocation", name, o.asked.Load())
		}
	}
	if _, err := middleware.NewCache(blind(newSource()), 10, nil); err == nil {
		t.Error("a hidden source and no TTL: accepted")
	}
}

// TestCacheNeedsAllSources tests that the cache is fresh only while all of its
// sources are.
func TestCacheNeedsAllSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &oracle{}, &oracle{}
		a.answer, b.answer = yes, yes
		c := newCache(t, middleware.ByScheme{middleware.SchemeBearer: a, middleware.SchemeAPIKey: b}, 10, middleware.CacheConfig{TTL: time.Hour})
		fresh := func(o *oracle, d time.Duration) { o.FreshUntil(time.Now().Add(d)) }
		want := func(want string) {
			t.Helper()
			if got := client(t, c, token("x")); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		want("AUTH-8")
		fresh(a, time.Hour)
		want("AUTH-8")
		fresh(b, time.Minute)
		want("x")
		time.Sleep(2 * time.Minute)
		want("AUTH-8")
		fresh(b, 2*time.Hour)
		want("x")
		time.Sleep(time.Hour)
		want("AUTH-8")
	})
}

// TestDecoratorIsNotPureComputation tests that a decorated validator is not an OfflineValidator,
// even if the inner validator is. A decorator may ask a database, so its calls are
// flights that waiting requests share.
func TestDecoratorIsNotPureComputation(t *testing.T) {
	c := newCache(t, middleware.Around(localFunc(yes), pass), 10, middleware.CacheConfig{TTL: time.Minute})
	client(t, c, token("a.b.c"))
	if n := c.Stats().Flights; n != 1 {
		t.Errorf("%d flights, want 1", n)
	}
}

// TestDecoratorRunsOnEachRequest tests that a decorator around a cache runs on each
// request, and that its changes of an identity stay its own.
func TestDecoratorRunsOnEachRequest(t *testing.T) {
	c := newCache(t, people, 10, middleware.CacheConfig{})
	runs := 0
	raised := middleware.Around(c, func(ctx context.Context, cred middleware.Credential, next middleware.Validator) (*middleware.Identity, error) {
		runs++
		id, err := next.Validate(ctx, cred)
		if err == nil {
			id.Scopes += " admin"
		}
		return id, err
	})
	for range 3 {
		if w := serve(middleware.Chain(middleware.Bearer(raised, nil), middleware.Scope("admin"))(whoami), "GET", "/", tokenAda); w.Code != 200 {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	}
	if runs != 3 {
		t.Errorf("the decorator ran %d times, want 3", runs)
	}
	w := serve(middleware.Chain(middleware.Bearer(c, nil), middleware.Scope("admin"))(whoami), "GET", "/", tokenAda)
	if code(w) != "AUTH-7" {
		t.Errorf("without the decorator: got %d %s, want AUTH-7", w.Code, w.Body)
	}
}

// TestMethodsAreTheWrappers tests that the wrapper sets the Methods of an identity. A
// validator that sets none, or wrong ones, must not let a key change a token's
// scopes.
func TestMethodsAreTheWrappers(t *testing.T) {
	for name, methods := range map[string]middleware.Methods{"none": 0, "wrong": middleware.ByToken} {
		v := directory{
			"k": {Issuer: "i", Client: "app", Scopes: "admin", Methods: methods},
			"t": {Issuer: "i", Client: "app", User: "ada", Scopes: "read", Methods: methods &^ middleware.ByToken},
		}
		for how, auth := range map[string]middleware.Validator{"asked": v, "cached": newCache(t, v, 10, middleware.CacheConfig{})} {
			both := middleware.Chain(middleware.APIKey(auth, nil), middleware.Bearer(auth, nil))
			for range 2 {
				w := serve(middleware.Chain(both, middleware.Scope("admin"))(whoami), "GET", "/", "X-API-KEY: k", "Authorization: Bearer t")
				if code(w) != "AUTH-7" {
					t.Errorf("%s, %s: got %d %s, want AUTH-7", name, how, w.Code, w.Body)
				}
				w = serve(both(whoami), "GET", "/", "X-API-KEY: k", "Authorization: Bearer t")
				if id := identity(t, w); id.Methods != middleware.ByAPIKey|middleware.ByToken || id.Scopes != "read" {
					t.Errorf("%s, %s: got %+v", name, how, id)
				}
			}
		}
	}
}

// TestEmptyIdentity tests that an identity without client and user is a fault,
// whether or not it is cached.
func TestEmptyIdentity(t *testing.T) {
	v := middleware.ValidatorFunc(func(context.Context, middleware.Credential) (*middleware.Identity, error) {
		return &middleware.Identity{Issuer: "i", Scopes: "admin", TokenID: "t"}, nil
	})
	for name, auth := range map[string]middleware.Validator{
		"asked": v, "cached": newCache(t, v, 10, middleware.CacheConfig{}), "decorated": middleware.Around(v, pass),
	} {
		for range 2 {
			w := serve(middleware.Chain(middleware.Errors(silent), middleware.Bearer(auth, nil))(whoami), "GET", "/", tokenAda)
			if code(w) != "AUTH-8" {
				t.Errorf("%s: got %d %s, want AUTH-8", name, w.Code, w.Body)
			}
		}
	}
}

// TestIdentitiesWithoutIssuer tests that two identities without an Issuer are not
// merged, because their clients may differ.
func TestIdentitiesWithoutIssuer(t *testing.T) {
	keys, tokens := directory{"k": {Client: "7", Scopes: "admin"}}, directory{"t": {Client: "7", User: "eve"}}
	h := middleware.Chain(
		middleware.Errors(silent), middleware.APIKey(keys, nil), middleware.Bearer(tokens, &middleware.BearerConfig{AllowAnonymous: true}),
	)(whoami)
	if w := serve(h, "GET", "/", "X-API-KEY: k", "Authorization: Bearer t"); code(w) != "AUTH-8" {
		t.Errorf("got %d %s, want AUTH-8", w.Code, w.Body)
	}
	if w := serve(h, "GET", "/", "X-API-KEY: k"); w.Code != 200 {
		t.Errorf("one alone: got %d %s", w.Code, w.Body)
	}
}

// TestUsageNeedsSomebodyToBill tests that a use is a fault if no client can be
// billed.
func TestUsageNeedsSomebodyToBill(t *testing.T) {
	for name, id := range map[string]middleware.Identity{"no client": {Issuer: "i", User: "ada"}, "no issuer": {Client: "app"}} {
		m := &tally{}
		h := middleware.Chain(middleware.Chain(middleware.Errors(silent), middleware.Bearer(directory{"t": id}, nil)), middleware.Usage(m, nil))(whoami)
		if w := serve(h, "GET", "/", "Authorization: Bearer t"); code(w) != "AUTH-8" || m.sum() != 0 {
			t.Errorf("%s: got %d %s and %d uses", name, w.Code, w.Body, m.sum())
		}
	}
}

// TestNothingIsNilInDisguise tests that a typed nil is not accepted as a validator or
// a meter. A constructor returns one together with an error that the caller ignored.
func TestNothingIsNilInDisguise(t *testing.T) {
	var cache *middleware.Cache
	var limit *throttle.Throttle
	var choice middleware.ByScheme
	var f middleware.ValidatorFunc
	var m *tally
	for name, wire := range map[string]func(){
		"a nil cache":        func() { middleware.Bearer(cache, nil) },
		"a nil choice":       func() { middleware.APIKey(choice, nil) },
		"a nil function":     func() { middleware.Basic(f, nil) },
		"a nil throttle":     func() { limit.Around(people) },
		"decorating nothing": func() { middleware.Around(cache, pass) },
		"by nothing":         func() { middleware.Around(people, nil) },
		"a nil meter":        func() { middleware.Usage(m, nil) },
		"a choice of nothing": func() {
			middleware.Bearer(middleware.ByScheme{middleware.SchemeBearer: cache}, nil)
		},
		"an empty chain": func() { middleware.Chain() },
		"a nil writer":   func() { middleware.Errors(nil) },
		"no observer":    func() { middleware.Observe(nil) },
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

// TestWithIdentityCountsAsToken tests that an API key does not replace an identity
// that the program's own code has proven.
func TestWithIdentityCountsAsToken(t *testing.T) {
	own := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id := middleware.Identity{Issuer: "i", Client: "app", User: "bob", Scopes: "read"}
			next.ServeHTTP(w, r.WithContext(middleware.WithIdentity(r.Context(), id)))
		})
	}
	if id := identity(t, serve(middleware.Chain(own, key)(whoami), "GET", "/", keyApp)); id.Scopes != "read" || id.User != "bob" || id.APIKeyID != "k1" {
		t.Errorf("got %+v", id)
	}
}

// TestThrottleWantsAClient tests that a credential without an address is a fault.
// Otherwise all clients' failures would count as one client's.
func TestThrottleWantsAClient(t *testing.T) {
	throttle := newThrottle(t, 0)
	_, err := throttle.Begin(middleware.Credential{Scheme: middleware.SchemeBasic, Username: "ada", Secret: "x"})
	if !errors.Is(err, errorsx.Internal) {
		t.Errorf("got %v, want AUTH-8", err)
	}
}

// bound returns a validator whose tokens are bound to a key, behind a decorator that
// returns an identity of its own making.
func bound() middleware.Validator {
	binding := middleware.ValidatorFunc(func(context.Context, middleware.Credential) (*middleware.Identity, error) {
		id := middleware.Identity{Client: "app"}.WithDetails(middleware.Details{KeyBinding: true})
		return &id, nil
	})
	return middleware.Around(binding, func(ctx context.Context, c middleware.Credential, next middleware.Validator) (*middleware.Identity, error) {
		if _, err := next.Validate(ctx, c); err != nil {
			return nil, err
		}
		return &middleware.Identity{Client: "app"}, nil
	})
}

// TestDecoratorKeepsLimits tests that an identity of a decorator's own making has the
// networks and the end of the credential, and is forgotten when that is revoked.
func TestDecoratorKeepsLimits(t *testing.T) {
	end := time.Now().Add(time.Hour).Truncate(time.Second)
	o := newSource()
	o.answer = func(context.Context, middleware.Credential) (*middleware.Identity, error) {
		id := middleware.Identity{
			Issuer: "i", Client: "app", User: "ada", TokenID: "t", Family: "f", APIKeyID: "k", SigningKeyID: "s", Expires: end, ClientVersion: 1,
		}
		id = id.WithDetails(middleware.Details{Owner: "bob", ScopeLimit: true, Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
		return &id, nil
	}
	for name, expires := range map[string]time.Time{"no end": {}, "a later end": end.Add(time.Hour), "an earlier end": end.Add(-time.Minute)} {
		mapped := middleware.Around(o, func(ctx context.Context, c middleware.Credential, next middleware.Validator) (*middleware.Identity, error) {
			id, err := next.Validate(ctx, c)
			if err != nil {
				return nil, err
			}
			return &middleware.Identity{Issuer: id.Issuer, Client: id.Client, User: id.User, Expires: expires}, nil
		})
		c := newCache(t, mapped, 10, middleware.CacheConfig{TTL: time.Hour})
		h := middleware.Bearer(c, nil)(whoami)
		if w := serveFrom(h, "6.6.6.6:1", "Authorization: Bearer x"); code(w) != "AUTH-1" {
			t.Errorf("%s, from elsewhere: got %d %s, want AUTH-1", name, w.Code, w.Body)
		}

		want := end
		if !expires.IsZero() && expires.Before(end) {
			want = expires
		}
		id := identity(t, serveFrom(h, "10.0.0.1:1", "Authorization: Bearer x"))
		if id.TokenID != "t" || id.Family != "f" || id.APIKeyID != "k" || id.SigningKeyID != "s" || id.ClientVersion != 1 || !id.Expires.Equal(want) {
			t.Errorf("%s: got %+v, want the IDs of the original and the end %v", name, id, want)
		}
		if _, err := middleware.Check(sent("GET", "Authorization: Bearer x"), middleware.Bearer(bound(), nil)); errorsx.From(err).Code != errorsx.UnknownToken {
			t.Errorf("%s, bound to a key: got %v", name, err)
		}
		if id, err := mapped.Validate(t.Context(), token("x")); err != nil || !id.Details().ScopeLimit {
			t.Errorf("%s: got %+v, %v, want a limit of scopes", name, id, err)
		}

		for _, r := range []middleware.Revocation{
			{TokenID: "t"}, {APIKeyID: "k"}, {User: "bob"},
		} {
			before := o.asked.Load()
			o.Forget(r)
			serveFrom(h, "10.0.0.1:1", "Authorization: Bearer x")
			if o.asked.Load() != before+1 {
				t.Errorf("%s: still cached after the revocation %v", name, r)
			}
		}
	}
}
