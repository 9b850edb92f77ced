package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// An oracle is a validator whose answers the test can change. It counts how often it
// is asked.
type oracle struct {
	asked  atomic.Int64
	answer func(ctx context.Context, c middleware.Credential) (*middleware.Identity, error)
	middleware.Sinks
}

func (o *oracle) Validate(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
	o.asked.Add(1)
	return o.answer(ctx, c)
}

// yes accepts every token. The client has the name of the token.
func yes(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
	return &middleware.Identity{Issuer: "i", Client: c.Secret, Methods: middleware.ByToken, TokenID: "id-" + c.Secret}, nil
}

// newSource returns an oracle that is a source and stays fresh for a day.
func newSource() *oracle {
	o := &oracle{}
	o.FreshUntil(time.Now().Add(24 * time.Hour))
	return o
}

func newCache(t testing.TB, v middleware.Validator, size int, cfg middleware.CacheConfig) *middleware.Cache {
	t.Helper()
	if _, ok := v.(middleware.Source); !ok && cfg.TTL == 0 {
		cfg.TTL = time.Minute
	}
	c, err := middleware.NewCache(v, size, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func token(s string) middleware.Credential {
	return middleware.Credential{Scheme: middleware.SchemeBearer, Secret: s}
}

// client returns the client of c, or the code with which c is refused.
func client(t testing.TB, v middleware.Validator, c middleware.Credential) string {
	t.Helper()
	id, err := v.Validate(t.Context(), c)
	if err != nil {
		if id != nil {
			t.Errorf("an identity beside the error %v", err)
		}
		return errorsx.From(err).Code.String()
	}
	return id.Client
}

func TestCacheRemembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &oracle{answer: yes}
		c := newCache(t, middleware.ValidatorFunc(o.Validate), 100, middleware.CacheConfig{})
		for _, step := range []struct {
			wait  time.Duration
			asked int64
		}{{0, 1}, {0, 1}, {time.Minute - 1, 1}, {1, 2}, {30 * time.Second, 2}} {
			time.Sleep(step.wait)
			if got := client(t, c, token("a")); got != "a" || o.asked.Load() != step.asked {
				t.Errorf("after %v more: got %s, asked %d times, want %d", step.wait, got, o.asked.Load(), step.asked)
			}
		}
		if s := c.Stats(); s.Hits != 3 || s.Misses != 2 || s.Flights != 2 {
			t.Errorf("got %+v", s)
		}
	})
}

// TestC05CacheKeys tests that the cache distinguishes credentials that look alike.
// C05
func TestC05CacheKeys(t *testing.T) {
	o := &oracle{answer: func(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
		return &middleware.Identity{Client: string(c.Scheme) + "|" + c.Username + "|" + c.Secret}, nil
	}}
	c := newCache(t, middleware.ValidatorFunc(o.Validate), 1000, middleware.CacheConfig{})
	basic := func(user, secret string) middleware.Credential {
		return middleware.Credential{Scheme: middleware.SchemeBasic, Username: user, Secret: secret}
	}
	random := pseudorandom(1, 49)
	credentials := []middleware.Credential{
		basic("ab", "c"), basic("a", "bc"), basic("a", "b"), basic("a:b", "c"), basic("a", "b:c"), basic("\x00\x00\x00\x01a", "x"),
		token("x"), {Scheme: middleware.SchemeAPIKey, Secret: "x"}, basic("x", "x"), token("X"),
		token("a.b.sig"), token("a.b.sih"), token("sig"), token("a.b."), {Scheme: middleware.SchemeAPIKey, Secret: "a.b.sig"},
		token("p_" + random), token("p__" + random[1:]), {Scheme: middleware.SchemeAPIKey, Secret: "p_k_" + random},
		token("p_" + random[:48] + "!"), token("p_" + random[1:]), token("ey_" + random[1:] + "."), token("ey_a.b." + random),
		token("long_prefix_" + random), token("long_prefix_" + random[1:]), token("long_prefix_" + random[:48] + "-"),
		{Scheme: middleware.SchemeAPIKey, Secret: "long_prefix_" + random},
	}
	for range 2 {
		for _, cred := range credentials {
			if want, got := string(cred.Scheme)+"|"+cred.Username+"|"+cred.Secret, client(t, c, cred); got != want {
				t.Errorf("%s was taken for %s", want, got)
			}
		}
	}
	if got := o.asked.Load(); got != int64(len(credentials)) {
		t.Errorf("asked %d times about %d credentials", got, len(credentials))
	}
	// At most one of several tokens with the same signature is genuine, so they share
	// one place. So do secrets that differ only before their random part.
	for range 2 {
		for _, s := range []string{"a.b.sig", "a.c.sig", ".sig", "a..sig", random, "p_" + random, "long_prefix_" + random, "lonk_prefix_" + random, "p.p.prefix_" + random} {
			if got := client(t, c, token(s)); got != "Bearer||"+s {
				t.Errorf("%s was taken for %s", s, got)
			}
		}
	}
}

