package idp_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/authtier/authtier/middleware/idp"
)

func TestJ29StaticKeysRefuses(t *testing.T) {
	weak, _ := rsa.GenerateKey(rand.Reader, 1024)
	strong := public(signers()["RS256"]).(*rsa.PublicKey)
	ec := public(signers()["ES256"])
	for name, keys := range map[string][]idp.Key{
		"none":                 {},
		"RSA of 1024 bits":     {{ID: "k", Alg: "RS256", Public: &weak.PublicKey}},
		"exponent 1":           {{ID: "k", Alg: "RS256", Public: &rsa.PublicKey{N: strong.N, E: 1}}},
		"short HMAC key":       {{ID: "k", Alg: "HS256", Public: make([]byte, 31)}},
		"RSA key for HMAC":     {{ID: "k", Alg: "HS256", Public: strong}},
		"P-256 key for ES384":  {{ID: "k", Alg: "ES384", Public: ec}},
		"point off the curve":  {{ID: "k", Alg: "ES256", Public: offCurve()}},
		"alg none":             {{ID: "k", Alg: "none", Public: jwt.UnsafeAllowNoneSignatureType}},
		"nil":                  {{ID: "k", Alg: "ES256"}},
		"nil pointer":          {{ID: "k", Alg: "ES256", Public: (*ecdsa.PublicKey)(nil)}},
		"one ID twice":         {{ID: "k", Alg: "ES256", Public: ec}, {ID: "k", Alg: "RS256", Public: strong}},
		"no ID beside another": {{ID: "", Alg: "ES256", Public: ec}, {ID: "k", Alg: "RS256", Public: strong}},
	} {
		if _, err := idp.StaticKeys(keys...); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func offCurve() *ecdsa.PublicKey {
	//lint:ignore SA1019 no other way makes a wrong point
	return &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}
}
