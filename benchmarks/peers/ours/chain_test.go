package ours

import (
	"context"
	"crypto/sha256"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/benchmarks/peers/bench"
)

// withState is a context of 80 bytes with a state, like that of the suite.
type withState struct {
	context.Context
	now time.Time
	_   [40]byte
}

// copied copies a request with a state attached, as every wrapper has to do that puts
// anything into the context.
var copied http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	bench.Next.ServeHTTP(w, r.WithContext(&withState{Context: r.Context()}))
})

// copies passes results to the handler as wrappers usually do, with a copy of the request
// for each wrapper of the chain. It checks nothing.
func copies() http.Handler {
	h := bench.Next
	for range 5 {
		inner := h
		h = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			inner.ServeHTTP(w, r.WithContext(&withState{Context: r.Context()}))
		})
	}
	return h
}

// floor is the least work of a chain that keeps no secrets in memory and checks expiry.
// It reads the clock once, digests the key and the token, and copies the request, in one
// allocation like the suite. It looks nothing up, checks nothing and counts nothing.
var floor http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	both := &struct {
		state   withState
		request http.Request
	}{state: withState{Context: r.Context(), now: time.Now()}}
	if digestOf(r.Header["X-Api-Key"][0]) == digestOf(r.Header["Authorization"][0]) {
		bench.Refuse(w)
		return
	}
	both.request = *r.WithContext(&both.state)
	bench.Next.ServeHTTP(w, &both.request)
})

// digestOf digests only the random characters at the end of a generated secret.
func digestOf(secret string) [sha256.Size]byte {
	return sha256.Sum256(append(make([]byte, 0, 64), secret[len(secret)-49:]...))
}

// tokens are the tokens that the chain is measured with.
var tokens = append(slices.Clone(bench.Algs), "opaque")

func (s *Site) both(token string) *http.Request {
	return bench.Request("X-Api-Key", s.Key, "Authorization", "Bearer "+token)
}

// checked returns the chain, once it has shown that all of its parts are there.
func (s *Site) checked(tb testing.TB) (h http.Handler, good, bad *http.Request) {
	tb.Helper()
	token := s.Token(tb, "read files")
	good, bad = s.both(token), s.both(bench.Tampered(token))
	elsewhere := s.both(token)
	elsewhere.URL.Path = "/admin/profile"
	long := s.both(token)
	long.Header.Set("Authorization", "Bearer "+strings.Repeat("a", 9000))
	bench.Party{Name: "authtier", Handler: s.Chain(tb)}.Check(tb, good, map[string]*http.Request{
		"another character": bad,
		"other scopes":      s.both(s.Token(tb, "files")),
		"another client":    bench.Request("X-Api-Key", s.foreignKey, "Authorization", "Bearer "+token),
		"no key":            bench.WithToken(token),
		"no token":          bench.Request("X-Api-Key", s.Key),
		"another path":      elsewhere,
		"too many bytes":    long,
	})
	return s.Chain(tb), good, bad
}

func TestChain(t *testing.T) {
	for _, alg := range tokens {
		s := NewSite(t, alg)
		s.checked(t)
		if got := counted(t, s.meter, today()); got != 2 { // the two valid ones
			t.Errorf("%s: %d requests counted, want 2", alg, got)
		}
	}
}

// BenchmarkChain refuses a token with one character changed, remembered, and
// junk that is not.
func BenchmarkChain(b *testing.B) {
	b.Run("peer=copy", func(b *testing.B) { bench.Serve(b, copied, true, bench.Request()) })
	b.Run("peer=copy-per-wrapper", func(b *testing.B) { bench.Serve(b, copies(), true, bench.Request()) })
	for _, alg := range tokens {
		s := NewSite(b, alg)
		h, good, bad := s.checked(b)
		if alg == "opaque" {
			b.Run("peer=floor", func(b *testing.B) { bench.Serve(b, floor, true, good) })
		}
		p := bench.Party{Name: "authtier", Handler: h}
		p.Outcomes(b, "/token="+alg, good, bad)
		if alg == "opaque" {
			p.Junk(b, "/token="+alg, bad, "Authorization", func() string { return "Bearer " + junk() })
		}
	}
}

// BenchmarkChainCores is for the comparison of one core with two. The garbage collector
// runs less often, because otherwise it would limit the result.
func BenchmarkChainCores(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(1600))
	for _, alg := range []string{"ES256", "opaque"} {
		h, good, _ := NewSite(b, alg).checked(b)
		b.Run("peer=authtier/token="+alg, func(b *testing.B) { bench.Serve(b, h, true, good) })
	}
}