func TestC07CacheExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		expires := time.Now().Add(10 * time.Second)
		o := &oracle{answer: func(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
			if !c.Now().Before(expires) {
				return nil, errorsx.TokenExpired
			}
			return &middleware.Identity{Client: "a", Expires: expires}, nil
		}}
		c := newCache(t, middleware.ValidatorFunc(o.Validate), 100, middleware.CacheConfig{TTL: time.Hour})
		for _, step := range []struct {
			wait time.Duration
			want string
		}{{0, "a"}, {10*time.Second - 1, "a"}, {1, "AUTH-11"}, {time.Second, "AUTH-11"}} {
			time.Sleep(step.wait)
			if got := client(t, c, token("a")); got != step.want {
				t.Errorf("after %v more: got %s, want %s", step.wait, got, step.want)
			}
		}
		if o.asked.Load() != 2 {
			t.Errorf("asked %d times, want once before and once after", o.asked.Load())
		}
	})
}

func TestC03CacheRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var err error
		o := &oracle{answer: func(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
			if err != nil {
				return nil, err
			}
			return yes(ctx, c)
		}}
		c := newCache(t, middleware.ValidatorFunc(o.Validate), 100, middleware.CacheConfig{})
		err = errorsx.UnknownToken
		for range 3 {
			if got := client(t, c, token("a")); got != "AUTH-12" {
				t.Errorf("got %s", got)
			}
		}
		if o.asked.Load() != 1 || c.Stats().Refusals != 2 {
			t.Errorf("asked %d times about a refused token, %+v", o.asked.Load(), c.Stats())
		}
		err = nil
		time.Sleep(2 * time.Second)
		if got := client(t, c, token("a")); got != "a" {
			t.Errorf("created after it was refused, two seconds later: got %s", got)
		}
		for _, failure := range []error{errors.New("store down"), errorsx.CredentialStore, errorsx.TooManyRequests} {
			err = failure
			before := o.asked.Load()
			client(t, c, token("b"))
			client(t, c, token("b"))
			if o.asked.Load() != before+2 {
				t.Errorf("%v was remembered", failure)
			}
			err = nil
			if got := client(t, c, token("b"+failure.Error())); !strings.HasPrefix(got, "b") {
				t.Errorf("after %v: got %s", failure, got)
			}
		}
	})
}

// TestCacheForgetsRefusals tests that a token becomes valid when its signing key
// arrives after the token was refused.
func TestCacheForgetsRefusals(t *testing.T) {
	var err error = errorsx.BadSignature
	o := &oracle{answer: func(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
		if err != nil {
			return nil, err
		}
		return yes(ctx, c)
	}}
	c := newCache(t, middleware.ValidatorFunc(o.Validate), 100, middleware.CacheConfig{})
	client(t, c, token("a"))
	err = nil
	c.Forget(middleware.Revocation{User: "ada"})
	if got := client(t, c, token("a")); got != "AUTH-10" {
		t.Errorf("remembered: got %s", got)
	}
	c.Forget(middleware.Revocation{SigningKeyID: "k2"})
	if got := client(t, c, token("a")); got != "a" {
		t.Errorf("with a new key: got %s", got)
	}
}

// TestC04JunkEvictsNothing floods the cache with refused tokens. C04
func TestC04JunkEvictsNothing(t *testing.T) {
	o := &oracle{answer: func(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
		if strings.HasPrefix(c.Secret, "junk") {
			return nil, errorsx.UnknownToken
		}
		return yes(ctx, c)
	}}
	c := newCache(t, middleware.ValidatorFunc(o.Validate), 1600, middleware.CacheConfig{})
	for i := range 800 {
		client(t, c, token(fmt.Sprint("good", i)))
	}
	for i := range 20_000 {
		client(t, c, token(fmt.Sprint("junk", i)))
	}
	before := o.asked.Load()
	for i := range 800 {
		client(t, c, token(fmt.Sprint("good", i)))
	}
	if again := o.asked.Load() - before; again != 0 || c.Stats().Evictions != 0 {
		t.Errorf("%d of 800 good tokens were forgotten, %+v", again, c.Stats())
	}
}

