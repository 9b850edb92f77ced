package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/authtier/authtier/examples/internal/program"
	"github.com/authtier/authtier/middleware/idp"
)

// A provider stands in for Auth0: it answers for the tenant's metadata and key set.
type provider struct {
	public ed25519.PublicKey
	key    ed25519.PrivateKey
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &provider{public, key}
}

const domain = "example.eu.auth0.com"

// RoundTrip implements [http.RoundTripper].
func (p *provider) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	switch r.URL.String() {
	case "https://" + domain + "/.well-known/openid-configuration":
		fmt.Fprintf(w, `{"issuer":"https://%s/","jwks_uri":"https://%s/.well-known/jwks.json"}`, domain, domain)
	case "https://" + domain + "/.well-known/jwks.json":
		fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","use":"sig","x":%q}]}`, base64.RawURLEncoding.EncodeToString(p.public))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// token returns a token with these claims and those that every token has.
func (p *provider) token(t *testing.T, claims jwt.MapClaims) string {
	t.Helper()
	claims["iss"], claims["aud"] = "https://"+domain+"/", "https://api.example.com"
	claims["iat"], claims["exp"] = time.Now().Unix(), time.Now().Add(time.Minute).Unix()
	unsigned := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	unsigned.Header["kid"] = "k1"
	signed, err := unsigned.SignedString(p.key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestProvider(t *testing.T) {
	program.Turn(t)
	p := newProvider(t)
	ended := make(chan error, 1)
	cfg := idp.Auth0(domain, "https://api.example.com")
	cfg.HTTPClient = &http.Client{Transport: p}
	go func() { ended <- run(t.Context(), cfg) }()
	program.Await(t, ended)

	ada := p.token(t, jwt.MapClaims{"sub": "auth0|ada", "azp": "web", "scope": "reports:read"})
	machine := p.token(t, jwt.MapClaims{"sub": "batch@clients", "azp": "batch", "scope": "reports:read reports:write"})
	stranger := newProvider(t).token(t, jwt.MapClaims{"sub": "ada", "azp": "web", "scope": "admin"})
	for _, tt := range []struct{ name, method, token, want string }{
		{"a user reads", "GET", ada, "200 web for auth0|ada"},
		{"a user writes", "POST", ada, `403 {"code":"AUTH-7"`},
		{"a machine reads", "GET", machine, "200 batch for"},
		{"a machine writes", "POST", machine, "200 batch for"},
		{"a stranger", "GET", stranger, `400 {"code":"AUTH-10"`},
		{"nobody", "GET", "", `401 {"code":"AUTH-3"`},
	} {
		got := program.Request(t, tt.method, "/reports", "", "Authorization: Bearer "+tt.token)
		if !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}
