package issuer_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
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
func newProvider(t *testing.T, own idp.OwnIssuer, leeway time.Duration) *provider {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	must(t, err)
	keys, err := idp.StaticKeys(idp.Key{ID: "k1", Alg: "EdDSA", Public: public})
	must(t, err)
	v, err := idp.Open(t.Context(), idp.Config{
		Issuers: []string{providerURL}, Audience: []string{testURL}, Keys: keys, Own: own, Leeway: leeway,
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
	return iss, newProvider(t, iss, -1)
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
		{"a client that Map does not know, for a user of ours", "", p.token(t, "stranger", "ada", now), errorsx.UnknownToken},
		{"a user of ours", own, p.token(t, "web", "ada", now), 0},
		{"a user of nobody", own, p.token(t, "web", "eve", now), errorsx.UnknownToken},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+tt.token)
		guard := wrap
		if r.Header.Set("X-API-KEY", tt.key); tt.key == "" {
			guard = middleware.Bearer(p.tokens, &middleware.BearerConfig{RequireUser: true})
		}
		id, err := middleware.Check(r, guard)
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
		synctest.Test(t, func(t *testing.T) {
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
			// The clock of the test stands still while the issuer reads the revocation back,
			// so that it is sure only at the next poll.
			time.Sleep(time.Second)
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
			time.Sleep(2 * time.Second)
			if got := send(p.token(t, "web", "ada", time.Now())); got != tt.again {
				t.Errorf("%s: a new token got %v, want %v", name, got, tt.again)
			}
		})
	}
}

// TestOwnIssuerNames tests that a name of the provider is no name of the own issuer, even if
// Map leaves it as it is.
func TestOwnIssuerNames(t *testing.T) {
	iss, _ := ownAndProvider(t)
	public, private, err := ed25519.GenerateKey(nil)
	must(t, err)
	keys, err := idp.StaticKeys(idp.Key{ID: "k1", Alg: "EdDSA", Public: public})
	must(t, err)
	v, err := idp.Open(t.Context(), idp.Config{
		Issuers: []string{providerURL}, Audience: []string{testURL}, Keys: keys, Own: iss,
		Map: func(*middleware.Identity, idp.Claims) error { return nil },
	})
	must(t, err)
	defer v.Close()
	p := &provider{private, v}
	if id, err := v.Validate(t.Context(), middleware.Credential{Scheme: middleware.SchemeBearer, Secret: p.token(t, "acme", "", time.Now())}); err == nil {
		t.Errorf("the provider's client acme is admitted as %+v", id)
	}
}

// TestOwnIssuerFuture tests that a token whose iat is in the future, within the leeway, does
// not survive a revocation.
func TestOwnIssuerFuture(t *testing.T) {
	iss, _ := ownAndProvider(t)
	p := newProvider(t, iss, 30*time.Second)
	future := p.token(t, "web", "ada", time.Now().Add(25*time.Second))
	must(t, iss.RevokeClient(t.Context(), "acme"))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+future)
	if id, err := middleware.Check(r, middleware.Bearer(p.tokens, nil)); err == nil {
		t.Errorf("admitted as %+v", id)
	}
}

// unreadable is a store whose changes cannot be read.
type unreadable struct {
	*memory.Store
	down *bool
}

func (s unreadable) Since(ctx context.Context, c store.Cursor) ([]store.Change, store.Cursor, error) {
	if *s.down {
		return nil, c, errors.New("down")
	}
	return s.Store.Since(ctx, c)
}

// TestOwnIssuerUnsure tests that a provider's token is not admitted after a revocation that
// was written and could not be read back.
func TestOwnIssuerUnsure(t *testing.T) {
	down := false
	iss, err := issuer.Open(t.Context(), testURL, unreadable{memory.New(), &down}, &issuer.Config{AllowEphemeralKeys: true})
	must(t, err)
	defer iss.Close()
	_, err = iss.CreateClient(t.Context(), store.Client{ID: "acme", Scopes: []string{"read"}})
	must(t, err)
	down = true
	if err := iss.RevokeClient(t.Context(), "acme"); err == nil {
		t.Error("the revocation could not be read back, and has no error")
	}
	if err := iss.CheckActive(t.Context(), "acme", "", time.Now().Add(-time.Minute)); err == nil || errorsx.From(err).Code != errorsx.Internal {
		t.Errorf("got %v, want AUTH-8", err)
	}
}

// TestOwnIssuerIntrospection tests that a cache around an Introspector hears of the own
// issuer.
func TestOwnIssuerIntrospection(t *testing.T) {
	iss, _ := ownAndProvider(t)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"active":true,"iss":%q,"aud":%q,"client_id":"web","sub":"p","iat":%d}`, providerURL, testURL, time.Now().Add(-time.Minute).Unix())
	}))
	defer endpoint.Close()
	v, err := idp.OpenIntrospection(t.Context(), idp.Config{
		Issuers: []string{providerURL}, Audience: []string{testURL}, Own: iss,
		Map: func(id *middleware.Identity, _ idp.Claims) error { id.Client = "acme"; return nil },
	}, idp.IntrospectionConfig{Endpoint: endpoint.URL, AllowUnauthenticated: true})
	must(t, err)
	if _, err := middleware.NewCache(v, 100, nil); err == nil {
		t.Error("a cache without a TTL: no error")
	}
	cache, err := middleware.NewCache(v, 100, &middleware.CacheConfig{TTL: time.Minute})
	must(t, err)

	send := func() error {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer opaque")
		_, err := middleware.Check(r, middleware.Bearer(cache, nil))
		return err
	}
	must(t, send())
	must(t, iss.RevokeClient(t.Context(), "acme"))
	if err := send(); err == nil {
		t.Error("admitted from the cache after the revocation")
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
