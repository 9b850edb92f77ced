// Package discovery sets up resource servers of other projects with only the URL of one
// of our issuers. It measures nothing.
package discovery

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	jwtmiddleware "github.com/auth0/go-jwt-middleware/v2"
	"github.com/auth0/go-jwt-middleware/v2/jwks"
	"github.com/auth0/go-jwt-middleware/v2/validator"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/zitadel/oidc/v3/pkg/client/rs"
	zitadel "github.com/zitadel/oidc/v3/pkg/oidc"

	"github.com/authtier/authtier/benchmarks/peers/bench"
)

func TestDiscovery(t *testing.T) {
	for _, alg := range bench.Algs[1:] { // HS256 has no public key
		for _, path := range []string{"", "/tenants/a"} {
			s := start(t, alg, path)
			t.Run("peer=go-oidc/alg="+alg+path, func(t *testing.T) { testGoOIDC(t, s) })
			t.Run("peer=zitadel/alg="+alg+path, func(t *testing.T) { testZitadel(t, s) })
			t.Run("peer=go-jwt-middleware/alg="+alg+path, func(t *testing.T) { testAuth0(t, s, alg) })
		}
	}
}

// testGoOIDC verifies access tokens, as there are no ID tokens. The library
// accepts the algorithms that the document lists, or RS256 if it lists none.
func testGoOIDC(t *testing.T, s *site) {
	provider, err := oidc.NewProvider(t.Context(), s.url)
	bench.Must(t, err)
	verifier := provider.Verifier(&oidc.Config{ClientID: bench.Audience})
	token, err := verifier.Verify(t.Context(), s.access)
	bench.Must(t, err)
	if token.Issuer != s.url || token.Subject != user || !slices.Equal(token.Audience, []string{bench.Audience}) {
		t.Errorf("verified issuer %q, subject %q, audience %q", token.Issuer, token.Subject, token.Audience)
	}

	for name, bad := range s.bad() {
		if _, err := verifier.Verify(t.Context(), bad); err == nil {
			t.Errorf("verified %s", name)
		}
	}
	other := provider.Verifier(&oidc.Config{ClientID: s.url + "/other"})
	if _, err := other.Verify(t.Context(), s.access); err == nil {
		t.Error("verified a token for another audience")
	}
}

// testZitadel introspects tokens. The library sends no token_type_hint, and its
// callers check only Active.
func testZitadel(t *testing.T, s *site) {
	server, err := rs.NewResourceServerClientCredentials(t.Context(), s.url, bench.ClientID, bench.ClientSecret)
	bench.Must(t, err)
	got, err := rs.Introspect[*zitadel.IntrospectionResponse](t.Context(), server, s.access)
	bench.Must(t, err)
	if !got.Active || got.Username != user || got.ClientID != bench.ClientID || !slices.Equal(got.Scope, []string{"read", "files"}) {
		t.Errorf("introspected %+v", got)
	}

	for name, bad := range s.bad() {
		got, err := rs.Introspect[*zitadel.IntrospectionResponse](t.Context(), server, bad)
		if err != nil || got.Active {
			t.Errorf("%s: introspected %+v, %v, want inactive", name, got, err)
		}
	}
	stranger, err := rs.NewResourceServerClientCredentials(t.Context(), s.url, bench.ClientID, "wrong")
	bench.Must(t, err)
	if got, err := rs.Introspect[*zitadel.IntrospectionResponse](t.Context(), stranger, s.access); err == nil {
		t.Errorf("introspected %+v with a wrong secret", got)
	}
}

// testAuth0 finds the key set by the document.
func testAuth0(t *testing.T, s *site, alg string) {
	at, err := url.Parse(s.url)
	bench.Must(t, err)
	keys := jwks.NewCachingProvider(at, time.Minute)
	v, err := validator.New(keys.KeyFunc, validator.SignatureAlgorithm(alg), s.url, []string{bench.Audience})
	bench.Must(t, err)
	guarded := jwtmiddleware.New(v.ValidateToken).CheckJWT(bench.Next)
	status := func(token string) int {
		w := httptest.NewRecorder()
		guarded.ServeHTTP(w, bench.WithToken(token).WithContext(t.Context()))
		return w.Code
	}

	if got := status(s.access); got != http.StatusNoContent {
		t.Errorf("an access token: got %d", got)
	}
	for name, bad := range s.bad() {
		if got := status(bad); got != http.StatusUnauthorized {
			t.Errorf("%s: got %d, want 401", name, got)
		}
	}
}
