package ours

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"testing"

	"github.com/authtier/authtier/benchmarks/peers/bench"
	"github.com/authtier/authtier/middleware"
)

// apiKeyParties are ours and hand-written code with a digest, a map, and the client in
// the context. The latter does not check the characters of a key, set headers for shared
// caches, check expiry, or learn of revocations.
func apiKeyParties(tb testing.TB) (key string, parties []bench.Party) {
	tb.Helper()
	s := NewSite(tb, "opaque")
	clients := map[[sha256.Size]byte]string{
		sha256.Sum256([]byte(s.Key)): bench.ClientID, sha256.Sum256([]byte(s.foreignKey)): "other",
	}
	byHand := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client, ok := clients[sha256.Sum256([]byte(r.Header.Get("X-Api-Key")))]
		if !ok {
			bench.Refuse(w)
			return
		}
		bench.Admit(w, r, client)
	})
	return s.Key, []bench.Party{
		{Name: "authtier", Handler: middleware.APIKey(s.cache, nil)(bench.Next)},
		{Name: "by-hand", Handler: byHand},
	}
}

func checkAPIKey(tb testing.TB, p bench.Party, key string) {
	tb.Helper()
	p.Check(tb, withKey(key), map[string]*http.Request{
		"another character": withKey(bench.Tampered(key)),
		"no key":            bench.Request(),
	})
}

func withKey(key string) *http.Request { return bench.Request("X-Api-Key", key) }

func TestAPIKey(t *testing.T) {
	key, parties := apiKeyParties(t)
	for _, p := range parties {
		checkAPIKey(t, p, key)
	}
}

func BenchmarkAPIKey(b *testing.B) {
	key, parties := apiKeyParties(b)
	for _, p := range parties {
		checkAPIKey(b, p, key)
		p.Outcomes(b, "", withKey(key), withKey(bench.Tampered(key)))
		p.Junk(b, "", bench.Request(), "X-Api-Key", func() string { return "authtier_key_k_" + (rand.Text() + rand.Text())[:49] })
	}
}
