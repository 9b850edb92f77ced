package issuer_test

import (
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/authtier/authtier/issuer"
)

func TestAlgorithms(t *testing.T) {
	for _, alg := range []string{"ES256", "EdDSA", "RS256", "HS256"} {
		key, err := issuer.GenerateKey(alg)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := issuer.NewKeySet(key)
		if err != nil {
			t.Fatal(err)
		}
		iss := newIssuer(t, nil, issuer.Config{Keys: keys})
		token := mint(t, iss, issuer.Grant{Client: "app"}).AccessToken
		if _, code := validate(t, iss, token); code != 0 {
			t.Errorf("%s: refused with %v", alg, code)
		}
		var header struct{ Alg, Kid, Typ string }
		part, _, _ := strings.Cut(token, ".")
		b, _ := base64.RawURLEncoding.DecodeString(part)
		if err := json.Unmarshal(b, &header); err != nil || header.Alg != alg || header.Kid == "" || header.Typ != "at+jwt" {
			t.Errorf("%s: header %s, %v", alg, b, err)
		}
		w := httptest.NewRecorder()
		iss.KeysHandler().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		var set struct{ Keys []map[string]any }
		if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil {
			t.Fatal(err)
		}
		if published := len(set.Keys) == 1; published == (alg == "HS256") {
			t.Errorf("%s: published %s", alg, w.Body)
		}
		for _, k := range set.Keys {
			if k["kid"] != header.Kid || k["alg"] != alg || k["use"] != "sig" || k["d"] != nil || k["k"] != nil {
				t.Errorf("%s: published %v", alg, k)
			}
		}
		if s := fmt.Sprintf("%v %+v %#v", key, key, key); len(s) > 300 {
			t.Errorf("a signing key prints as %s", s)
		}
	}
}

// TestSignaturesKeepTheirLength mints until both r and s of an ES256 signature have
// begun with a zero, which happens once in 256. Other libraries must verify these
// signatures.
func TestSignaturesKeepTheirLength(t *testing.T) {
	key, _ := issuer.GenerateKey("ES256")
	keys, err := issuer.NewKeySet(key)
	if err != nil {
		t.Fatal(err)
	}
	iss := newIssuer(t, nil, issuer.Config{Keys: keys})
	public := key.Private.(*ecdsa.PrivateKey).Public()
	var r, s bool
	for n := 0; !r || !s; n++ {
		if n == 10_000 {
			t.Fatalf("%d signatures, and in none r (%v) or s (%v) begins with a zero", n, r, s)
		}
		token := mint(t, iss, issuer.Grant{Client: "app"}).AccessToken
		signature, err := base64.RawURLEncoding.DecodeString(token[strings.LastIndex(token, ".")+1:])
		if err != nil || len(signature) != 64 {
			t.Fatalf("%s: a signature of %d bytes, %v", token, len(signature), err)
		}
		if signature[0] != 0 && signature[32] != 0 {
			continue
		}
		r, s = r || signature[0] == 0, s || signature[32] == 0
		if _, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return public, nil }); err != nil {
			t.Errorf("%s: %v", token, err)
		}
	}
}
