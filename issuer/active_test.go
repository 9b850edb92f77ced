package issuer_test

import (
	"crypto/ed25519"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

// A provider signs tokens of other people and clients than ours.
type provider struct {
	private ed25519.PrivateKey
	tokens  middleware.Validator
}

const providerURL = "https://idp.example"

// newProvider returns a provider whose client "web" is the own issuer's client "acme",
// and whose claim login names a user of the own issuer.
func newProvider(t *testing.T, own idp.OwnIssuer) *provider {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	must(t, err)
	keys, err := idp.StaticKeys(idp.Key{ID: "k1", Alg: "EdDSA", Public: public})
	must(t, err)
	v, err := idp.Open(t.Context(), idp.Config{
		Issuers: []string{providerURL}, Audience: []string{testURL}, Keys: keys, Own: own,
		Map: func(id *middleware.Identity, c idp.Claims) error {
			id.Client = map[string]string{"web": "acme"}[c.Text("azp")]
			id.User = c.Text("login")
			return nil
		},
	})
	must(t, err)
	t.Cleanup(func() { v.Close() })
	cache, err := middleware.NewCache(v, 100, nil)
	must(t, err)
	return &provider{private, cache}
}

// token returns a token for a client and, unless it is empty, a user.
func (p *provider) token(t *testing.T, client, login string, issued time.Time) string {
	t.Helper()
	claims := jwt.MapClaims{
		"iss": providerURL, "aud": testURL, "sub": "person-1", "azp": client, "scope": "admin",
		"iat": issued.Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	if login != "" {
		claims["login"] = login
	}
	signed := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	signed.Header["kid"] = "k1"
	s, err := signed.SignedString(p.private)
	must(t, err)
	return s
}

// ownAndProvider returns an issuer with the client acme and the user ada, and a provider.
func ownAndProvider(t *testing.T) (*issuer.Issuer, *provider) {
	t.Helper()
	iss, err := issuer.Open(t.Context(), testURL, memory.New(), &issuer.Config{AllowEphemeralKeys: true})
	must(t, err)
	t.Cleanup(func() { iss.Close() })
	for _, id := range []string{"acme", "other"} {
		_, err = iss.CreateClient(t.Context(), store.Client{ID: id, Scopes: []string{"read"}, Default: []string{"read"}, Grants: []string{"client_credentials"}})
		must(t, err)
	}
	must(t, iss.CreateUser(t.Context(), store.User{Login: "ada"}, "correct horse battery"))
	return iss, newProvider(t, iss)
}

// TestOwnIssuer sends own API keys and a provider's tokens on one request.
func TestOwnIssuer(t *testing.T) {
	iss, p := ownAndProvider(t)
	key := func(client string) string {
		k, err := iss.CreateAPIKey(t.Context(), store.APIKey{Client: client, Scopes: []string{"read"}})
		must(t, err)
		return k
	}
	own, others := key("acme"), key("other")
	wrap := middleware.Chain(middleware.APIKey(iss.Validator(), nil), middleware.Bearer(p.tokens, nil))
	now := time.Now().Add(-time.Second)

	for _, tt := range []struct {
		name, key, token string
		want             errorsx.Code
	}{
		{"the same client", own, p.token(t, "web", "", now), 0},
		{"another client's key", others, p.token(t, "web", "", now), errorsx.CredentialsIncorrect},
		{"a client that Map does not know", own, p.token(t, "acme", "", now), errorsx.UnknownToken},
		{"a user of ours", own, p.token(t, "web", "ada", now), 0},
		{"a user of nobody", own, p.token(t, "web", "eve", now), errorsx.UnknownToken},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-API-KEY", tt.key)
		r.Header.Set("Authorization", "Bearer "+tt.token)
		id, err := middleware.Check(r, wrap)
		if tt.want == 0 && (err != nil || id.Issuer != testURL || id.Client != "acme" || id.Scopes != "") || tt.want != 0 && errorsx.From(err).Code != tt.want {
			t.Errorf("%s: got %+v, %v, want %v", tt.name, id, err, tt.want)
		}
	}
}

// TestOwnIssuerRevokes tests that a change at the own issuer ends a provider's token,
// even a remembered one, and that only tokens from before a revocation are refused.
func TestOwnIssuerRevokes(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(iss *issuer.Issuer) error
		again  errorsx.Code // of a token that is issued after the change
	}{
		"the client is revoked": {func(iss *issuer.Issuer) error { return iss.RevokeClient(t.Context(), "acme") }, 0},
		"the user is revoked":   {func(iss *issuer.Issuer) error { return iss.RevokeUser(t.Context(), "ada") }, 0},
		"another is revoked":    {func(iss *issuer.Issuer) error { return iss.RevokeClient(t.Context(), "other") }, 0},
		"the issuer is closed":  {func(iss *issuer.Issuer) error { return iss.Close() }, errorsx.Internal},
	} {
		iss, p := ownAndProvider(t)
		send := func(token string) errorsx.Code {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Authorization", "Bearer "+token)
			if _, err := middleware.Check(r, middleware.Bearer(p.tokens, nil)); err != nil {
				return errorsx.From(err).Code
			}
			return 0
		}
		old := p.token(t, "web", "ada", time.Now().Add(-time.Second))
		for range 2 {
			if got := send(old); got != 0 {
				t.Errorf("%s: before, got %v", name, got)
			}
		}

		must(t, tt.change(iss))
		want := errorsx.UnknownToken
		if name == "another is revoked" {
			want = 0
		}
		if tt.again != 0 {
			want = tt.again
		}
		if got := send(old); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
		if got := send(p.token(t, "web", "ada", time.Now().Add(2*time.Second))); got != tt.again {
			t.Errorf("%s: a new token got %v, want %v", name, got, tt.again)
		}
	}
}

// TestCheckActive tests disabled and deleted clients and users.
func TestCheckActive(t *testing.T) {
	db := memory.New()
	iss, err := issuer.Open(t.Context(), testURL, db, &issuer.Config{AllowEphemeralKeys: true})
	must(t, err)
	t.Cleanup(func() { iss.Close() })
	for _, id := range []string{"acme", "disabled", "deleted"} {
		_, err = iss.CreateClient(t.Context(), store.Client{ID: id, Scopes: []string{"read"}, Default: []string{"read"}, Grants: []string{"client_credentials"}})
		must(t, err)
	}
	must(t, db.UpdateClient(t.Context(), "disabled", func(c *store.Client) error { c.Disabled = true; return nil }))
	must(t, db.DeleteClient(t.Context(), "deleted"))

	for _, tt := range []struct {
		client, user string
		ok           bool
	}{{"acme", "", true}, {"disabled", "", false}, {"deleted", "", false}, {"never", "", false}, {"acme", "nobody", false}, {"", "", true}} {
		err := iss.CheckActive(t.Context(), tt.client, tt.user, time.Now())
		if (err == nil) != tt.ok || err != nil && errorsx.From(err).Code != errorsx.UnknownToken {
			t.Errorf("%+v: got %v", tt, err)
		}
	}
}
