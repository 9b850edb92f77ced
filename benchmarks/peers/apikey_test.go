package peers

import (
	"crypto/sha256"
	"net/http"
	"testing"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
)

// apiKeyParties are ours and what one would write by hand: a digest, a map, and
// the client in the context. It neither looks at the characters of a key nor
// protects the answer from shared caches, knows no expiry, and learns nothing.
func apiKeyParties(tb testing.TB) (key string, parties []party) {
	tb.Helper()
	s := newSite(tb, "opaque")
	clients := map[[sha256.Size]byte]string{
		sha256.Sum256([]byte(s.key)): "app", sha256.Sum256([]byte(s.foreignKey)): "other",
	}
	byHand := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client, ok := clients[sha256.Sum256([]byte(r.Header.Get("X-Api-Key")))]
		if !ok {
			refuse(w)
			return
		}
		admit(w, r, client)
	})
	return s.key, []party{
		{"authtier", middleware.APIKey(s.cache, middleware.APIKeyConfig{})(next)},
		{"by-hand", byHand},
	}
}

func checkAPIKey(tb testing.TB, p party, key string) {
	tb.Helper()
	p.check(tb, request("X-Api-Key", key), map[string]*http.Request{
		"another character": request("X-Api-Key", tampered(key)),
		"no key":            request(),
	})
}

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
		b.Run("peer="+p.name+"/outcome=accept", func(b *testing.B) { serve(b, p.h, true, request("X-Api-Key", key)) })
		b.Run("peer="+p.name+"/outcome=refuse", func(b *testing.B) { serve(b, p.h, false, request("X-Api-Key", tampered(key))) })
		b.Run("peer="+p.name+"/outcome=junk", func(b *testing.B) {
			var requests []*http.Request
			for range tooMany {
				requests = append(requests, request("X-Api-Key", tampered(issuer.Generate("authtier_key_k"))))
			}
			serve(b, p.h, false, requests...)
		})
	}
}
