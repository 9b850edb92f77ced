package peers

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-oauth2/oauth2/v4"
	"github.com/go-oauth2/oauth2/v4/manage"
	"github.com/go-oauth2/oauth2/v4/models"
	"github.com/go-oauth2/oauth2/v4/server"
	oauth2store "github.com/go-oauth2/oauth2/v4/store"
	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	fositeoauth2 "github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/storage"
	"github.com/ory/fosite/token/jwt"

	"github.com/authtier/authtier/issuer"
)

// A fositeSite is fosite with one client, over its own memory store.
type fositeSite struct {
	provider fosite.OAuth2Provider
	store    *storage.MemoryStore
	strategy any
	alg      string
}

// sha256Hasher compares secrets as ours does. Fosite's own choice is bcrypt,
// which would be all that is measured.
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

func newFosite(tb testing.TB, alg string) *fositeSite {
	tb.Helper()
	f := &fositeSite{store: storage.NewMemoryStore(), alg: alg}
	hash, _ := sha256Hasher{}.Hash(tb.Context(), []byte(clientSecret))
	f.store.Clients["app"] = &fosite.DefaultClient{
		ID: "app", Secret: hash, GrantTypes: []string{"client_credentials"}, Scopes: []string{"read", "files"},
	}
	cfg := &fosite.Config{
		GlobalSecret: []byte("0123456789abcdef0123456789abcdef"), AccessTokenLifespan: time.Hour,
		AccessTokenIssuer: issuerURL, ScopeStrategy: fosite.ExactScopeStrategy, ClientSecretsHasher: sha256Hasher{},
	}
	var strategy fositeoauth2.CoreStrategy = compose.NewOAuth2HMACStrategy(cfg)
	if alg != "opaque" {
		key := func(context.Context) (any, error) { return newSigner(alg).private, nil }
		strategy = compose.NewOAuth2JWTStrategy(key, strategy, cfg)
	}
	f.strategy = strategy
	f.provider = compose.Compose(cfg, f.store, &compose.CommonStrategy{CoreStrategy: strategy},
		compose.OAuth2ClientCredentialsGrantFactory, compose.OAuth2TokenIntrospectionFactory)
	return f
}

func (f *fositeSite) session() fosite.Session {
	if f.alg == "opaque" {
		return &fosite.DefaultSession{Subject: "app"}
	}
	return &fositeoauth2.JWTSession{
		JWTClaims: &jwt.JWTClaims{Issuer: issuerURL, Subject: "app", Audience: []string{audience}},
		JWTHeader: &jwt.Headers{Extra: map[string]any{"kid": "k1"}},
	}
}

// ServeHTTP is the token endpoint.
func (f *fositeSite) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	request, err := f.provider.NewAccessRequest(ctx, r, f.session())
	if err != nil {
		f.provider.WriteAccessError(ctx, w, request, err)
		return
	}
	for _, s := range request.GetRequestedScopes() {
		request.GrantScope(s)
	}
	response, err := f.provider.NewAccessResponse(ctx, request)
	if err != nil {
		f.provider.WriteAccessError(ctx, w, request, err)
		return
	}
	f.provider.WriteAccessResponse(ctx, w, request, response)
}

// goOAuth2 is go-oauth2 with one client, over its own memory store. It compares
// secrets as they are.
type goOAuth2 struct {
	server  *server.Server
	manager *manage.Manager
	store   oauth2.TokenStore
}

func newGoOAuth2(tb testing.TB) *goOAuth2 {
	tb.Helper()
	o := &goOAuth2{manager: manage.NewDefaultManager()}
	var err error
	o.store, err = oauth2store.NewMemoryTokenStore()
	must(tb, err)
	clients := oauth2store.NewClientStore()
	must(tb, clients.Set("app", &models.Client{ID: "app", Secret: clientSecret}))
	o.manager.MapTokenStorage(o.store)
	o.manager.MapClientStorage(clients)
	o.server = server.NewDefaultServer(o.manager)
	o.server.SetClientScopeHandler(func(r *oauth2.TokenGenerateRequest) (bool, error) {
		return r.Scope == "read" || r.Scope == "files", nil
	})
	return o
}

// ServeHTTP is the token endpoint.
func (o *goOAuth2) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.server.HandleTokenRequest(w, r)
}

var tokenURL = &url.URL{Path: "/oauth2/token"}

// tokenRequest is a request for a token, as a server would have read it.
func tokenRequest(secret, scope string) *http.Request {
	form := "grant_type=client_credentials&scope=" + scope
	r := &http.Request{
		Method: "POST", URL: tokenURL, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: "id.example",
		Header:        http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		Body:          io.NopCloser(strings.NewReader(form)),
		ContentLength: int64(len(form)),
	}
	r.SetBasicAuth("app", secret)
	return r
}

// checkEndpoint fails unless p gives a token to whom it should.
func checkEndpoint(tb testing.TB, p party) {
	tb.Helper()
	for _, tt := range []struct {
		secret, scope string
		ok            bool
	}{{clientSecret, scope, true}, {clientSecret + "x", scope, false}, {clientSecret, "admin", false}} {
		if got := status(p.h, tokenRequest(tt.secret, tt.scope)); (got == http.StatusOK) != tt.ok {
			tb.Fatalf("%s answers %d to secret %q and scope %q", p.name, got, tt.secret, tt.scope)
		}
	}
}

// endpoints make token endpoints anew, since their stores grow.
var endpoints = []struct {
	name, token string
	handler     func(tb testing.TB) http.Handler
}{
	{"authtier", "opaque", func(tb testing.TB) http.Handler { return newSite(tb, "opaque").iss.TokenHandler(issuer.HTTPConfig{}) }},
	{"authtier", "ES256", func(tb testing.TB) http.Handler { return newSite(tb, "ES256").iss.TokenHandler(issuer.HTTPConfig{}) }},
	{"authtier", "RS256", func(tb testing.TB) http.Handler { return newSite(tb, "RS256").iss.TokenHandler(issuer.HTTPConfig{}) }},
	{"go-oauth2", "opaque", func(tb testing.TB) http.Handler { return newGoOAuth2(tb) }},
	{"fosite", "opaque", func(tb testing.TB) http.Handler { return newFosite(tb, "opaque") }},
	{"fosite", "ES256", func(tb testing.TB) http.Handler { return newFosite(tb, "ES256") }},
	{"fosite", "RS256", func(tb testing.TB) http.Handler { return newFosite(tb, "RS256") }},
}

func TestTokenEndpoint(t *testing.T) {
	for _, e := range endpoints {
		checkEndpoint(t, party{e.name, e.handler(t)})
	}
}

// BenchmarkTokenEndpoint is the client credentials grant, with the client's
// generated secret in the Authorization header and one scope.
func BenchmarkTokenEndpoint(b *testing.B) {
	for _, e := range endpoints {
		b.Run("peer="+e.name+"/token="+e.token, func(b *testing.B) {
			p := party{e.name, e.handler(b)}
			checkEndpoint(b, p)
			w := &discard{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				w.status = http.StatusOK
				p.h.ServeHTTP(w, tokenRequest(clientSecret, scope))
				if w.status != http.StatusOK {
					b.Fatalf("status %d", w.status)
				}
			}
		})
	}
}
