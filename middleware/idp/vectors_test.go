package idp_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
)

// vectors are the tokens of one provider, and their meaning.
type vectors struct {
	Provider, Issuer, Audience string
	Clients                    []string
	JWKS                       []map[string]any
	Tokens                     []struct {
		Name            string
		Header, Payload map[string]any
		Expect          struct{ User, Client, Scopes, Issuer, Refused string }
	}
}

func readVectors(t testing.TB) []vectors {
	t.Helper()
	b, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Providers []vectors }
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all.Providers
}

var rsaKeys = sync.OnceValue(func() []*rsa.PrivateKey {
	var keys []*rsa.PrivateKey
	for range 2 {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys = append(keys, k)
	}
	return keys
})

var ecKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
})

const tenant = "11111111-2222-3333-4444-555555555555"

var hmacKey = []byte("a-shared-secret-of-32-bytes-long")

// configs returns the preset of each provider.
func configs(t testing.TB) map[string]idp.Config {
	t.Helper()
	hs256, err := idp.StaticKeys(idp.Key{Alg: "HS256", Public: hmacKey})
	if err != nil {
		t.Fatal(err)
	}
	supabase := idp.Supabase("https://ref.supabase.co")
	supabase.Keys = hs256
	return map[string]idp.Config{
		"Auth0":                idp.Auth0("t.eu.auth0.com", "https://api.example.com"),
		"Entra v1":             idp.Entra("api://app", tenant),
		"Entra v2, one tenant": idp.Entra("app-guid", tenant),
		"Entra v2, any tenant": idp.EntraAnyTenant("app-guid"),
		"Okta":                 idp.Okta("https://o.okta.example/oauth2/default", "api://default"),
		"Keycloak":             idp.Keycloak("https://kc.example/realms/r", "my-api"),
		"Cognito":              idp.Cognito("us-east-1", "us-east-1_Ex", "cli1", "cli2"),
		"Google ID token":      idp.Google("web.apps.example"),
		"Supabase":             supabase,
		"Clerk":                idp.Clerk("https://clerk.example.com", "https://app.example.com"),
		"Hydra":                idp.Hydra("https://hydra.example/", "https://api.example.com"),
		"GitHub Actions":       idp.GitHubActions("https://api.example.com", "42"),
		"Firebase":             idp.Firebase("proj"),
		"GitLab":               idp.GitLab("https://gitlab.com", "https://api.example.com", "11"),
		"Kubernetes":           idp.Kubernetes("https://k.example", "api", "default/builder"),
		"Cloudflare Access":    idp.CloudflareAccess("t.cloudflareaccess.com", "tag"),
		"Zitadel":              idp.Zitadel("https://z.example", "project-1"),
	}
}

// changes are the settings that a row needs beyond its preset.
func changes(provider, name string, cfg *idp.Config) {
	switch {
	case name == "no aud (realm without audience mapper)":
		cfg.Audience, cfg.Clients = nil, []string{"spa"}
	case strings.Contains(name, "that an action adds"):
		cfg.User = "person"
	case name == "no sub":
		cfg.User = "preferred_username"
	case strings.Contains(name, "not in the list"):
		cfg.AllowAnyTenant, cfg.Tenants = false, []string{tenant}
	}
}

// A provider answers for a provider's servers: metadata for any issuer, and a key set.
type provider struct {
	issuer string
	keys   []byte
}

func (p *provider) RoundTrip(r *http.Request) (*http.Response, error) {
	body := p.keys
	if strings.Contains(r.URL.Path, "/.well-known/o") {
		body = fmt.Appendf(nil, `{"issuer":%q,"jwks_uri":"https://keys.example/jwks"}`, p.issuer)
	}
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
}

func client(p *provider) *http.Client { return &http.Client{Transport: p} }

