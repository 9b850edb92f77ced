package middleware_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// heap returns the size of all live objects.
func heap() int {
	runtime.GC()
	// The second collection frees the contents of pools.
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// jwtOfSize returns the number-th token with that size. Its form is that of an HS256
// token.
func jwtOfSize(number, size int) string {
	encode := base64.RawURLEncoding.EncodeToString
	const head, signature = `{"alg":"HS256","typ":"at+jwt"}`, 43
	payload := fmt.Sprintf(`{"jti":%q,"pad":"`, pseudorandom(number, 36))
	room := base64.RawURLEncoding.DecodedLen(size - len(encode([]byte(head))) - signature - 2)
	payload += pseudorandom(-number, room-len(payload)-2) + `"}`
	return encode([]byte(head)) + "." + encode([]byte(payload)) + "." + pseudorandom(number, signature)
}

// likeJWT validates each token as package idp does: it makes new strings. It also keeps
// the payload.
var likeJWT = localFunc(func(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
	payload := strings.Clone(strings.Split(c.Secret, ".")[1])
	user := c.Secret[len(c.Secret)-36:]
	id := middleware.Identity{
		Issuer: strings.Clone("https://id.example"), Client: strings.Clone("3f0c7a52-9a1e-4c57-8d0e-6b1f4f0f9a11"),
		User: strings.Clone(user), TokenID: strings.ToLower(user), SigningKeyID: strings.Clone("k1"), Methods: middleware.ByToken,
		Scopes: middleware.Scopes(strings.Clone("reports:read reports:write")), Audience: "https://api.example",
		Expires: time.Now().Add(time.Hour),
	}.WithClaims(payload)
	return &id, nil
})

// TestC04MemoryOfATokenBySize limits the memory that a remembered JWT takes beside its
// header and payload.
func TestC04MemoryOfATokenBySize(t *testing.T) {
	const n, most = 6000, 600
	for _, size := range []int{500, 1000, 1024, 3000, 3072} {
		before := heap()
		c := newCache(t, likeJWT, 2*n, middleware.CacheConfig{TTL: time.Hour})
		text := 0
		for i := range n {
			secret := jwtOfSize(i, size)
			text += strings.LastIndexByte(secret, '.')
			if _, err := c.Validate(t.Context(), token(secret)); err != nil {
				t.Fatal(err)
			}
		}
		over := (heap() - before - text) / n
		if s := c.Stats(); s.Misses != n || s.Evictions != 0 {
			t.Errorf("not all tokens of %d bytes are remembered: %+v", size, s)
		}
		t.Logf("a token of %d bytes takes %d bytes beside its header and payload", len(jwtOfSize(0, size)), over)
		if over > most {
			t.Errorf("a token of %d bytes takes %d bytes beside its header and payload, want at most %d", size, over, most)
		}
		runtime.KeepAlive(c)
	}
}

// TestLargestCredentialThatIsRemembered tests that a cache of any size remembers
// credentials of 8 KiB and no larger ones.
func TestLargestCredentialThatIsRemembered(t *testing.T) {
	const most = 8 << 10
	jwt := func(n int) string { return "ey." + strings.Repeat("p", n-7) + ".sig" }
	for name, credential := range map[string]func(n int) middleware.Credential{
		"a JWT":           func(n int) middleware.Credential { return token(jwt(n)) },
		"an opaque token": func(n int) middleware.Credential { return token(strings.Repeat("o", n)) },
		"a refused JWT":   func(n int) middleware.Credential { return token(strings.Replace(jwt(n), "ppp", "bad", 1)) },
		"user and password": func(n int) middleware.Credential {
			return middleware.Credential{Scheme: middleware.SchemeBasic, Username: strings.Repeat("u", 100), Secret: strings.Repeat("p", n-100)}
		},
	} {
		for size, want := range map[int]uint64{most: 1, most + 1: 0} {
			for _, places := range []int{1, 10_000} {
				c := newCache(t, localFunc(func(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
					if strings.Contains(c.Secret, "bad") {
						return nil, errorsx.BadSignature
					}
					id := middleware.Identity{Client: "app", User: "ada"}.WithClaims(c.Secret)
					return &id, nil
				}), places, middleware.CacheConfig{})
				for range 2 {
					c.Validate(t.Context(), credential(size))
				}
				if s := c.Stats(); s.Hits+s.Refusals != want {
					t.Errorf("%s of %d bytes in a cache of %d: %+v, want it remembered %d times", name, size, places, s, want)
				}
			}
		}
	}
}

// TestMemoryIsBounded fills caches with more large text than they may keep.
func TestMemoryIsBounded(t *testing.T) {
	const places, n = 1600, 4000
	const bound = places*(2<<10+600) + 1<<20
	large := strings.Repeat("t", 7900)
	for name, tt := range map[string]struct {
		token func(i int) string
		id    func(i int) middleware.Identity
	}{
		"large tokens":         {func(i int) string { return fmt.Sprintf("ey.%s.%d", large, i) }, func(i int) middleware.Identity { return middleware.Identity{} }},
		"large refused tokens": {func(i int) string { return fmt.Sprintf("ey.bad%s.%d", large, i) }, nil},
		"identities with text": {func(i int) string { return fmt.Sprint("opaque", i) }, func(i int) middleware.Identity { return middleware.Identity{User: fmt.Sprint(large, i)} }},
		"identities with claims": {func(i int) string { return fmt.Sprint("opaque", i) }, func(i int) middleware.Identity {
			return middleware.Identity{}.WithClaims(fmt.Sprint(`{"a":"`, large, i, `"}`))
		}},
		"different scopes": {func(i int) string { return fmt.Sprint("opaque", i) }, func(i int) middleware.Identity {
			return middleware.Identity{Scopes: middleware.Scopes(fmt.Sprint(large, i))}
		}},
		"different owners": {func(i int) string { return fmt.Sprint("opaque", i) }, func(i int) middleware.Identity {
			return middleware.Identity{}.WithDetails(middleware.Details{Owner: fmt.Sprint(large, i)})
		}},
	} {
		next := 0
		c := newCache(t, localFunc(func(context.Context, middleware.Credential) (*middleware.Identity, error) {
			if tt.id == nil {
				return nil, errorsx.BadSignature
			}
			id := tt.id(next)
			id.Client = "app"
			return &id, nil
		}), places, middleware.CacheConfig{TTL: time.Hour})
		before := heap()
		for ; next < n; next++ {
			for range 2 { // the newest is always remembered
				c.Validate(t.Context(), token(tt.token(next)))
			}
		}
		grown, s := heap()-before, c.Stats()
		if s.Hits+s.Refusals != n || grown > bound {
			t.Errorf("%s: %+v with %d bytes, want %d remembered within %d bytes", name, s, grown, n, bound)
		}
		if tt.id == nil && grown > bound/4 {
			t.Errorf("%s: %d bytes, want at most %d", name, grown, bound/4)
		}
		if tt.id != nil && s.Evictions < n-places/2 {
			t.Errorf("%s: %d evictions are counted", name, s.Evictions)
		}
		runtime.KeepAlive(c)
	}
}

// TestTextOfTheForgottenIsFree tests that a cache has the same room for text again after
// its entries have expired, were dropped, replaced or revoked.
func TestTextOfTheForgottenIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 16 // a cache of one place for each shard still has room for text
		v := newSource()
		v.answer = yes
		c := newCache(t, v, 16*100, middleware.CacheConfig{TTL: time.Minute})
		fill := func() {
			for i := range n {
				cred := token(fmt.Sprintf("ey.%s.%d", strings.Repeat("t", 7900), i))
				client(t, c, cred)
				before := c.Stats().Hits
				client(t, c, cred)
				if c.Stats().Hits != before+1 {
					t.Fatalf("token %d is not remembered: %+v", i, c.Stats())
				}
			}
		}
		for range 50 {
			fill()
			time.Sleep(time.Minute)
			fill()
			c.Forget(middleware.Revocation{Client: "nobody"}, middleware.Revocation{Everything: true})
		}
		if s := c.Stats(); s.Evictions != 0 {
			t.Errorf("%d evictions, want none", s.Evictions)
		}
	})
}

// TestTheOldestIsEvicted fills a cache with small tokens, which are too many, and with
// large ones, whose text is too much. A token that is used in between stays.
func TestTheOldestIsEvicted(t *testing.T) {
	for name, size := range map[string]int{"small": 100, "large": 7900} {
		synctest.Test(t, func(t *testing.T) {
			const places, n = 16 * 20, 2000
			c := newCache(t, localFunc(yes), places, middleware.CacheConfig{TTL: time.Hour})
			hot := token("ey.hot.sig")
			client(t, c, hot)
			for i := range n {
				client(t, c, token(fmt.Sprintf("ey.%s.%d", strings.Repeat("t", size), i)))
				time.Sleep(20 * time.Millisecond) // more than the order of use is inexact
				client(t, c, hot)
			}
			s := c.Stats()
			if s.Hits != n {
				t.Errorf("%s: the token that is used again and again was forgotten %d times", name, n-s.Hits)
			}
			if want := uint64(n + 1 - places); size == 100 && s.Evictions != want {
				t.Errorf("%s: %d evictions, want %d", name, s.Evictions, want)
			}
		})
	}
}
