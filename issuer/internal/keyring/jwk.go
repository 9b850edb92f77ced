package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
)

// A jwk is a public key (RFC 7517, RFC 7518 section 6, RFC 8037). It has no field that
// could hold a private key.
type jwk struct {
	Kty   string `json:"kty"`
	Use   string `json:"use"`
	Alg   string `json:"alg"`
	ID    string `json:"kid"`
	Curve string `json:"crv,omitempty"`
	X     string `json:"x,omitempty"`
	Y     string `json:"y,omitempty"`
	N     string `json:"n,omitempty"`
	E     string `json:"e,omitempty"`
}

// newJWK returns the published form of a checked key. It returns false for a symmetric
// key, which must not be published.
func newJWK(alg string, key crypto.PublicKey) (jwk, bool) {
	enc := base64.RawURLEncoding.EncodeToString
	j := jwk{Use: "sig", Alg: alg}
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		point, err := k.Bytes() // 0x04, x, y
		if err != nil {
			return jwk{}, false
		}

		half := len(point) / 2
		j.Kty, j.Curve, j.X, j.Y = "EC", k.Params().Name, enc(point[1:1+half]), enc(point[1+half:])
	case ed25519.PublicKey:
		j.Kty, j.Curve, j.X = "OKP", "Ed25519", enc(k)
	case *rsa.PublicKey:
		j.Kty, j.N, j.E = "RSA", enc(k.N.Bytes()), enc(big.NewInt(int64(k.E)).Bytes())
	default:
		return jwk{}, false
	}
	return j, true
}

// thumbprint returns the thumbprint of RFC 7638. It hashes the required members in the
// order of their names.
func (j jwk) thumbprint() string {
	var canonical string
	switch j.Kty {
	case "EC":
		canonical = fmt.Sprintf(`{"crv":%q,"kty":"EC","x":%q,"y":%q}`, j.Curve, j.X, j.Y)
	case "OKP":
		canonical = fmt.Sprintf(`{"crv":%q,"kty":"OKP","x":%q}`, j.Curve, j.X)
	case "RSA":
		canonical = fmt.Sprintf(`{"e":%q,"kty":"RSA","n":%q}`, j.E, j.N)
	}
	sum := sha256.Sum256([]byte(canonical))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
