package ours

import (
	"net/http"
	"testing"
	"time"

	"github.com/authtier/authtier/benchmarks/peers/bench"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
)

// bearer is Bearer with the checks that the peers make too.
func bearer(v middleware.Validator) http.Handler {
	token := middleware.Bearer(v, &middleware.BearerConfig{Audience: bench.Audience})
	return middleware.Chain(token, middleware.Scope(bench.Scope))(bench.Next)
}

// validator verifies what s signs, without a cache.
func validator(tb testing.TB, s *bench.Signer) middleware.Validator {
	tb.Helper()
	keys, err := idp.StaticKeys(idp.Key{ID: "k1", Alg: s.Alg, Public: s.Public})
	bench.Must(tb, err)
	v, err := idp.Open(tb.Context(), idp.Config{Issuers: []string{bench.IssuerURL}, Audience: []string{bench.Audience}, Keys: keys})
	bench.Must(tb, err)
	tb.Cleanup(func() { bench.Must(tb, v.Close()) })
	return v
}

func cached(tb testing.TB, s *bench.Signer, size int) *middleware.Cache {
	tb.Helper()
	cache, err := middleware.NewCache(validator(tb, s), size, &middleware.CacheConfig{TTL: time.Minute})
	bench.Must(tb, err)
	return cache
}

var (
	withCache = bench.JWT{Name: "authtier", Algs: bench.Algs, Handler: func(tb testing.TB, s *bench.Signer) http.Handler {
		return bearer(cached(tb, s, 1000))
	}}
	withoutCache = bench.JWT{Name: "authtier without cache", Algs: bench.Algs, Handler: func(tb testing.TB, s *bench.Signer) http.Handler {
		return bearer(validator(tb, s))
	}}
)

func TestBearer(t *testing.T) {
	withCache.Test(t)
	withoutCache.Test(t)
}

// BenchmarkBearer sends two tokens again and again. Ours remembers both.
func BenchmarkBearer(b *testing.B) { withCache.Bench(b) }

// BenchmarkBearerFresh sends tokens that are not in the cache, on all cores. They take
// turns, and there are 16 times as many as fit into it. Each is therefore looked up,
// missed, verified and cached in place of another. The peer gets as many.
func BenchmarkBearerFresh(b *testing.B) {
	for _, alg := range bench.Algs {
		b.Run("peer=authtier/alg="+alg, func(b *testing.B) {
			s := bench.NewSigner(alg)
			values := s.Fresh(b)
			cache := cached(b, s, len(values)/16)
			p := bench.Party{Name: "authtier", Handler: bearer(cache)}
			p.Check(b, bench.WithToken(s.Token(b, nil)), s.Bad(b))

			before := cache.Stats().Hits
			bench.ServeInTurn(b, p.Handler, true, bench.Request(), "Authorization", values)
			if hits := cache.Stats().Hits - before; hits > 0 {
				b.Fatalf("%d of %d tokens were remembered", hits, b.N)
			}
		})
	}
}
