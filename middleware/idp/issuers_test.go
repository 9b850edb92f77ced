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

func trusted(keys idp.Keys, issuer string, changes ...func(*idp.JWTConfig)) idp.TrustedIssuer {
	cfg := idp.JWTConfig{Issuer: issuer, Audience: []string{testAudience}}
	for _, change := range changes {
		change(&cfg)
	}
	return idp.TrustedIssuer{Keys: keys, JWTConfig: cfg}
}

func staticKeys(t testing.TB, id, alg string) idp.Keys {
	t.Helper()
	keys, err := idp.StaticKeys(idp.Key{ID: id, Alg: alg, Public: public(signers()[alg])})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func tokensOfAll(t testing.TB, issuers ...idp.TrustedIssuer) middleware.Validator {
	t.Helper()
	v, err := idp.JWTs(issuers...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestJ06SameKidAtTwoIssuers tests that only the keys of a token's issuer verify it,
// even if another issuer's key has the same ID.
func TestJ06SameKidAtTwoIssuers(t *testing.T) {
	v := tokensOfAll(t,
		trusted(staticKeys(t, "k", "ES256"), testIssuer),
		trusted(staticKeys(t, "k", "EdDSA"), otherIssuer, func(c *idp.JWTConfig) { c.UserClaim, c.Audience = "sub", []string{"theirs"} }),
		trusted(staticKeys(t, "k", "RS256"), "https://third.example", func(c *idp.JWTConfig) { c.Types = []string{"JWT"} }))
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
	if _, ok := v.(middleware.Source); ok {
		t.Error("static keys make a Source")
	}
}

// TestC19JWTsForget tests that a cache learns of withdrawn keys of all issuers.
func TestC19JWTsForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := publishes(jwkOf(t, "ES256", nil)), publishes(jwkOf(t, "EdDSA", nil))
		cfg := idp.RemoteKeysConfig{Refresh: time.Minute}
		v := tokensOfAll(t, trusted(remoteKeys(t, a, cfg), testIssuer), trusted(remoteKeys(t, b, cfg), otherIssuer))
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

// TestJWTsOneIssuerDown tests that a failing issuer does not affect the others.
func TestJWTsOneIssuerDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := publishes(jwkOf(t, "ES256", nil)), publishes(jwkOf(t, "EdDSA", nil))
		never := &remote{}
		never.fails()
		empty, err := idp.OpenRemoteKeys(t.Context(), testJWKS, &idp.RemoteKeysConfig{
			AllowEmptyStart: true, Client: never.client(), Log: slog.New(slog.DiscardHandler),
		})

		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { empty.Close() })
		cfg := idp.RemoteKeysConfig{Refresh: time.Minute, MaxAge: time.Hour}
		v := tokensOfAll(t, trusted(remoteKeys(t, a, cfg), testIssuer), trusted(remoteKeys(t, b, cfg), otherIssuer),
			trusted(staticKeys(t, "RS256", "RS256"), "https://static.example"), trusted(empty, "https://never.example"))
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

func TestJWTsConfig(t *testing.T) {
	keys := allKeys(t)
	for name, issuers := range map[string][]idp.TrustedIssuer{
		"none":        nil,
		"nil keys":    {trusted(nil, testIssuer)},
		"no issuer":   {trusted(keys, "")},
		"twice":       {trusted(keys, testIssuer), trusted(keys, testIssuer)},
		"no audience": {trusted(keys, testIssuer), {Keys: keys, JWTConfig: idp.JWTConfig{Issuer: otherIssuer}}},
	} {
		if _, err := idp.JWTs(issuers...); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	_, err := idp.JWTs(trusted(nil, testIssuer), trusted(keys, otherIssuer), trusted(keys, otherIssuer))
	if err == nil || !strings.Contains(err.Error(), "nil Keys") || !strings.Contains(err.Error(), "given twice") {
		t.Errorf("not everything is told at once: %v", err)
	}
}