// keysOf returns the provider's key set, with keys of this test.
func keysOf(t testing.TB, v *vectors) []byte {
	t.Helper()
	var set []map[string]any
	for n, shape := range v.JWKS {
		k := maps.Clone(shape)
		switch k["kty"] {
		case "RSA":
			k["n"], k["e"] = b64(rsaKeys()[n%2].N.Bytes()), b64(big.NewInt(int64(rsaKeys()[n%2].E)).Bytes())
		case "EC":
			point, err := ecKey().PublicKey.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			k["x"], k["y"] = b64(point[1:33]), b64(point[33:])
		}
		set = append(set, k)
	}
	b, err := json.Marshal(map[string]any{"keys": set})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// signVector signs a token of the vectors with the key of its kid.
func signVector(t testing.TB, v *vectors, header, payload map[string]any) string {
	t.Helper()
	full := maps.Clone(payload)
	now := time.Now()
	for name, at := range map[string]int64{"iat": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix()} {
		if _, has := full[name]; !has {
			full[name] = at
		}
	}
	if s, ok := full["groups"].(string); ok && strings.HasPrefix(s, "(") {
		var groups []string
		for n := range 157 {
			groups = append(groups, fmt.Sprintf("%08d-2222-3333-4444-555555555555", n))
		}
		full["groups"] = groups
	}

	var key crypto.PrivateKey = hmacKey
	for n, k := range v.JWKS {
		if k["kid"] == header["kid"] && header["alg"] != "HS256" {
			key = rsaKeys()[n%2]
		}
	}
	if header["alg"] == "ES256" {
		key = ecKey()
	}
	signed := b64(header) + "." + b64(full)
	signature, err := jwt.GetSigningMethod(header["alg"].(string)).Sign(signed, key)
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + b64(signature)
}

// opened returns a verifier of the provider's tokens.
func opened(t testing.TB, v *vectors, cfg idp.Config) *idp.Verifier {
	t.Helper()
	cfg.HTTPClient = client(&provider{v.Issuer, keysOf(t, v)})
	cfg.Log = slog.New(slog.DiscardHandler)
	verifier, err := idp.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { verifier.Close() })
	return verifier
}

// TestVectors tests what the presets make of each provider's tokens.
func TestVectors(t *testing.T) {
	presets := configs(t)
	for _, v := range readVectors(t) {
		cfg, ok := presets[v.Provider]
		if !ok {
			t.Errorf("%s: no preset", v.Provider)
			continue
		}
		for _, tt := range v.Tokens {
			t.Run(v.Provider+"/"+tt.Name, func(t *testing.T) {
				cfg := cfg
				changes(v.Provider, tt.Name, &cfg)
				verifier := opened(t, &v, cfg)
				id, err := verifier.Validate(t.Context(), token(signVector(t, &v, tt.Header, tt.Payload)))

				want := tt.Expect
				if want.Refused != "" {
					if err == nil || errorsx.From(err).Code.String() != want.Refused {
						t.Errorf("got %+v, %v, want %s", id, err, want.Refused)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if id.User != want.User || id.Client != want.Client || string(id.Scopes) != want.Scopes {
					t.Errorf("got user %q, client %q, scopes %q, want %q, %q, %q", id.User, id.Client, id.Scopes, want.User, want.Client, want.Scopes)
				}
				if want.Issuer != "" && id.Issuer != want.Issuer {
					t.Errorf("got the issuer %q, want %q", id.Issuer, want.Issuer)
				}
				if strings.Contains(tt.Name, "157 groups") {
					large := &middleware.BearerConfig{MaxTokenBytes: 16 << 10}
					checkRefused(t, middleware.Bearer(verifier, nil), signVector(t, &v, tt.Header, tt.Payload), errorsx.CredentialsMalformed)
					checkAdmitted(t, middleware.Bearer(verifier, large), signVector(t, &v, tt.Header, tt.Payload))
				}
				if want.User == "" {
					users := middleware.Bearer(verifier, &middleware.BearerConfig{RequireUser: true})
					checkRefused(t, users, signVector(t, &v, tt.Header, tt.Payload), errorsx.WrongTokenType)
				}
			})
		}
	}
}

// checkAdmitted tests that a wrapper admits a token.
func checkAdmitted(t testing.TB, w middleware.Wrapper, signed string) {
	t.Helper()
	r, err := http.NewRequest("GET", "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+signed)
	if _, err := middleware.Check(r, w); err != nil {
		t.Error(err)
	}
}

// checkRefused tests that a wrapper refuses a token with that code.
func checkRefused(t testing.TB, w middleware.Wrapper, signed string, want errorsx.Code) {
	t.Helper()
	r, err := http.NewRequest("GET", "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+signed)
	if _, err := middleware.Check(r, w); errorsx.From(err).Code != want {
		t.Errorf("got %v, want %v", err, want)
	}
}

// TestKinds tests that a preset whose provider names the kinds of its tokens accepts the
// kinds that it lists, and no other.
func TestKinds(t *testing.T) {
	for _, v := range readVectors(t) {
		claim := map[string]string{"Keycloak": "typ", "Cognito": "token_use"}[v.Provider]
		if claim == "" {
			continue
		}
		verifier := opened(t, &v, configs(t)[v.Provider])
		for _, kind := range []any{"Offline", "", 7, nil} {
			payload := changed(v.Tokens[0].Payload, members{claim: kind})
			checkRefused(t, middleware.Bearer(verifier, nil), signVector(t, &v, v.Tokens[0].Header, payload), errorsx.WrongTokenType)
		}
	}
}
