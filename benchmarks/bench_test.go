// Package benchmarks measures the suite on its own.
//
//	go test -bench . -benchmem -cpu 1,2 ./benchmarks
//
// Names are key=value, so that benchstat can pivot them. The module peers, in the
// folder below, compares the suite with other libraries.
package benchmarks

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/meter"
)

// next is the handler behind the wrappers. The compiler cannot see into it, or
// it would keep the request's copy on the stack.
var next http.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

// A site is an issuer with one client, its API key and one user.
type site struct {
	db    *memory.Store
	iss   *issuer.Issuer
	cache *middleware.Cache
	usage *meter.Product
}

func newSite(b *testing.B, cfg issuer.Config, alg string, size int) *site {
	b.Helper()
	s := &site{db: memory.New()}
	must(b, s.db.CreateClient(b.Context(), store.Client{
		ID: "app", Secrets: []store.Secret{{ID: "s1", Digest: store.DigestOf("app-secret")}},
		Scopes: []string{"read", "files"}, Default: []string{"read"}, Grants: []string{store.GrantClientCredentials},
	}))
	must(b, s.db.CreateUsers(b.Context(), store.User{Login: "ada"}))
	must(b, s.db.CreateAPIKeys(b.Context(), store.APIKey{ID: "k", Client: "app", Digest: store.DigestOf("my_api_key")}))
	var err error
	if !cfg.OpaqueTokens {
		key, err := issuer.GenerateKey(alg)
		must(b, err)
		cfg.Keys, err = issuer.NewKeySet(key)
		must(b, err)
	}
	s.iss, err = issuer.New(b.Context(), "https://id.example", s.db, &cfg)
	must(b, err)
	go s.iss.Run(b.Context())
	s.cache, err = middleware.NewCache(s.iss, size, nil)
	must(b, err)
	s.usage, err = meter.New(s.db).Product("api", "call", "calls")
	must(b, err)
	return s
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (s *site) tokens(b *testing.B, n int) []string {
	b.Helper()
	list := make([]string, n)
	for i := range list {
		t, err := s.iss.Mint(b.Context(), issuer.Grant{Client: "app", User: "ada", Scope: "read files"})
		must(b, err)
		list[i] = t.AccessToken
	}
	return list
}

// chain combines all wrappers: tiers, API key, user token, scope and usage.
func (s *site) chain(b *testing.B) http.Handler {
	b.Helper()
	guard := middleware.Tiers(middleware.TierTable{
		"/ext/": middleware.Unguarded,
		"/user/": middleware.Chain(
			middleware.APIKey(s.cache, nil),
			middleware.Bearer(s.cache, &middleware.BearerConfig{RequireUser: true}),
			middleware.Scope("read"),
			middleware.Usage(s.usage, nil),
		),
	}, nil)
	return guard(next)
}

// A discard is a response writer that keeps nothing.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// serve runs h on requests in turn, on all cores.
func serve(b *testing.B, h http.Handler, want int, requests []*http.Request) {
	b.Helper()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		w := &discard{header: http.Header{}}
		for i := rand.IntN(len(requests)); pb.Next(); i++ {
			clear(w.header)
			w.status = 200
			h.ServeHTTP(w, requests[i%len(requests)])
			if w.status != want {
				b.Errorf("status %d, want %d", w.status, want)
				return
			}
		}
	})
}

func request(headers ...string) *http.Request {
	r := httptest.NewRequest("GET", "/user/profile", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// BenchmarkFloor copies a request with a state attached. Every wrapper that puts
// anything into the context has to do this.
func BenchmarkFloor(b *testing.B) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(&withState{Context: r.Context()}))
	})
	serve(b, h, 200, []*http.Request{request()})
}

func BenchmarkChain(b *testing.B) {
	for _, alg := range []string{"HS256", "RS256", "ES256", "EdDSA", "opaque"} {
		cfg, signer := issuer.Config{}, alg
		if alg == "opaque" {
			cfg.OpaqueTokens, signer = true, "ES256"
		}
		s := newSite(b, cfg, signer, 1000)
		token := s.tokens(b, 1)[0]
		accept := request("X-Api-Key", "my_api_key", "Authorization", "Bearer "+token)
		refuse := request("X-Api-Key", "my_api_key", "Authorization", "Bearer "+"authtier_at_"+strings.Repeat("x", 48))
		h := s.chain(b)
		b.Run("token="+alg+"/outcome=accept", func(b *testing.B) { serve(b, h, 200, []*http.Request{accept}) })
		b.Run("token="+alg+"/outcome=refuse", func(b *testing.B) { serve(b, h, 404, []*http.Request{refuse}) })
	}
}

