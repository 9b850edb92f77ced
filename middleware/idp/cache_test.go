package idp_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
)

// newCache returns a cache around v, with a TTL if v is no Source.
func newCache(t testing.TB, v middleware.Validator, size int, cfg middleware.CacheConfig) *middleware.Cache {
	t.Helper()
	if _, ok := v.(middleware.Source); !ok && cfg.TTL == 0 {
		cfg.TTL = time.Minute
	}
	c, err := middleware.NewCache(v, size, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// token returns the credential of a Bearer token.
func token(s string) middleware.Credential {
	return middleware.Credential{Scheme: middleware.SchemeBearer, Secret: s}
}

// TestRefusalEndsWithNBF tests that a cache forgets the refusal of a token when the
// token becomes valid.
func TestRefusalEndsWithNBF(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(testTime))
		c := newCache(t, newJWT(t, idp.JWTConfig{}), 100, middleware.CacheConfig{})
		early := sign(t, "HS256", header("HS256", nil), payload(members{"nbf": testTime.Unix() + 1}))
		if got := ask(t, c, early); got != errorsx.UnknownToken {
			t.Errorf("before nbf: got %v", got)
		}
		time.Sleep(time.Second)
		if got := ask(t, c, early); got != 0 {
			t.Errorf("at nbf: got %v", got)
		}
	})
}

// TestMachinesAreNoUsers tests that a client's own token has no user if sub names the
// user.
func TestMachinesAreNoUsers(t *testing.T) {
	tokens, err := idp.JWT(staticKeys(t, "ES256", "ES256"), idp.JWTConfig{
		Issuer: testIssuer, Audience: []string{testAudience}, UserClaim: "sub",
	})
	if err != nil {
		t.Fatal(err)
	}

	users := middleware.Bearer(tokens, &middleware.BearerConfig{RequireUser: true})
	for sub, want := range map[string]errorsx.Code{"batch-job": errorsx.WrongTokenType, "ada": 0} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+fresh(t, "ES256", "ES256", members{"sub": sub, "client_id": "batch-job"}))
		id, err := middleware.Check(r, users)
		if want == 0 && (err != nil || id.User != sub) || want != 0 && errorsx.From(err).Code != want {
			t.Errorf("sub %q: got %+v, %v, want %v", sub, id, err, want)
		}
	}
}

// TestNobodysToken tests that a token that names neither a client nor a user is the
// token's fault, unless a decorator names them.
func TestNobodysToken(t *testing.T) {
	v := newJWT(t, idp.JWTConfig{Types: []string{"JWT"}, UserClaim: "login"})
	named := middleware.Around(v, func(ctx context.Context, c middleware.Credential, next middleware.Validator) (*middleware.Identity, error) {
		id, err := next.Validate(ctx, c)
		if err == nil {
			id.Client = "app"
		}
		return id, err
	})
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+sign(t, "HS256", header("HS256", members{"typ": "JWT"}),
		payload(members{"client_id": nil, "azp": nil, "username": nil, "exp": time.Now().Unix() + 60, "iat": nil, "nbf": nil})))

	_, err := middleware.Check(r, middleware.Bearer(v, nil))
	if e := errorsx.From(err); e.Code != errorsx.UnknownToken || !strings.Contains(e.Error(), "names neither") {
		t.Errorf("got %v, want AUTH-12", err)
	}
	if id, err := middleware.Check(r, middleware.Bearer(named, nil)); err != nil || id.Client != "app" {
		t.Errorf("with a decorator: got %+v, %v", id, err)
	}
}

// TestJWTRefusesWiring tests what JWT returns an error for.
func TestJWTRefusesWiring(t *testing.T) {
	audience := []string{testAudience}
	for _, issuer := range []string{"https://login.example/{tenantid}/v2.0", "https://login.example/}"} {
		if _, err := idp.JWT(staticKeys(t, "ES256", "ES256"), idp.JWTConfig{Issuer: issuer, Audience: audience}); err == nil {
			t.Errorf("issuer %s: no error", issuer)
		}
	}
	if _, err := idp.JWT((*idp.RemoteKeys)(nil), idp.JWTConfig{Issuer: testIssuer, Audience: audience}); err == nil {
		t.Error("nil keys: no error")
	}
}
