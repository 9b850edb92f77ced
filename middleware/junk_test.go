package middleware_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// A gate is a validator that refuses junk and accepts good tokens. It counts both.
type gate struct{ good, junk atomic.Int64 }

func (g *gate) Validate(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
	if strings.Contains(c.Secret, "junk") {
		g.junk.Add(1)
		return nil, errorsx.UnknownToken
	}
	g.good.Add(1)
	return yes(ctx, c)
}

// TestC04HalfJunk sends as much junk as good tokens, many more than the cache holds,
// and each one twice. The hot tokens stay in the cache, and the second time the
// validator is hardly asked. The clock stands still in between. C04
func TestC04HalfJunk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const workers, each, hot = 8, 500, 1000
		v := &gate{}
		c := newCache(t, middleware.ValidatorFunc(v.Validate), 2*hot, middleware.CacheConfig{})
		h := middleware.Bearer(c, nil)(opaqueHandler)
		bearerOf := func(token string) int { return serve(h, "GET", "/", "Authorization: Bearer "+token).Code }
		for i := range hot {
			bearerOf(fmt.Sprint("good-", i))
		}
		var wg sync.WaitGroup
		var wrong atomic.Int64
		for w := range workers {
			wg.Go(func() {
				for i := range each {
					junk := fmt.Sprintf("junk-%d-%d", w, i)
					if i%2 == 0 {
						junk = "head.payload." + junk
					}
					for n := range 2 {
						good := fmt.Sprint("good-", (w*each+2*i+n)%hot)
						if bearerOf(good) != http.StatusOK || bearerOf(junk) != http.StatusNotFound {
							wrong.Add(1)
						}
					}
				}
			})
		}
		wg.Wait()
		if wrong.Load() != 0 {
			t.Errorf("%d pairs of requests were answered wrongly", wrong.Load())
		}
		requests, again := int64(2*workers*each), v.good.Load()-hot
		if again*100 > requests {
			t.Errorf("%d of %d requests of the hot set asked the validator, want at most 1 %%", again, requests)
		}
		// If a worker was delayed, others may have evicted its refusal.
		if again := v.junk.Load() - workers*each; again*100 > workers*each {
			t.Errorf("the validator was asked again about %d of %d pieces of junk, want at most 1 %%", again, workers*each)
		}
		if s := c.Stats(); s.Evictions != 0 {
			t.Errorf("got %+v", s)
		}
	})
}

// TestJunkBesideGoodTokens sends junk that differs from a good token only in its
// signature. It takes neither the good token's place nor its identity. A token that
// was just refused is not validated again.
func TestJunkBesideGoodTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &gate{}
		c := newCache(t, middleware.ValidatorFunc(v.Validate), 100, middleware.CacheConfig{})
		const good, pieces = "head.payload.signature", 1000
		client(t, c, token(good))
		for i := range pieces {
			for range 2 {
				if got := client(t, c, token(fmt.Sprint("head.payload.junk", i))); got != "AUTH-12" {
					t.Errorf("junk %d: got %s", i, got)
				}
			}
			if got := client(t, c, token(good)); got != good {
				t.Errorf("after junk %d: got %s", i, got)
			}
		}
		if v.good.Load() != 1 || v.junk.Load() != pieces {
			t.Errorf("the validator was asked %d times about one good token and %d times about %d pieces of junk", v.good.Load(), v.junk.Load(), pieces)
		}
	})
}

// TestSignatureOfAnother appends the signature of a remembered token to another
// header and payload.
func TestSignatureOfAnother(t *testing.T) { // C05
	const good = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"
	c := newCache(t, directory{good: {Client: "a"}}, 100, middleware.CacheConfig{})
	if got := client(t, c, token(good)); got != "a" {
		t.Fatal(got)
	}
	for _, other := range []string{
		"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJldmUifQ.c2lnbmF0dXJl",
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl",
		"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJ",
		"eyJhbGciOiJFUzI1NiJ9..c2lnbmF0dXJl",
	} {
		if got := client(t, c, token(other)); got != "AUTH-12" {
			t.Errorf("%s: got %s, want AUTH-12", other, got)
		}
	}
	if got := client(t, c, token(good)); got != "a" {
		t.Errorf("the token itself, afterwards: got %s", got)
	}
}
