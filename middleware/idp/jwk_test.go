package idp_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/authtier/authtier/middleware/idp"
)

// TestRemoteKeysSkips tests that one bad key does not make the others unusable.
func TestRemoteKeysSkips(t *testing.T) {
	weak, _ := rsa.GenerateKey(rand.Reader, 1024)
	big8 := jwkOf(t, "RS256", members{"n": b64(append([]byte{1}, make([]byte, 2000)...)), "kid": "x"})
	for name, bad := range map[string]any{
		"a number":             7,
		"null":                 nil,
		"a list":               []int{1},
		"kty a number":         members{"kty": 1, "kid": "x"},
		"kty unknown":          members{"kty": "XY", "kid": "x"},
		"kty missing":          members{"kid": "x"},
		"Ed448":                members{"kty": "OKP", "crv": "Ed448", "x": b64(make([]byte, 57)), "kid": "x"},
		"X25519":               members{"kty": "OKP", "crv": "X25519", "x": b64(make([]byte, 32)), "kid": "x"},
		"secp256k1":            members{"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA", "kid": "x"},
		"point off the curve":  jwkOf(t, "ES256", members{"x": b64([]byte{1}), "kid": "x"}),
		"coordinate too long":  jwkOf(t, "ES256", members{"x": b64(make([]byte, 4000)), "kid": "x"}),
		"no base64":            jwkOf(t, "ES256", members{"x": "!", "kid": "x"}),
		"y missing":            jwkOf(t, "ES256", members{"y": nil, "kid": "x"}),
		"weak RSA":             members{"kty": "RSA", "kid": "x", "n": b64(weak.N.Bytes()), "e": "AQAB"},
		"huge RSA":             big8,
		"exponent 1":           jwkOf(t, "RS256", members{"e": "AQ", "kid": "x"}),
		"exponent 2^64+65537":  jwkOf(t, "RS256", members{"e": b64([]byte{1, 0, 0, 0, 0, 0, 1, 0, 1}), "kid": "x"}),
		"alg of another type":  jwkOf(t, "RS256", members{"alg": "ES256", "kid": "x"}),
		"alg of another curve": jwkOf(t, "ES256", members{"alg": "ES384", "kid": "x"}),
		"RSA-OAEP":             jwkOf(t, "RS256", members{"alg": "RSA-OAEP", "kid": "x"}),
		"none":                 jwkOf(t, "RS256", members{"alg": "none", "kid": "x"}),
		"HS256 with a public":  jwkOf(t, "RS256", members{"alg": "HS256", "kid": "x"}),
		"oct":                  members{"kty": "oct", "k": b64(make([]byte, 64)), "kid": "x"},
		"oct, HS256":           members{"kty": "oct", "k": b64(make([]byte, 64)), "alg": "HS256", "kid": "x"},
		"private":              jwkOf(t, "ES256", members{"d": "AA", "kid": "x"}),
		"private, d a number":  jwkOf(t, "ES256", members{"d": 1, "kid": "x"}),
		"RSA prime":            jwkOf(t, "RS256", members{"p": "AA", "kid": "x"}),
		"use enc":              jwkOf(t, "ES256", members{"use": "enc", "kid": "x"}),
		"key_ops sign":         jwkOf(t, "ES256", members{"key_ops": []string{"sign"}, "kid": "x"}),
		"key_ops []":           jwkOf(t, "ES256", members{"key_ops": []string{}, "kid": "x"}),
		"key_ops a string":     jwkOf(t, "ES256", members{"key_ops": "verify", "kid": "x"}),
		"kid a number":         jwkOf(t, "ES256", members{"kid": 7}),
		"a member twice":       json.RawMessage(`{"kty":"EC","kty":"EC","kid":"x"}`),
		"KTY":                  json.RawMessage(`{"KTY":"EC","kid":"x"}`),
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			s := &remote{}
			b, _ := json.Marshal(map[string]any{"keys": []any{jwkOf(t, "EdDSA", nil), bad}})
			s.says(200, string(b))
			v := remoteTokens(t, s, func(c *idp.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
			if code := ask(t, v, fresh(t, "EdDSA", "EdDSA", nil)); code != 0 {
				t.Errorf("the good key: got %v", code)
			}
			if st := v.Stats()[0]; st.Keys != 1 || st.Skipped != 1 {
				t.Errorf("got %+v", st)
			}
			if n := strings.Count(log.String(), "not used"); n != 1 {
				t.Errorf("logged %d times: %s", n, &log)
			}
			for _, alg := range []string{"HS256", "RS256", "ES256"} {
				if key, err := keyOf(v, "x", alg); !errors.Is(err, idp.ErrNoKey) {
					t.Errorf("%s: got %T, %v", alg, key, err)
				}
			}
		})
	}
}

