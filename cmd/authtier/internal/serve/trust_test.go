package serve_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

// newProvider serves another issuer on loopback, with the client acme.
func newProvider(t *testing.T) *issuer.Issuer {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)

	iss, err := issuer.Open(t.Context(), server.URL, memory.New(), &issuer.Config{AllowEphemeralKeys: true, Audience: "api"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { iss.Close() })
	iss.Register(mux)
	if _, err := iss.CreateClient(t.Context(), store.Client{ID: "acme", Scopes: []string{"read"}, Default: []string{"read"}}); err != nil {
		t.Fatal(err)
	}
	return iss
}

// minted returns an access token of acme.
func minted(t *testing.T, iss *issuer.Issuer) string {
	t.Helper()
	tokens, err := iss.Mint(t.Context(), issuer.Grant{Client: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	return tokens.AccessToken
}

func TestTrustIssuer(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	trusted, stranger := newProvider(t), newProvider(t)
	p := h.start(t, "--trust-issuer", "own:"+trusted.URL()+",api")

	foreign := minted(t, trusted)
	for range 2 { // the second answer comes from the cache
		p.get("/me", "Authorization", "Bearer "+foreign).want(t, 200, fmt.Sprintf(`{"client_id":"acme","user":"","scope":"read","issuer":%q}`, trusted.URL()))
	}
	p.get("/me", "Authorization", "Bearer "+minted(t, stranger)).want(t, 401, `"AUTH-12"`)

	// Both systems of this server go on as before, and take no token of the provider.
	own := h.token(t, p)
	p.get("/me", "Authorization", "Bearer "+own).want(t, 200, `"issuer":"`+url+`"`)
	p.get("/me", "X-API-KEY", h.key).want(t, 200, `"issuer":"`+url+`"`)
	p.get("/me", "X-API-KEY", foreign).want(t, 401, `"AUTH-1"`)
	p.get("/me", "Authorization", "Bearer "+h.key).want(t, 401, `"AUTH-12"`)
	p.do("POST", "/oauth2/introspect", "token="+foreign, "Content-Type", "application/x-www-form-urlencoded", "Authorization", h.basic()).want(t, 200, `{"active":false}`)

	// A revocation reaches the cache that holds tokens of both.
	p.do("POST", "/oauth2/revoke", "token="+own, "Content-Type", "application/x-www-form-urlencoded", "Authorization", h.basic()).want(t, 200, "")
	p.get("/me", "Authorization", "Bearer "+own).want(t, 401, `"AUTH-12"`)
	p.stop()

	// The provider's client has the same name as one of this server, which is not billed
	// for it.
	if own, foreign := h.counted(t, "acme"), h.countedFor(t, trusted.URL(), "acme"); own != 2 || foreign != 0 {
		t.Errorf("%d uses are counted, and %d of the provider's client, want 2 and 0", own, foreign)
	}
}

// A token for another audience is refused.
func TestTrustIssuerAudience(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	iss := newProvider(t)
	p := h.start(t, "--trust-issuer", iss.URL()+",other")
	p.get("/me", "Authorization", "Bearer "+minted(t, iss)).want(t, 401, `"AUTH-12"`)
	p.stop()

	p = h.start(t, "--trust-issuer", iss.URL()+",other,api")
	p.get("/me", "Authorization", "Bearer "+minted(t, iss)).want(t, 200, iss.URL())
	p.stop()
}

// A token that names this server and was signed by a trusted provider is refused.
func TestForgedIssuer(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	trusted := newProvider(t)
	forger, err := issuer.Open(t.Context(), url, memory.New(), &issuer.Config{KeyFile: filepath.Join(t.TempDir(), "key")})
	if err != nil {
		t.Fatal(err)
	}
	defer forger.Close()
	if _, err := forger.CreateClient(t.Context(), store.Client{ID: "acme", Scopes: []string{"read"}, Default: []string{"read"}}); err != nil {
		t.Fatal(err)
	}

	p := h.start(t, "--trust-issuer", trusted.URL()+",api")
	p.get("/me", "Authorization", "Bearer "+minted(t, forger)).want(t, 401, `"AUTH-10"`)
	p.stop()
}
