package idp_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
)

// storageOf returns a storage of package jwkset with the keys of a set.
func storageOf(t testing.TB, body string) jwkset.Storage {
	t.Helper()
	storage := jwkset.NewMemoryStorage()
	if err := storage.KeyReplaceAll(t.Context(), parsedKeys(t, body)); err != nil {
		t.Fatal(err)
	}
	return storage
}

func parsedKeys(t testing.TB, body string) []jwkset.JWK {
	t.Helper()
	var set jwkset.JWKSMarshal
	if err := json.Unmarshal([]byte(body), &set); err != nil {
		t.Fatal(err)
	}
	keys, err := set.JWKSlice()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// keyfuncTokens opens a verifier with the keys in a storage.
func keyfuncTokens(t testing.TB, storage jwkset.Storage, cfg *idp.KeyfuncConfig) (*idp.Verifier, error) {
	t.Helper()
	k, err := keyfunc.New(keyfunc.Options{Storage: storage})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := idp.FromKeyfunc(k, cfg)
	if err != nil {
		t.Fatal(err)
	}
	own := ownOf(keys, testIssuer)
	own.Refresh, own.Log = time.Minute, slog.New(slog.DiscardHandler)
	v, err := idp.Open(t.Context(), own)
	if err == nil {
		t.Cleanup(func() { v.Close() })
	}
	return v, err
}

// TestFromKeyfunc takes the keys of a storage, withdraws one and adds another.
func TestFromKeyfunc(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storage := storageOf(t, jwks(jwkOf(t, "ES256", nil), jwkOf(t, "RS256", members{"use": "enc"}), jwkOf(t, "EdDSA", members{"key_ops": []string{"sign"}})))
		v, err := keyfuncTokens(t, storage, nil)
		if err != nil {
			t.Fatal(err)
		}
		c := newCache(t, v, 100, middleware.CacheConfig{TTL: time.Hour})
		check := func(when string, want map[string]errorsx.Code) {
			t.Helper()
			for alg, code := range want {
				if got := ask(t, c, fresh(t, alg, alg, nil)); got != code {
					t.Errorf("%s, %s: got %v, want %v", when, alg, got, code)
				}
			}
		}
		check("at first", map[string]errorsx.Code{"ES256": 0, "RS256": errorsx.BadSignature, "EdDSA": errorsx.BadSignature})
		if s := v.Stats()[0]; s.Keys != 1 || s.Skipped != 2 {
			t.Errorf("got %+v", s)
		}

		// The tokens are the same, so that the cache knows the first one.
		if err := storage.KeyReplaceAll(t.Context(), parsedKeys(t, jwks(jwkOf(t, "ES384", nil)))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(61 * time.Second)
		check("replaced", map[string]errorsx.Code{"ES256": errorsx.BadSignature, "ES384": 0})

		if err := storage.KeyWrite(t.Context(), parsedKeys(t, jwks(jwkOf(t, "EdDSA", nil)))[0]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second) // the cooldown after the look for the withdrawn key
		check("a new key, before the next read", map[string]errorsx.Code{"EdDSA": 0})
	})
}

// TestFromKeyfuncHMAC tests that symmetric and private keys of a storage verify only if
// they may.
func TestFromKeyfuncHMAC(t *testing.T) {
	secret := signers()["HS256"].([]byte)
	hmac := func(alg jwkset.ALG) jwkset.Storage {
		key, err := jwkset.NewJWKFromKey(secret, jwkset.JWKOptions{
			Marshal: jwkset.JWKMarshalOptions{Private: true}, Metadata: jwkset.JWKMetadataOptions{KID: "HS256", ALG: alg},
		})
		if err != nil {
			t.Fatal(err)
		}
		storage := jwkset.NewMemoryStorage()
		if err := storage.KeyWrite(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		return storage
	}

	if v, err := keyfuncTokens(t, hmac(jwkset.AlgHS256), nil); err == nil {
		t.Errorf("without AllowHMAC: got %v", v)
	}
	if v, err := keyfuncTokens(t, hmac(""), &idp.KeyfuncConfig{AllowHMAC: true}); err == nil {
		t.Errorf("without alg: got %v", v)
	}
	v, err := keyfuncTokens(t, hmac(jwkset.AlgHS256), &idp.KeyfuncConfig{AllowHMAC: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, v, fresh(t, "HS256", "HS256", nil)); got != 0 {
		t.Errorf("with AllowHMAC: got %v", got)
	}

	private, err := jwkset.NewJWKFromKey(signers()["ES256"], jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: "ES256"}})
	if err != nil {
		t.Fatal(err)
	}
	storage := jwkset.NewMemoryStorage()
	if err := storage.KeyWrite(t.Context(), private); err != nil {
		t.Fatal(err)
	}
	if v, err = keyfuncTokens(t, storage, nil); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, v, fresh(t, "ES256", "ES256", nil)); got != 0 {
		t.Errorf("a private key, whose public part verifies: got %v", got)
	}
}