// TestRemoteKeysKeepsOddKeys tests that unusual but valid keys are used.
func TestRemoteKeysKeepsOddKeys(t *testing.T) {
	for name, changes := range map[string]members{
		"no use":                {"use": nil},
		"key_ops verify":        {"key_ops": []string{"sign", "verify"}},
		"members of one's own":  {"x-own": 1, "iat": 7, "ext": true},
		"a certificate, broken": {"x5c": []string{"!"}, "x5t": "?", "x5u": "http://evil.example"},
		"no kid, alone":         {"kid": nil},
		"the same twice":        {"kid": "ES256"},
	} {
		s := publishes(jwkOf(t, "ES256", changes))
		if name == "the same twice" {
			s = publishes(jwkOf(t, "ES256", nil), jwkOf(t, "ES256", changes))
		}
		reads := int64(1)
		if name == "no kid, alone" {
			reads = 2 // a key with the token's kid is looked for first
		}
		v := remoteTokens(t, s)
		if code := ask(t, v, fresh(t, "ES256", "ES256", nil)); code != 0 || s.fetches.Load() != reads {
			t.Errorf("%s: got %v after %d fetches", name, code, s.fetches.Load())
		}
	}
}

// badSets are bodies that are not key sets.
var badSets = map[string]string{
	"empty": "", "HTML": "<html></html>", "null": "null", "list": "[]", "no keys": "{}", "keys null": `{"keys":null}`, "keys empty": `{"keys":[]}`,
	"keys an object": `{"keys":{}}`, "Keys": `{"Keys":[{}]}`, "no good key": `{"keys":[{"kty":"oct","k":"AA"}]}`, "more behind": `{"keys":[]} {}`,
}

// TestRemoteKeysBadSets tests that a verifier neither starts with such a set nor
// replaces a good set by one.
func TestRemoteKeysBadSets(t *testing.T) {
	good := jwks(jwkOf(t, "ES256", nil))
	badSets["truncated"] = good[:len(good)-2]
	badSets["keys twice"] = strings.TrimSuffix(good, "}") + `,` + good[1:]
	badSets["1 MiB"] = good + strings.Repeat(" ", 1<<20)
	for name, body := range badSets {
		for _, status := range []int{200, 304, 404, 500} {
			s := &remote{}
			if s.says(status, body); status != 200 {
				s.says(status, good)
			}
			_, err := idp.Open(t.Context(), remoteOwn(s, testIssuer))
			if err == nil {
				t.Errorf("%s, status %d: accepted", name, status)
			}
		}
		synctest.Test(t, func(t *testing.T) {
			s := &remote{}
			s.says(200, good)
			v := remoteTokens(t, s, refreshed(time.Second))
			s.says(200, body)
			time.Sleep(10 * time.Second)
			if _, err := keyOf(v, "ES256", "ES256"); err != nil || v.Stats()[0].Err == nil {
				t.Errorf("%s: the last good set is not kept: %v", name, err)
			}
			if _, err := keyOf(v, "other", "ES256"); err == nil || errors.Is(err, idp.ErrNoKey) {
				t.Errorf("%s: an unknown kid: got %v, want no decision", name, err)
			}
		})
	}
}

// FuzzKeySet tests that no set yields a key that [idp.StaticKeys] refuses, and
// that a good set replaces any other.
func FuzzKeySet(f *testing.F) {
	good := jwks(jwkOf(f, "ES256", nil))
	f.Add(good)
	f.Add(jwks(jwkOf(f, "RS256", nil), jwkOf(f, "EdDSA", members{"kid": "x"}), jwkOf(f, "ES384", members{"alg": "ES384"})))
	f.Add(`{"keys":[{"kty":"oct","k":"AAAA","alg":"HS256","kid":"x"}]}`)
	f.Add(`{"keys":[{"kty":"RSA","n":"AQ","e":"AQ"}]}`)
	for _, body := range badSets {
		f.Add(body)
	}
	algs := jwt.GetAlgorithms()
	f.Fuzz(func(t *testing.T, body string) {
		s := &remote{}
		s.says(200, body)
		kids := append(kidsOf(body), "", "ES256", "x")
		if v, err := idp.Open(t.Context(), remoteOwn(s, testIssuer)); err == nil {
			defer v.Close()
			for _, kid := range kids {
				for _, alg := range algs {
					if key, err := keyOf(v, kid, alg); err == nil {
						if err := checkKey(alg, key); err != nil {
							t.Errorf("kid %q: %v", kid, err)
						}
					}
				}
			}
		} else if strings.Contains(err.Error(), "panicked") {
			t.Error(err)
		}
		synctest.Test(t, func(t *testing.T) {
			s.says(200, good)
			v := remoteTokens(t, s, refreshed(time.Second))
			s.says(200, body)
			time.Sleep(time.Second + 1)
			s.says(200, good)
			time.Sleep(retry)
			if key, err := keyOf(v, "ES256", "ES256"); err != nil || checkKey("ES256", key) != nil || v.Stats()[0].Keys != 1 {
				t.Errorf("a good set does not recover: %v, %+v", err, v.Stats()[0])
			}
		})
	})
}

// checkKey returns an error unless key is a strong key for the algorithm.
func checkKey(alg string, key crypto.PublicKey) error {
	_, err := idp.StaticKeys(idp.Key{Alg: alg, Public: key})
	return err
}

// retry is a time after which a failed fetch has been repeated.
const retry = 11 * time.Second

// kidsOf returns the kids in a JWK set.
func kidsOf(body string) []string {
	var set struct{ Keys []struct{ Kid string } }
	json.Unmarshal([]byte(body), &set)
	var kids []string
	for _, k := range set.Keys {
		kids = append(kids, k.Kid)
	}
	return kids
}
