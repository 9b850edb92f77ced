package peers

import (
	"context"
	"net/http"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/authtier/authtier/middleware"
)

// chain is everything at once: tiers, API key, user token, scope and usage.
func (s *site) chain(tb testing.TB) http.Handler {
	tb.Helper()
	guard, err := middleware.Tiers([]middleware.Tier{
		{Prefix: "/ext/", Open: true},
		{Prefix: "/user/", Guard: []middleware.Wrapper{
			middleware.APIKey(s.cache, middleware.APIKeyConfig{}),
			middleware.Bearer(s.cache, middleware.BearerConfig{RequireUser: true, Audience: audience}),
			middleware.Scope(scope),
			middleware.Usage(s.usage),
		}},
	}, middleware.TiersConfig{})
	must(tb, err)
	return guard(next)
}

// withState is a context of 80 bytes that carries a state, as the suite's own
// does.
type withState struct {
	context.Context
	_ [64]byte
}

// copied is the copy of a request with a state attached: what nobody who puts
// anything into the context can do without.
var copied http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	next.ServeHTTP(w, r.WithContext(&withState{Context: r.Context()}))
})

// copies is how wrappers usually tell the handler what they found, for as many
// as the chain has: each copies the request. They check nothing.
func copies() http.Handler {
	h := next
	for range 5 {
		inner := h
		h = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			inner.ServeHTTP(w, r.WithContext(&withState{Context: r.Context()}))
		})
	}
	return h
}

func (s *site) both(token string) *http.Request {
	return request("X-Api-Key", s.key, "Authorization", "Bearer "+token)
}

// checked returns the chain, once it has shown that all of its parts are there.
func (s *site) checked(tb testing.TB) (h http.Handler, good, bad *http.Request) {
	tb.Helper()
	token := s.token(tb, "read files")
	good, bad = s.both(token), s.both(tampered(token))
	elsewhere := s.both(token)
	elsewhere.URL.Path = "/admin/profile"
	long := s.both(token)
	long.Header.Set("Authorization", "Bearer "+strings.Repeat("a", 9000))
	party{"authtier", s.chain(tb)}.check(tb, good, map[string]*http.Request{
		"another character": bad,
		"other scopes":      s.both(s.token(tb, "files")),
		"another client":    request("X-Api-Key", s.foreignKey, "Authorization", "Bearer "+token),
		"no key":            withToken(token),
		"no token":          request("X-Api-Key", s.key),
		"another path":      elsewhere,
		"too many bytes":    long,
	})
	return s.chain(tb), good, bad
}

func TestChain(t *testing.T) {
	for _, alg := range append(algs, "opaque") {
		s := newSite(t, alg)
		s.checked(t)
		if got := counted(t, s.meter, today()); got != 2 { // the good ones
			t.Errorf("%s: %d requests counted, want 2", alg, got)
		}
	}
}

// BenchmarkChain refuses a token with one character changed, remembered, and
// junk that is not.
func BenchmarkChain(b *testing.B) {
	b.Run("peer=copy", func(b *testing.B) { serve(b, copied, true, request()) })
	b.Run("peer=copy-per-wrapper", func(b *testing.B) { serve(b, copies(), true, request()) })
	for _, alg := range append(algs, "opaque") {
		s := newSite(b, alg)
		h, good, bad := s.checked(b)
		name := "peer=authtier/token=" + alg
		b.Run(name+"/outcome=accept", func(b *testing.B) { serve(b, h, true, good) })
		b.Run(name+"/outcome=refuse", func(b *testing.B) { serve(b, h, false, bad) })
		if alg == "opaque" {
			b.Run(name+"/outcome=junk", func(b *testing.B) { serve(b, h, false, fresh("X-Api-Key", s.key)...) })
		}
	}
}

// BenchmarkChainCores is for the comparison of one core with two. The collector
// runs less often, or it would be what does not scale.
func BenchmarkChainCores(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(1600))
	for _, alg := range []string{"ES256", "opaque"} {
		h, good, _ := newSite(b, alg).checked(b)
		b.Run("peer=authtier/token="+alg, func(b *testing.B) { serve(b, h, true, good) })
	}
}
