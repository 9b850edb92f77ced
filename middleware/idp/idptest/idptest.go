// Package idptest has fake identity providers for tests.
//
//	fake := idptest.New(t, "Auth0")
//	go run(ctx, fake.Config) // the program under test, which calls idp.Open
//	r.Header.Set("Authorization", "Bearer "+fake.Token(t, "person", map[string]any{"scope": "reports:read"}))
//
// A fake has the key set and the shapes of tokens of the real provider, as the files in
// the folder vectors describe them, and keys of its own. It listens on no port: its
// Config has an HTTP client that reaches nothing but the fake.
package idptest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/authtier/authtier/middleware/idp"
)

//go:embed vectors/*.json
var files embed.FS

// A Provider is a fake identity provider. Its methods are safe for concurrent use.
type Provider struct {
	// Config comes from the provider's function in package idp. Its HTTP client reaches
	// only the fake. Programs may change it further. Some shapes need the settings that
	// their file names, such as another claim for the user.
	Config idp.Config

	shape file
	keys  []crypto.Signer // in the order of the file
	set   []byte          // the key set that is published
}

// A file is a file of the folder vectors.
type file struct {
	Provider string
	Preset   []string
	Issuer   string
	JWKS     []map[string]any
	Tokens   []struct {
		Name            string
		Header, Payload map[string]any
	}
}

// Names returns the names of all providers, sorted.
func Names() []string {
	var names []string
	for _, f := range readAll() {
		names = append(names, f.Provider)
	}
	slices.Sort(names)
	return names
}

// readAll reads the files, which are part of the program.
var readAll = sync.OnceValue(func() []file {
	entries, err := files.ReadDir("vectors")
	if err != nil {
		panic(err)
	}
	var all []file
	for _, entry := range entries {
		text, err := files.ReadFile("vectors/" + entry.Name())
		if err != nil {
			panic(err)
		}
		var f file
		if err := json.Unmarshal(text, &f); err != nil {
			panic(fmt.Sprintf("idptest: %s: %v", entry.Name(), err))
		}
		all = append(all, f)
	}
	return all
})

// New returns the fake of the provider with that name. It fails the test at once if there
// is none.
func New(tb testing.TB, name string) *Provider {
	tb.Helper()
	all := readAll()
	n := slices.IndexFunc(all, func(f file) bool { return f.Provider == name })
	if n < 0 {
		tb.Fatalf("idptest: no provider %q, expected one of %q", name, Names())
	}

	p := &Provider{shape: all[n], Config: presets[all[n].Preset[0]](all[n].Preset[1:])}
	if err := p.makeKeys(); err != nil {
		tb.Fatal("idptest: ", err)
	}
	p.Config.HTTPClient = &http.Client{Transport: p}
	p.Config.Log = slog.New(slog.DiscardHandler)
	return p
}

// presets calls the provider's function of package idp with the arguments in a file.
var presets = map[string]func(args []string) idp.Config{
	"Auth0":            func(a []string) idp.Config { return idp.Auth0(a[0], a[1]) },
	"Clerk":            func(a []string) idp.Config { return idp.Clerk(a[0], a[1:]...) },
	"CloudflareAccess": func(a []string) idp.Config { return idp.CloudflareAccess(a[0], a[1]) },
	"Cognito":          func(a []string) idp.Config { return idp.Cognito(a[0], a[1], a[2:]...) },
	"Entra":            func(a []string) idp.Config { return idp.Entra(a[0], a[1:]...) },
	"EntraAnyTenant":   func(a []string) idp.Config { return idp.EntraAnyTenant(a[0]) },
	"Firebase":         func(a []string) idp.Config { return idp.Firebase(a[0]) },
	"GitHubActions":    func(a []string) idp.Config { return idp.GitHubActions(a[0], a[1:]...) },
	"GitLab":           func(a []string) idp.Config { return idp.GitLab(a[0], a[1], a[2:]...) },
	"Google":           func(a []string) idp.Config { return idp.Google(a...) },
	"Hydra":            func(a []string) idp.Config { return idp.Hydra(a[0], a[1]) },
	"Keycloak":         func(a []string) idp.Config { return idp.Keycloak(a[0], a[1]) },
	"Kubernetes":       func(a []string) idp.Config { return idp.Kubernetes(a[0], a[1], a[2:]...) },
	"Okta":             func(a []string) idp.Config { return idp.Okta(a[0], a[1]) },
	"Supabase":         func(a []string) idp.Config { return idp.Supabase(a[0]) },
	"Zitadel":          func(a []string) idp.Config { return idp.Zitadel(a[0], a[1], a[2:]...) },
}

