package ours

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"net/http"
	"testing"

	"github.com/authtier/authtier/benchmarks/peers/bench"
)

func endpoint(token string) bench.Endpoint {
	return bench.Endpoint{Name: "authtier", Token: token, Handler: func(tb testing.TB) http.Handler {
		return NewSite(tb, token).iss.TokenHandler()
	}}
}

// signatures sign a digest as the issuer does and do nothing else. Every token endpoint
// has to do this much.
var signatures = map[string]func(digest []byte) ([]byte, error){
	"RS256": func(digest []byte) ([]byte, error) {
		return rsa.SignPKCS1v15(nil, bench.NewSigner("RS256").Private.(*rsa.PrivateKey), crypto.SHA256, digest)
	},
	"ES256": func(digest []byte) ([]byte, error) { // with a nonce made from key and digest
		return bench.NewSigner("ES256").Private.(*ecdsa.PrivateKey).Sign(nil, digest, crypto.SHA256)
	},
}

// benchSignature signs with the key of the endpoint's tokens.
func benchSignature(b *testing.B, alg string) {
	sign, digest := signatures[alg], sha256.Sum256([]byte(bench.NewSigner(alg).Token(b, nil)))
	b.Run("peer=signature/token="+alg, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := sign(digest[:]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestTokenEndpoint(t *testing.T) {
	for _, token := range []string{"opaque", "ES256", "RS256"} {
		endpoint(token).Checked(t)
	}
}

func TestSignatures(t *testing.T) {
	digest := sha256.Sum256([]byte("signed"))
	signature, err := signatures["RS256"](digest[:])
	bench.Must(t, err)
	bench.Must(t, rsa.VerifyPKCS1v15(bench.NewSigner("RS256").Public.(*rsa.PublicKey), crypto.SHA256, digest[:], signature))
	signature, err = signatures["ES256"](digest[:])
	bench.Must(t, err)
	if !ecdsa.VerifyASN1(bench.NewSigner("ES256").Public.(*ecdsa.PublicKey), digest[:], signature) {
		t.Error("ES256: not a signature")
	}
}

func BenchmarkTokenEndpoint(b *testing.B) {
	endpoint("opaque").Bench(b)
	for _, alg := range []string{"ES256", "RS256"} {
		endpoint(alg).Bench(b)
		benchSignature(b, alg)
	}
}
