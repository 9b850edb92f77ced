package idp_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
)

// long reports whether tests may take minutes.
func long() bool { return os.Getenv("AUTHTIER_LONG") == "1" }

// ownStrings is a validator that returns newly allocated strings, as one that reads
// them from a database does. It is offline, so that flights do not slow the test down.
type ownStrings struct{}

func (ownStrings) Offline(middleware.Credential) bool { return true }

func (ownStrings) Validate(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
	id := strings.Clone(c.Secret[len(c.Secret)-26:])
	return &middleware.Identity{
		Issuer: testIssuer, Client: strings.Clone("app"), User: strings.Clone("ada"), Scopes: middleware.Scopes(strings.Clone("read files")),
		Methods: middleware.ByToken, TokenID: id, Family: id, Audience: testAudience, Expires: time.Now().Add(time.Hour),
	}, nil
}

// TestC04MemoryOpaque limits the memory that a remembered opaque token takes.
func TestC04MemoryOpaque(t *testing.T) {
	growth(t, 100_000, 48<<20, ownStrings{}, func(i int) string { return "authtier_at_" + pseudorandom(i, 49) })
}

// TestC04MemoryJWT limits the memory that a remembered JWT of 493 bytes takes. By
// default it remembers an eighth of the tokens, which fills the cache's maps equally
// well.
func TestC04MemoryJWT(t *testing.T) {
	secret := []byte(strings.Repeat("key-", 8))
	keys, err := idp.StaticKeys(idp.Key{Alg: "HS256", Public: secret})
	if err != nil {
		t.Fatal(err)
	}
	v := verifier(t, idp.Config{Issuers: []string{testIssuer}, Audience: []string{testAudience}, Keys: keys, User: "username", ClientToken: func(c idp.Claims) bool { return !c.Has("username") }})
	now := time.Now().Unix()
	token := func(i int) string {
		return hs256(secret, fmt.Appendf(nil, `{"iss":%q,"sub":%q,"aud":%q,"exp":%d,"iat":%d,"jti":%q,"client_id":%q,"scope":%q}`,
			testIssuer, pseudorandom(i, 36), testAudience, now+3600, now, pseudorandom(-i, 36), "3f0c7a52-9a1e-4c57-8d0e-6b1f4f0f9a11",
			"reports:read reports:write files:read files:write profile openid"))
	}
	if n := len(token(0)); n != 493 {
		t.Fatalf("the token has %d bytes, want 493", n)
	}
	n, bound := uint64(100_000), uint64(96<<20)
	if !long() {
		n, bound = n/8, bound/8
	}
	growth(t, n, bound, v, token)
}

// hs256 signs a payload as an access token.
func hs256(secret, payload []byte) string {
	b := []byte(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"at+jwt"}`)) + ".")
	b = base64.RawURLEncoding.AppendEncode(b, payload)
	mac := hmac.New(sha256.New, secret)
	mac.Write(b)
	return string(base64.RawURLEncoding.AppendEncode(append(b, '.'), mac.Sum(nil)))
}

// growth fails if remembering n tokens takes more than bound bytes.
func growth(t *testing.T, n, bound uint64, v middleware.Validator, token func(i int) string) {
	t.Helper()
	before := heap()
	// The cache has a fifth more places than tokens, because shards fill unevenly.
	c := newCache(t, v, int(n*6/5), middleware.CacheConfig{})
	remember(t, c, int(n), token)
	grown := heap() - before
	if s := c.Stats(); s.Misses != n || s.Evictions != 0 {
		t.Errorf("not all tokens are remembered: %+v", s)
	}
	t.Logf("%d tokens take %.1f MiB, %d bytes each", n, float64(grown)/(1<<20), grown/n)
	if grown > bound {
		t.Errorf("%d tokens take %d bytes, want at most %d", n, grown, bound)
	}
	runtime.KeepAlive(c)
}

// remember lets c validate n tokens.
func remember(t *testing.T, c *middleware.Cache, n int, token func(i int) string) {
	t.Helper()
	const workers = 4
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				if _, err := c.Validate(t.Context(), middleware.Credential{Scheme: middleware.SchemeBearer, Secret: token(i)}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// heap returns the size of all live objects.
func heap() uint64 {
	runtime.GC()
	// The second collection frees the contents of pools.
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// pseudorandom returns n characters that depend only on i.
func pseudorandom(i, n int) string {
	random := rand.New(rand.NewPCG(uint64(i), 0))
	b := make([]byte, n)
	for at := range b {
		b[at] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"[random.Uint32()%32]
	}
	return string(b)
}