func TestC01CacheForgets(t *testing.T) {
	id := middleware.Identity{
		Issuer: "i", Client: "app", User: "ada", Methods: middleware.ByToken,
		TokenID: "t", Family: "f", APIKeyID: "k", SigningKeyID: "s",
	}
	o := newSource()
	o.answer = func(context.Context, middleware.Credential) (*middleware.Identity, error) {
		copied := id
		return &copied, nil
	}
	c := newCache(t, o, 100, middleware.CacheConfig{})
	asks := func() bool {
		before := o.asked.Load()
		client(t, c, token("x"))
		return o.asked.Load() != before
	}
	asks()
	for _, tt := range []struct {
		r    middleware.Revocation
		want bool
	}{
		{middleware.Revocation{TokenID: "t"}, true},
		{middleware.Revocation{Family: "f"}, true},
		{middleware.Revocation{APIKeyID: "k"}, true},
		{middleware.Revocation{Client: "app"}, true},
		{middleware.Revocation{User: "ada"}, true},
		{middleware.Revocation{SigningKeyID: "s"}, true},
		{middleware.Revocation{Everything: true}, true},
		{middleware.Revocation{TokenID: "f"}, false},
		{middleware.Revocation{Client: "ada"}, false},
		{middleware.Revocation{User: "app"}, false},
		{middleware.Revocation{}, true},
		{middleware.Revocation{Client: "other", User: "ada"}, true},
	} {
		o.Forget(tt.r)
		if got := asks(); got != tt.want {
			t.Errorf("%+v: asked anew is %t, want %t", tt.r, got, tt.want)
		}
		if asks() {
			t.Errorf("%+v: asked a second time", tt.r)
		}
	}

	// These are more revocations than the cache remembers.
	for i := range 5000 {
		o.Forget(middleware.Revocation{TokenID: fmt.Sprint(i)})
	}
	if !asks() {
		t.Error("an identity that is too far behind was believed")
	}
}

func TestC01Freshness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &oracle{answer: yes}
		o.FreshUntil(time.Now().Add(30 * time.Second))
		strict := newCache(t, o, 100, middleware.CacheConfig{})
		stale := newCache(t, o, 100, middleware.CacheConfig{AllowStale: true})
		for _, step := range []struct {
			wait          time.Duration
			strict, stale string
		}{{0, "a", "a"}, {30 * time.Second, "a", "a"}, {1, "AUTH-8", "a"}} {
			time.Sleep(step.wait)
			if a, b := client(t, strict, token("a")), client(t, stale, token("a")); a != step.strict || b != step.stale {
				t.Errorf("after %v more: got %s and %s, want %s and %s", step.wait, a, b, step.strict, step.stale)
			}
		}
		o.FreshUntil(time.Now().Add(30 * time.Second))
		if got := client(t, strict, token("a")); got != "a" {
			t.Errorf("heard of again: got %s", got)
		}
	})
}

// pass is a decorator that changes nothing.
func pass(ctx context.Context, c middleware.Credential, next middleware.Validator) (*middleware.Identity, error) {
	return next.Validate(ctx, c)
}

// An endless validator wraps itself.
type endless struct{ middleware.ValidatorFunc }

func (e endless) Unwrap() middleware.Validator { return e }

func TestC18NewCacheRefuses(t *testing.T) {
	v := middleware.ValidatorFunc(yes)
	for name, tt := range map[string]struct {
		v    middleware.Validator
		size int
		ttl  time.Duration
	}{
		"nil validator": {nil, 1, time.Minute}, "size 0": {v, 0, time.Minute}, "negative size": {v, -1, time.Minute},
		"negative TTL": {v, 1, -1}, "TTL of a week": {v, 1, 7 * 24 * time.Hour},
		"no TTL and no source": {v, 1, 0}, "no source in a choice": {middleware.ByScheme{middleware.SchemeBasic: v}, 1, 0},
		"a throttle":          {newThrottle(t, 0).Around(v), 1, time.Minute},
		"a throttle inside":   {middleware.Around(newThrottle(t, 0).Around(v), pass), 1, time.Minute},
		"a chain without end": {endless{}, 1, time.Minute},
	} {
		if c, err := middleware.NewCache(tt.v, tt.size, &middleware.CacheConfig{TTL: tt.ttl}); err == nil || c != nil {
			t.Errorf("%s: accepted", name)
		}
	}
	one := newCache(t, v, 1, middleware.CacheConfig{})
	for i := range 100 {
		if got := client(t, one, token(fmt.Sprint(i))); got != fmt.Sprint(i) {
			t.Errorf("in the smallest cache: got %s", got)
		}
	}
}

// TestC07CacheRefusesTheExpired tests that the cache refuses expired identities
// itself: a validator may ignore the expiry, and a flight may end after it.
func TestC07CacheRefusesTheExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := time.Now().Add(500 * time.Millisecond)
		v := middleware.ValidatorFunc(func(context.Context, middleware.Credential) (*middleware.Identity, error) {
			time.Sleep(time.Second)
			return &middleware.Identity{Client: "a", Expires: end}, nil
		})
		c := newCache(t, v, 100, middleware.CacheConfig{})
		time.Sleep(600 * time.Millisecond)
		for range 2 {
			if got := client(t, c, token("x")); got != "AUTH-11" {
				t.Errorf("got %s, want the identity refused", got)
			}
		}
	})
}

// TestOpaqueTokensWithDots tests that opaque tokens are not mistaken for JWTs, of
// which the cache stores parts as text.
func TestOpaqueTokensWithDots(t *testing.T) {
	c := newCache(t, middleware.ValidatorFunc(yes), 100, middleware.CacheConfig{})
	client(t, c, token("prefix-planted-secret.01.crc"))
	if s := fmt.Sprintf("%+v", c); strings.Contains(s, "planted") {
		t.Error("the cache keeps part of the token")
	}
}
