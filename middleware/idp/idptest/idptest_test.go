package idptest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
	"github.com/authtier/authtier/middleware/idp/idptest"
)

// A vectors file has the verdicts beside what idptest itself reads.
type vectors struct {
	Provider, Issuer string
	Audience         string
	Clients          []string
	Tokens           []vector
	Preset           []string
	JWKS             []map[string]any
}

type vector struct {
	Name            string
	Settings        *settings
	Header, Payload map[string]any
	Expect          struct{ User, Client, Scopes, Issuer, Refused string }
}

// settings are changes of the preset.
type settings struct {
	Audience *[]string
	Clients  []string
	User     string
	Tenants  []string
	Scopes   []string
}

func (s *settings) apply(cfg *idp.Config) {
	if s == nil {
		return
	}
	if s.Audience != nil {
		cfg.Audience = *s.Audience
	}
	if s.Clients != nil {
		cfg.Clients = s.Clients
	}
	if s.User != "" {
		cfg.User = s.User
	}
	if s.Scopes != nil {
		cfg.Scopes = s.Scopes
	}
	if s.Tenants != nil {
		cfg.Tenants, cfg.AllowAnyTenant = s.Tenants, false
	}
}

func readVectors(t testing.TB) []vectors {
	t.Helper()
	paths, err := filepath.Glob("vectors/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatal("no vectors: ", err)
	}
	var all []vectors
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var v vectors
		d := json.NewDecoder(f)
		d.DisallowUnknownFields()
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, v)
	}
	return all
}

// opened returns a verifier of the fake's tokens.
func opened(t testing.TB, fake *idptest.Provider, changes ...func(*idp.Config)) *idp.Verifier {
	t.Helper()
	cfg := fake.Config
	for _, change := range changes {
		change(&cfg)
	}
	v, err := idp.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

// supabase gives the shared secret of a project that still signs with it.
func supabase(t testing.TB, provider string) func(*idp.Config) {
	return func(cfg *idp.Config) {
		if provider != "Supabase" {
			return
		}
		keys, err := idp.StaticKeys(idp.Key{Alg: "HS256", Public: idptest.Secret})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Keys = keys
	}
}

// check returns the code with which a Bearer wrapper refuses the token, or 0.
func check(v middleware.Validator, token string, cfg middleware.BearerConfig) (middleware.Identity, error) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return middleware.Check(r, middleware.Bearer(v, &cfg))
}

// TestVectors tests what the presets make of each provider's tokens. A machine never
// passes RequireUser.
func TestVectors(t *testing.T) {
	for _, v := range readVectors(t) {
		fake := idptest.New(t, v.Provider)
		for _, tt := range v.Tokens {
			t.Run(v.Provider+"/"+tt.Name, func(t *testing.T) {
				tokens := opened(t, fake, supabase(t, v.Provider), tt.Settings.apply)
				signed, want := fake.Token(t, tt.Name, nil), tt.Expect
				bearer := middleware.BearerConfig{MaxTokenBytes: 16 << 10}
				id, err := check(tokens, signed, bearer)
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
				bearer.RequireUser = true
				if _, err := check(tokens, signed, bearer); (err == nil) != (want.User != "") || err != nil && errorsx.From(err).Code != errorsx.WrongTokenType {
					t.Errorf("where a user is required: got %v", err)
				}
			})
		}
	}
}

// TestLargeToken tests a token of 9.4 KB, which needs MaxTokenBytes.
func TestLargeToken(t *testing.T) {
	fake := idptest.New(t, "Entra")
	tokens, signed := opened(t, fake), fake.Token(t, "157 groups: 9.4 KB", nil)
	if _, err := check(tokens, signed, middleware.BearerConfig{}); errorsx.From(err).Code != errorsx.CredentialsMalformed ||
		!strings.Contains(err.Error(), "MaxTokenBytes") || strings.Contains(errorsx.From(err).Message, "MaxTokenBytes") {
		t.Errorf("by default: got %v, want AUTH-3 with a cause that names MaxTokenBytes", err)
	}
	if _, err := check(tokens, signed, middleware.BearerConfig{MaxTokenBytes: 16 << 10}); err != nil {
		t.Errorf("with 16 KiB: got %v", err)
	}
}

// TestKinds tests that a preset whose provider names the kinds of its tokens accepts the
// kinds that it lists, and no other.
func TestKinds(t *testing.T) {
	for provider, claim := range map[string]string{"Keycloak": "typ", "Cognito": "token_use"} {
		fake := idptest.New(t, provider)
		tokens := opened(t, fake)
		for _, kind := range []any{"Offline", "", 7, nil} {
			if _, err := check(tokens, fake.Token(t, "person", map[string]any{claim: kind}), middleware.BearerConfig{}); errorsx.From(err).Code != errorsx.WrongTokenType {
				t.Errorf("%s, %s %v: got %v", provider, claim, kind, err)
			}
		}
	}
}

// TestPresetConditionsStay tests that no setting removes the conditions of a preset.
func TestPresetConditionsStay(t *testing.T) {
	strangers := 0
	for _, v := range readVectors(t) {
		fake := idptest.New(t, v.Provider)
		tokens := opened(t, fake, supabase(t, v.Provider), func(cfg *idp.Config) {
			cfg.Map = func(id *middleware.Identity, _ idp.Claims) error { id.Scopes = "admin"; return nil }
			cfg.ClientToken = func(idp.Claims) bool { return false }
			cfg.Types, cfg.Scopes = []string{"JWT"}, []string{"scope"}
		})
		for _, tt := range v.Tokens {
			if !strings.Contains(tt.Name, "stranger") {
				continue
			}
			strangers++
			if id, err := check(tokens, fake.Token(t, tt.Name, nil), middleware.BearerConfig{}); err == nil {
				t.Errorf("%s, %s: admitted as %+v", v.Provider, tt.Name, id)
			}
		}
	}
	if strangers < 5 {
		t.Errorf("only %d strangers", strangers)
	}
}

// TestPageNamesAllFiles tests that the page about the vectors names every file.
func TestPageNamesAllFiles(t *testing.T) {
	page, err := os.ReadFile("vectors/README.md")
	if err != nil {
		t.Fatal(err)
	}
	paths, _ := filepath.Glob("vectors/*.json")
	for _, path := range paths {
		if !strings.Contains(string(page), filepath.Base(path)) {
			t.Errorf("the page does not name %s", path)
		}
	}
	if len(idptest.Names()) != len(paths) {
		t.Errorf("%d names for %d files", len(idptest.Names()), len(paths))
	}
}

// A test of a program that accepts Auth0's tokens. Most programs pass fake.Config to a
// function of their own, which calls idp.Open.
func ExampleNew() {
	t := new(testing.T) // a test has its own

	fake := idptest.New(t, "Auth0")
	tokens, err := idp.Open(context.Background(), fake.Config)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer tokens.Close()
	h := middleware.Bearer(tokens, nil)(middleware.Scope("reports:read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := middleware.IdentityFromContext(r.Context())
		fmt.Fprint(w, id.User)
	})))

	for _, scope := range []string{"reports:read", "profile"} {
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Header.Set("Authorization", "Bearer "+fake.Token(t, "person", map[string]any{"scope": scope}))
		h.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body.Len() > 0)
	}
	// Output:
	// 200 true
	// 403 true
}