func BenchmarkBearer(b *testing.B) {
	for _, alg := range []string{"HS256", "RS256", "ES256", "EdDSA"} {
		s := newSite(b, issuer.Config{}, alg, 1000)
		r := []*http.Request{request("Authorization", "Bearer "+s.tokens(b, 1)[0])}
		for cached, v := range map[string]middleware.Validator{"yes": s.cache, "no": s.iss} {
			b.Run("token="+alg+"/cached="+cached, func(b *testing.B) {
				serve(b, middleware.Bearer(v, nil)(next), 200, r)
			})
		}
	}
}

func BenchmarkAPIKey(b *testing.B) {
	s := newSite(b, issuer.Config{}, "ES256", 1000)
	h := middleware.APIKey(s.cache, nil)(next)
	b.Run("outcome=accept", func(b *testing.B) { serve(b, h, 200, []*http.Request{request("X-Api-Key", "my_api_key")}) })
	b.Run("outcome=refuse", func(b *testing.B) { serve(b, h, 401, []*http.Request{request("X-Api-Key", "a guess")}) })
}

// BenchmarkBasic checks a password whose hash takes 50 ms, once.
func BenchmarkBasic(b *testing.B) {
	hash, err := bcrypt.GenerateFromPassword([]byte("correct horse"), bcrypt.DefaultCost)
	must(b, err)
	v := middleware.ValidatorFunc(func(_ context, c middleware.Credential) (*middleware.Identity, error) {
		if bcrypt.CompareHashAndPassword(hash, []byte(c.Secret)) != nil {
			return nil, errorsx.CredentialsIncorrect
		}
		return &middleware.Identity{Issuer: "i", Client: c.Username}, nil
	})
	cache, err := middleware.NewCache(v, 100, &middleware.CacheConfig{TTL: time.Minute})
	must(b, err)
	r := request()
	r.SetBasicAuth("ada", "correct horse")
	serve(b, middleware.Basic(cache, nil)(next), 200, []*http.Request{r})
}

// BenchmarkDistinct runs the chain on many tokens, drawn evenly and by Zipf's law.
func BenchmarkDistinct(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		s := newSite(b, issuer.Config{}, "HS256", 2*n)
		requests := make([]*http.Request, n)
		for i, t := range s.tokens(b, n) {
			requests[i] = request("X-Api-Key", "my_api_key", "Authorization", "Bearer "+t)
		}
		h, zipf := s.chain(b), rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 1, uint64(n-1))
		drawn := make([]*http.Request, 1<<16)
		for i := range drawn {
			drawn[i] = requests[zipf.Uint64()]
		}
		rand.Shuffle(n, func(i, j int) { requests[i], requests[j] = requests[j], requests[i] })
		for _, r := range requests { // fill the cache
			h.ServeHTTP(&discard{header: http.Header{}}, r)
		}
		b.Run(fmt.Sprintf("tokens=%d/drawn=evenly", n), func(b *testing.B) { serve(b, h, 200, requests) })
		b.Run(fmt.Sprintf("tokens=%d/drawn=zipf", n), func(b *testing.B) { serve(b, h, 200, drawn) })
	}
}

// BenchmarkToken measures the token endpoint with client credentials in the body.
func BenchmarkToken(b *testing.B) {
	for _, alg := range []string{"opaque", "ES256", "EdDSA", "RS256"} {
		cfg, signer := issuer.Config{}, alg
		if alg == "opaque" {
			cfg.OpaqueTokens, signer = true, "ES256"
		}
		s := newSite(b, cfg, signer, 16)
		b.Run("token="+alg, func(b *testing.B) {
			h := s.iss.TokenHandler()
			b.ReportAllocs()
			w := &discard{header: http.Header{}}
			for b.Loop() {
				clear(w.header)
				r := tokenRequest()
				h.ServeHTTP(w, r)
				if w.status != 200 {
					b.Fatal(errors.New("no token"))
				}
			}
		})
	}
}
