package peers

import (
	"net/http"
	"testing"
	"time"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/meter"
)

const (
	clientSecret = "7Fjfp0ZBr1KtDRbnfVdmIw"
	tooMany      = 8192 // tokens, more than any cache here remembers
)

// A site is an issuer of ours with two clients, their API keys and one user.
type site struct {
	db         *memory.Store
	iss        *issuer.Issuer
	cache      *middleware.Cache
	meter      *meter.Meter
	usage      *meter.Product
	key        string
	foreignKey string
}

// newSite returns a site whose tokens are signed by alg, or opaque.
func newSite(tb testing.TB, alg string) *site {
	tb.Helper()
	s := &site{db: memory.New()}
	cfg := issuer.Config{Issuer: issuerURL, Audience: audience, Store: s.db}
	if alg == "opaque" {
		cfg.OpaqueTokens = true
	} else {
		keys, err := issuer.NewKeySet(issuer.SigningKey{ID: "k1", Alg: alg, Private: newSigner(alg).private})
		must(tb, err)
		cfg.Keys = keys
	}
	var err error
	s.iss, err = issuer.New(tb.Context(), cfg)
	must(tb, err)
	s.key, s.foreignKey = s.client(tb, "app"), s.client(tb, "other")
	must(tb, s.db.PutUser(tb.Context(), store.User{Login: "ada"}))
	go s.iss.Run(tb.Context())
	s.cache, err = middleware.NewCache(s.iss, 1000, middleware.CacheConfig{})
	must(tb, err)
	s.meter = meter.New(s.db)
	s.usage, err = s.meter.Product("api", "call", "calls")
	must(tb, err)
	return s
}

// client adds a client and returns its API key.
func (s *site) client(tb testing.TB, id string) string {
	tb.Helper()
	must(tb, s.db.PutClient(tb.Context(), store.Client{
		ID: id, Secrets: []store.Secret{{Digest: store.DigestOf(clientSecret)}},
		Scopes: []string{"read", "files"}, Default: []string{"read"}, Grants: []string{issuer.GrantClientCredentials},
	}))
	key, record := s.iss.NewAPIKey(id, nil, time.Time{})
	must(tb, s.db.PutAPIKey(tb.Context(), record))
	return key
}

func (s *site) token(tb testing.TB, scope string) string {
	tb.Helper()
	t, err := s.iss.Mint(tb.Context(), issuer.Grant{Client: "app", User: "ada", Scope: scope})
	must(tb, err)
	return t.AccessToken
}

// opaque stores a token that the issuer would not make.
func (s *site) opaque(tb testing.TB, aud string, expires time.Time) string {
	tb.Helper()
	token := issuer.Generate("authtier_at")
	must(tb, s.db.PutTokens(tb.Context(), store.Token{
		ID: token[:20], Family: token[:20], Client: "app", Audience: aud, Scopes: scope,
		Digest: store.DigestOf(token), Issued: expires.Add(-time.Hour), Expires: expires, FamilyEnds: expires,
	}))
	return token
}

// junk returns n opaque tokens whose checksums fail.
func junk(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = tampered(issuer.Generate("authtier_at"))
	}
	return list
}

// fresh returns requests with junk that no cache remembers, beside headers.
func fresh(headers ...string) []*http.Request {
	var requests []*http.Request
	for _, token := range junk(tooMany) {
		requests = append(requests, request(append([]string{"Authorization", "Bearer " + token}, headers...)...))
	}
	return requests
}
