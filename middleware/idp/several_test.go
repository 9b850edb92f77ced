package idp_test

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
)

const otherIssuer = "https://other.example"

// ownOf returns the Config of an issuer of this suite that has these keys.
func ownOf(keys idp.Keys, issuer string) idp.Config {
	cfg := idp.Own(issuer, testAudience)
	cfg.Keys = keys
	return cfg
}

// remoteOwn returns the Config of an issuer of this suite whose keys s publishes. They
// are read every minute and used for an hour.
func remoteOwn(s *remote, issuer string) idp.Config {
	cfg := idp.Own(issuer, testAudience)
	cfg.JWKSURL, cfg.HTTPClient, cfg.Log = testJWKS, s.client(), slog.New(slog.DiscardHandler)
	cfg.Refresh, cfg.MaxStale = time.Minute, time.Hour
	return cfg
}

func staticKeys(t testing.TB, id, alg string) idp.Keys {
	t.Helper()
	keys, err := idp.StaticKeys(idp.Key{ID: id, Alg: alg, Public: public(signers()[alg])})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestJ06SameKidAtTwoIssuers tests that only the keys of a token's issuer verify it,
// even if another issuer's key has the same ID.
func TestJ06SameKidAtTwoIssuers(t *testing.T) {
	v := verifier(t,
		ownOf(staticKeys(t, "k", "ES256"), testIssuer),
		idp.Config{Issuers: []string{otherIssuer}, Audience: []string{"theirs"}, Keys: staticKeys(t, "k", "EdDSA")},
		idp.Config{Issuers: []string{"https://third.example"}, Audience: []string{testAudience}, Keys: staticKeys(t, "k", "RS256"), Types: []string{"JWT"}})
	c := newCache(t, v, 100, middleware.CacheConfig{})
	kid := members{"kid": "k"}
	of := func(alg string, pay members) string { return sign(t, alg, header(alg, kid), payload(pay)) }
	for _, tt := range []struct {
		name, token string
		code        errorsx.Code
	}{
		{"first", of("ES256", nil), 0},
		{"second", of("EdDSA", members{"iss": otherIssuer, "aud": "theirs"}), 0},
		{"the second's key for the first", of("EdDSA", nil), errorsx.BadSignature},
		{"the first's key for the second", of("ES256", members{"iss": otherIssuer, "aud": "theirs"}), errorsx.BadSignature},
		{"the first's audience at the second", of("EdDSA", members{"iss": otherIssuer}), errorsx.UnknownToken},
		{"the first's type at the third", of("RS256", members{"iss": "https://third.example"}), errorsx.WrongTokenType},
		{"J24 not trusted", of("ES256", members{"iss": "https://evil.example"}), errorsx.UnknownToken},
		{"J24 a slash", of("ES256", members{"iss": testIssuer + "/"}), errorsx.UnknownToken},
		{"J24 another case", of("ES256", members{"iss": strings.ToUpper(testIssuer)}), errorsx.UnknownToken},
		{"J24 absent", of("ES256", members{"iss": nil}), errorsx.UnknownToken},
		{"J24 empty", of("ES256", members{"iss": ""}), errorsx.UnknownToken},
		{"J24 a list", of("ES256", members{"iss": []string{testIssuer}}), errorsx.UnknownToken},
		{"J24 twice", sign(t, "ES256", header("ES256", kid), `{"iss":"`+otherIssuer+`","iss":"`+testIssuer+`"}`), errorsx.UnknownToken},
		{"garbled", "a.b", errorsx.UnknownToken},
	} {
		for _, v := range []middleware.Validator{v, c} {
			id, code := judge(t, v, tt.token, testTime)
			if code != tt.code {
				t.Errorf("%s: got %v, want %v", tt.name, code, tt.code)
			}
			if code == 0 && (id.User == "ada") != (tt.name == "second") {
				t.Errorf("%s: got user %q", tt.name, id.User)
			}
		}
	}
	if _, err := v.Validate(t.Context(), middleware.Credential{Scheme: middleware.SchemeBasic, Username: "a", Secret: "b"}); err == nil || errorsx.From(err).Code != errorsx.Internal {
		t.Errorf("a password: got %v, want a fault in wiring", err)
	}
	if n := c.Stats().Flights; n != 0 {
		t.Errorf("%d flights for static keys", n)
	}
}

// TestC19Forget tests that a cache learns of withdrawn keys of all issuers.
func TestC19Forget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := publishes(jwkOf(t, "ES256", nil)), publishes(jwkOf(t, "EdDSA", nil))
		v := verifier(t, remoteOwn(a, testIssuer), remoteOwn(b, otherIssuer))
		c := newCache(t, v, 100, middleware.CacheConfig{TTL: time.Hour})
		first, second := fresh(t, "ES256", "ES256", nil), fresh(t, "EdDSA", "EdDSA", members{"iss": otherIssuer})
		for _, token := range []string{first, second} {
			if code := ask(t, c, token); code != 0 {
				t.Fatalf("refused with %v", code)
			}
		}
		b.says(200, jwks(jwkOf(t, "EdDSA", members{"kid": "another"})))
		time.Sleep(time.Minute + time.Second)
		if got := ask(t, c, second); got != errorsx.BadSignature {
			t.Errorf("a key was withdrawn: got %v", got)
		}
		if got := ask(t, c, first); got != 0 {
			t.Errorf("the other issuer: got %v", got)
		}
	})
}

// TestOneIssuerDown tests that a failing issuer does not affect the others.
func TestOneIssuerDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := publishes(jwkOf(t, "ES256", nil)), publishes(jwkOf(t, "EdDSA", nil))
		never := &remote{}
		never.fails()
		empty := remoteOwn(never, "https://never.example")
		empty.AllowEmptyStart = true
		v := verifier(t, remoteOwn(a, testIssuer), remoteOwn(b, otherIssuer), ownOf(staticKeys(t, "RS256", "RS256"), "https://static.example"), empty)
		c := newCache(t, v, 100, middleware.CacheConfig{TTL: 24 * time.Hour})
		tokens := map[string]string{
			"a": fresh(t, "ES256", "ES256", nil), "b": fresh(t, "EdDSA", "EdDSA", members{"iss": otherIssuer}),
			"static": fresh(t, "RS256", "RS256", members{"iss": "https://static.example"}),
			"never":  fresh(t, "ES256", "ES256", members{"iss": "https://never.example"}),
		}
		check := func(when string, ours ...string) {
			t.Helper()
			for name, token := range tokens {
				want := errorsx.Code(0)
				if name == "never" || strings.Contains(strings.Join(ours, " "), name) {
					want = errorsx.Internal
				}
				if got := ask(t, c, token); got != want {
					t.Errorf("%s, %s: got %v, want %v", when, name, got, want)
				}
			}
		}
		check("at first")
		b.fails()
		time.Sleep(59 * time.Minute)
		check("b is down")
		time.Sleep(time.Minute + 11*time.Second)
		check("b's keys are too old", "b")
		a.fails()
		time.Sleep(time.Hour + time.Minute)
		check("a's too", "a", "b")
		b.says(200, jwks(jwkOf(t, "EdDSA", nil)))
		time.Sleep(11 * time.Second)
		check("b is back", "a")
	})
}
