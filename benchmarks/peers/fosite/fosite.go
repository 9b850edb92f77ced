// Package fosite measures ory/fosite.
package fosite

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/storage"
	"github.com/ory/fosite/token/jwt"

	"github.com/authtier/authtier/benchmarks/peers/bench"
)

// A site is fosite with one client, over its own memory store. It issues tokens
// that are signed by alg, or opaque.
type site struct {
	provider fosite.OAuth2Provider
	config   *fosite.Config
	alg      string
	audience string
}

// sha256Hasher compares secrets as our issuer does. Fosite's default is bcrypt, whose
// cost would hide all others.
type sha256Hasher struct{}

func (sha256Hasher) Hash(_ context.Context, data []byte) ([]byte, error) {
	sum := sha256.Sum256(data)
	return sum[:], nil
}

func (h sha256Hasher) Compare(ctx context.Context, hash, data []byte) error {
	sum, _ := h.Hash(ctx, data)
	if subtle.ConstantTimeCompare(hash, sum) != 1 {
		return errors.New("mismatch")
	}
	return nil
}

func newSite(tb testing.TB, alg string) *site {
	tb.Helper()
	store := storage.NewMemoryStore()
	hash, _ := sha256Hasher{}.Hash(tb.Context(), []byte(bench.ClientSecret))
	store.Clients[bench.ClientID] = &fosite.DefaultClient{
		ID: bench.ClientID, Secret: hash, GrantTypes: []string{"client_credentials"}, Scopes: []string{"read", "files"},
	}
	config := &fosite.Config{
		GlobalSecret: []byte("0123456789abcdef0123456789abcdef"), AccessTokenLifespan: time.Hour,
		AccessTokenIssuer: bench.IssuerURL, ScopeStrategy: fosite.ExactScopeStrategy, ClientSecretsHasher: sha256Hasher{},
	}
	var strategy oauth2.CoreStrategy = compose.NewOAuth2HMACStrategy(config)
	if alg != "opaque" {
		key := func(context.Context) (any, error) { return bench.NewSigner(alg).Private, nil }
		strategy = compose.NewOAuth2JWTStrategy(key, strategy, config)
	}
	provider := compose.Compose(config, store, &compose.CommonStrategy{CoreStrategy: strategy},
		compose.OAuth2ClientCredentialsGrantFactory, compose.OAuth2TokenIntrospectionFactory)
	return &site{provider: provider, config: config, alg: alg, audience: bench.Audience}
}

func (s *site) session() fosite.Session {
	if s.alg == "opaque" {
		return &fosite.DefaultSession{Subject: bench.ClientID}
	}
	return &oauth2.JWTSession{
		JWTClaims: &jwt.JWTClaims{Issuer: bench.IssuerURL, Subject: bench.ClientID},
		JWTHeader: &jwt.Headers{Extra: map[string]any{"kid": "k1"}},
	}
}

// ServeHTTP is the token endpoint.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	request, err := s.provider.NewAccessRequest(ctx, r, s.session())
	if err != nil {
		s.provider.WriteAccessError(ctx, w, request, err)
		return
	}
	for _, scope := range request.GetRequestedScopes() {
		request.GrantScope(scope)
	}
	request.GrantAudience(s.audience)
	response, err := s.provider.NewAccessResponse(ctx, request)
	if err != nil {
		s.provider.WriteAccessError(ctx, w, request, err)
		return
	}
	s.provider.WriteAccessResponse(ctx, w, request, response)
}