// TestFromKeyfuncErrors tests arguments from which no keys can come.
func TestFromKeyfuncErrors(t *testing.T) {
	empty, err := keyfunc.New(keyfunc.Options{Storage: jwkset.NewMemoryStorage()})
	if err != nil {
		t.Fatal(err)
	}
	for name, k := range map[string]keyfunc.Keyfunc{"nil": nil, "no storage": noStorage{wrapped: empty}} {
		if keys, err := idp.FromKeyfunc(k, nil); err == nil || keys != nil {
			t.Errorf("%s: got %v, %v", name, keys, err)
		}
	}
}

type wrapped = keyfunc.Keyfunc

// noStorage is a Keyfunc without a storage.
type noStorage struct{ wrapped }

func (noStorage) Storage() jwkset.Storage { return nil }

// TestKeyfunc parses tokens with package golang-jwt and the keys of a Verifier.
func TestKeyfunc(t *testing.T) {
	v := verifier(t, ownOf(allKeys(t), testIssuer), ownOf(staticKeys(t, "ES256", "ES384"), otherIssuer))
	sixty := members{"exp": time.Now().Unix() + 60}
	for _, tt := range []struct {
		name, token string
		ok          bool
	}{
		{"ES256", fresh(t, "ES256", "ES256", nil), true},
		{"RS256", fresh(t, "RS256", "RS256", nil), true},
		{"HS256", fresh(t, "HS256", "HS256", nil), true},
		{"another issuer's key of the same ID", fresh(t, "ES256", "ES256", members{"iss": otherIssuer}), false},
		{"an unknown issuer", fresh(t, "ES256", "ES256", members{"iss": "https://evil.example"}), false},
		{"no issuer", fresh(t, "ES256", "ES256", members{"iss": nil}), false},
		{"an unknown kid", fresh(t, "ES256", "x", nil), false},
		{"kid a number", sign(t, "ES256", header("ES256", members{"kid": 7}), payload(sixty)), false},
		{"a key in the token", sign(t, "ES256", header("ES256", members{"jwk": members{"kty": "EC"}}), payload(sixty)), false},
		{"jku", sign(t, "ES256", header("ES256", members{"jku": "https://evil.example"}), payload(sixty)), false},
		{"another algorithm", sign(t, "HS256", header("HS256", members{"kid": "ES256"}), payload(sixty)), false},
	} {
		_, err := jwt.Parse(tt.token, v.Keyfunc())
		if (err == nil) != tt.ok {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}

	v.Close()
	if _, err := jwt.Parse(fresh(t, "ES256", "ES256", nil), v.Keyfunc()); err == nil {
		t.Error("after Close: accepted")
	}
}

// TestKeyfuncFetches tests that a key that is not known yet is looked for, also by
// keyfunc's own storage.
func TestKeyfuncFetches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := publishes(jwkOf(t, "ES256", nil))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		k, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{testJWKS}, keyfunc.Override{Client: s.client()})
		if err != nil {
			t.Fatal(err)
		}
		v, err := keyfuncTokens(t, k.Storage(), nil)
		if err != nil {
			t.Fatal(err)
		}
		s.says(200, jwks(jwkOf(t, "ES256", nil), jwkOf(t, "EdDSA", nil)))
		if got := ask(t, v, fresh(t, "EdDSA", "EdDSA", nil)); got != 0 {
			t.Errorf("a new key: got %v", got)
		}
		v.Close()
	})
}