// Secret signs the tokens whose alg is HS256. To accept them, add it to Config.Keys.
var Secret = []byte("a-shared-secret-of-32-bytes-long")

// makeKeys makes the keys of the set.
func (p *Provider) makeKeys() error {
	var published []map[string]any
	for _, shape := range p.shape.JWKS {
		jwk := maps.Clone(shape)
		switch jwk["kty"] {
		case "RSA":
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				return err
			}
			jwk["n"], jwk["e"] = encode(key.N.Bytes()), encode(big.NewInt(int64(key.E)).Bytes())
			p.keys = append(p.keys, key)
		case "EC":
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				return err
			}
			point, err := key.PublicKey.Bytes() // 0x04, x, y
			if err != nil {
				return err
			}
			jwk["x"], jwk["y"] = encode(point[1:33]), encode(point[33:])
			p.keys = append(p.keys, key)
		default:
			return fmt.Errorf("a key of type %v", jwk["kty"])
		}
		published = append(published, jwk)
	}
	set, err := json.Marshal(map[string]any{"keys": published})
	p.set = set
	return err
}

// RoundTrip answers as the provider's servers do: with metadata at the well-known places
// (RFC 8414, OpenID Connect Discovery), and with the key set anywhere else.
func (p *Provider) RoundTrip(r *http.Request) (*http.Response, error) {
	body := p.set
	if strings.Contains(r.URL.Path, "/.well-known/o") {
		body = fmt.Appendf(nil, `{"issuer":%q,"jwks_uri":"https://keys.example/jwks"}`, p.shape.Issuer)
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(body)), Request: r,
	}, nil
}

// Shapes returns the names of the provider's tokens, such as "person" and "machine".
func (p *Provider) Shapes() []string {
	var names []string
	for _, t := range p.shape.Tokens {
		names = append(names, t.Name)
	}
	return names
}

// Token returns a signed token of that shape. Unless the shape has its own iat and exp, it
// was issued a minute ago and is valid for an hour. Some shapes are made to be refused. changes replace claims; nil removes one. Token fails the test at once if the
// provider has no such shape.
func (p *Provider) Token(tb testing.TB, shape string, changes map[string]any) string {
	tb.Helper()
	n := slices.Index(p.Shapes(), shape)
	if n < 0 {
		tb.Fatalf("idptest: %s has no token %q, expected one of %q", p.shape.Provider, shape, p.Shapes())
	}

	now := time.Now()
	claims := map[string]any{"iat": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix()}
	maps.Copy(claims, p.shape.Tokens[n].Payload)
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })

	signed, err := p.sign(p.shape.Tokens[n].Header, claims)
	if err != nil {
		tb.Fatal("idptest: ", err)
	}
	return signed
}

// sign signs a token with the key of its kid.
func (p *Provider) sign(header, claims map[string]any) (string, error) {
	var key any = Secret
	if header["alg"] != "HS256" {
		n := slices.IndexFunc(p.shape.JWKS, func(k map[string]any) bool { return k["kid"] == header["kid"] })
		if n < 0 {
			return "", fmt.Errorf("no key %v", header["kid"])
		}
		key = p.keys[n]
	}

	h, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	c, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed := encode(h) + "." + encode(c)
	signature, err := jwt.GetSigningMethod(header["alg"].(string)).Sign(signed, key)
	return signed + "." + encode(signature), err
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
