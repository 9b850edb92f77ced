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

// A provider is an identity provider with one key.
type provider struct {
	*httptest.Server
	key ed25519.PrivateKey
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{key: key}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","use":"sig","x":%q}]}`, base64.RawURLEncoding.EncodeToString(public))
	}))
	t.Cleanup(p.Close)
	return p
}

// token returns a token with these claims and those that every token has.
func (p *provider) token(t *testing.T, claims jwt.MapClaims) string {
	t.Helper()
	claims["iss"], claims["aud"] = p.URL, "https://api.example.com"
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
	go func() {
		ended <- run(t.Context(), p.URL, idp.JWTConfig{
			Issuer: p.URL, Audience: []string{"https://api.example.com"}, Types: []string{"at+jwt", "JWT"}, UserClaim: "sub",
		})
	}()
	program.Await(t, ended)

	ada := p.token(t, jwt.MapClaims{"sub": "ada", "azp": "web", "scope": "reports:read"})
	machine := p.token(t, jwt.MapClaims{"sub": "batch", "azp": "batch", "scope": "reports:read reports:write"})
	stranger := newProvider(t).token(t, jwt.MapClaims{"sub": "ada", "azp": "web", "scope": "admin"})
	for _, tt := range []struct{ name, method, token, want string }{
		{"a user reads", "GET", ada, "200 web for ada"},
		{"a user writes", "POST", ada, `403 {"code":"AUTH-7"`},
		{"a machine reads", "GET", machine, "200 batch for"},
		{"a machine writes", "POST", machine, "200 batch for"},
		{"a stranger", "GET", stranger, `404 {"code":"AUTH-12"`},
		{"nobody", "GET", "", `401 {"code":"AUTH-3"`},
	} {
		got := program.Request(t, tt.method, "/reports", "", "Authorization: Bearer "+tt.token)
		if !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}
