package idp_test

import (
	"net/http/httptest"
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
	_, isSource := v.(middleware.Source)
	if _, isPartial := v.(middleware.PartialSource); (isPartial || !isSource) && cfg.TTL == 0 {
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
		c := newCache(t, own(t), 100, middleware.CacheConfig{})
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
	tokens := verifier(t, idp.Config{Issuers: []string{testIssuer}, Audience: []string{testAudience}, Keys: staticKeys(t, "ES256", "ES256")})

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
