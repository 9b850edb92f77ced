// Package ours measures the suite itself, and hand-written code that uses only the
// standard library.
package ours

import (
	"net/http"
	"testing"

	"github.com/authtier/authtier/benchmarks/peers/bench"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/meter"
)

// A Site is an issuer of ours with two clients, their API keys and one user.
type Site struct {
	Key        string
	foreignKey string
	db         *memory.Store
	iss        *issuer.Issuer
	cache      *middleware.Cache
	meter      *meter.Meter
	usage      *meter.Product
}

// NewSite returns a site whose tokens are signed by alg, or opaque.
func NewSite(tb testing.TB, alg string) *Site {
	tb.Helper()
	s := &Site{db: memory.New()}
	cfg := issuer.Config{Audience: bench.Audience}
	if alg == "opaque" {
		cfg.OpaqueTokens = true
	} else {
		keys, err := issuer.NewKeySet(issuer.SigningKey{ID: "k1", Alg: alg, Private: bench.NewSigner(alg).Private})
		bench.Must(tb, err)
		cfg.Keys = keys
	}
	var err error
	s.iss, err = issuer.New(tb.Context(), bench.IssuerURL, s.db, &cfg)
	bench.Must(tb, err)
	s.Key, s.foreignKey = s.client(tb, bench.ClientID), s.client(tb, "other")
	bench.Must(tb, s.db.CreateUsers(tb.Context(), store.User{Login: "ada"}))
	go s.iss.Run(tb.Context())
	s.cache, err = middleware.NewCache(s.iss, 1000, nil)
	bench.Must(tb, err)
	s.meter = meter.New(s.db)
	s.usage, err = s.meter.Product("api", "call", "calls")
	bench.Must(tb, err)
	return s
}

// client adds a client and returns its API key.
func (s *Site) client(tb testing.TB, id string) string {
	tb.Helper()
	bench.Must(tb, s.db.CreateClient(tb.Context(), store.Client{
		ID: id, Secrets: []store.Secret{{ID: "s1", Digest: store.DigestOf(bench.ClientSecret)}},
		Scopes: []string{"read", "files"}, Default: []string{"read"}, Grants: []string{store.GrantClientCredentials},
	}))
	key, err := s.iss.CreateAPIKey(tb.Context(), store.APIKey{Client: id})
	bench.Must(tb, err)
	return key
}

// Token returns an access token of the user.
func (s *Site) Token(tb testing.TB, scope string) string {
	tb.Helper()
	t, err := s.iss.Mint(tb.Context(), issuer.Grant{Client: bench.ClientID, User: "ada", Scope: scope})
	bench.Must(tb, err)
	return t.AccessToken
}

// Chain combines all wrappers: tiers, API key, user token, scope and usage.
func (s *Site) Chain(tb testing.TB) http.Handler {
	tb.Helper()
	guard := middleware.Tiers(middleware.TierTable{
		"/ext/": middleware.Unguarded,
		"/user/": middleware.Chain(
			middleware.APIKey(s.cache, nil),
			middleware.Bearer(s.cache, &middleware.BearerConfig{RequireUser: true, Audience: bench.Audience}),
			middleware.Scope(bench.Scope),
			middleware.Usage(s.usage, nil),
		),
	}, nil)
	return guard(bench.Next)
}
