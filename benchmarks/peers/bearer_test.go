package peers

import (
	"net/http"
	"testing"

	"github.com/authtier/authtier/middleware"
)

// ours is Bearer with the checks that the peers make too.
func ours(v middleware.Validator) http.Handler {
	token := middleware.Bearer(v, middleware.BearerConfig{Audience: audience})
	return middleware.Chain(token, middleware.Scope(scope))(next)
}

func oursCached(tb testing.TB, s *signer, size int) (*middleware.Cache, party) {
	tb.Helper()
	cache, err := middleware.NewCache(s.validator(tb), size, middleware.CacheConfig{})
	must(tb, err)
	return cache, party{"authtier", ours(cache)}
}

func bearerParties(tb testing.TB, s *signer) []party {
	_, cached := oursCached(tb, s, 1000)
	return append([]party{cached}, jwtPeers(tb, s)...)
}

func TestBearer(t *testing.T) {
	for _, alg := range algs {
		s := newSigner(alg)
		token := s.token(t, nil)
		t.Logf("%s: %d bytes", alg, len(token))
		parties := append(bearerParties(t, s), party{"authtier without cache", ours(s.validator(t))})
		for _, p := range parties {
			p.check(t, withToken(token), s.bad(t))
		}
	}
}

// BenchmarkBearer sends one good token, and one with another signature, again
// and again. Ours remembers both.
func BenchmarkBearer(b *testing.B) {
	for _, alg := range algs {
		s := newSigner(alg)
		token := s.token(b, nil)
		for _, p := range bearerParties(b, s) {
			p.check(b, withToken(token), s.bad(b))
			name := "peer=" + p.name + "/alg=" + alg
			b.Run(name+"/outcome=accept", func(b *testing.B) { serve(b, p.h, true, withToken(token)) })
			b.Run(name+"/outcome=refuse", func(b *testing.B) { serve(b, p.h, false, withToken(tampered(token))) })
		}
	}
}

// BenchmarkBearerFresh sends tokens of which the cache remembers none: there are
// 16 times more than fit in, and they come round in turn, so that each is looked
// up, missed, verified and entered in place of another. The peer gets the same.
func BenchmarkBearerFresh(b *testing.B) {
	for _, alg := range algs {
		s, n := newSigner(alg), 8192
		if alg == "RS256" { // takes a millisecond to sign
			n = 1024
		}
		requests := make([]*http.Request, n)
		for i := range requests {
			requests[i] = withToken(s.token(b, nil))
		}
		cache, p := oursCached(b, s, n/16)
		another := withToken(s.token(b, nil))
		p.check(b, another, s.bad(b))
		peer := party{"keyfunc", keyfuncPeer(b, s)}
		peer.check(b, another, s.bad(b))
		b.Run("peer=authtier/alg="+alg, func(b *testing.B) {
			before := cache.Stats().Hits
			serve(b, p.h, true, requests...)
			if hits := cache.Stats().Hits - before; hits > 0 {
				b.Fatalf("%d of %d tokens were remembered", hits, b.N)
			}
		})
		b.Run("peer="+peer.name+"/alg="+alg, func(b *testing.B) { serve(b, peer.h, true, requests...) })
	}
}
