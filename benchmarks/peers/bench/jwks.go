package bench

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"testing"
)

const keyID = "k1"

// A jwk is a key of RFC 7517, with the members of RFC 7518 and RFC 8037 for the kinds of
// key here.
type jwk struct {
	Kind  string `json:"kty"`
	ID    string `json:"kid"`
	Alg   string `json:"alg"`
	Curve string `json:"crv,omitempty"`
	X     string `json:"x,omitempty"`
	Y     string `json:"y,omitempty"`
	N     string `json:"n,omitempty"`
	E     string `json:"e,omitempty"`
	K     string `json:"k,omitempty"`
}

// JWKS is the public key as a set. It is written by hand, because a library for it would
// be in the process of every party.
func (s *Signer) JWKS(tb testing.TB) []byte {
	tb.Helper()
	key, err := s.jwk()
	Must(tb, err)
	set, err := json.Marshal(map[string][]jwk{"keys": {key}})
	Must(tb, err)
	return set
}

func (s *Signer) jwk() (jwk, error) {
	k, encode := jwk{ID: keyID, Alg: s.Alg}, base64.RawURLEncoding.EncodeToString
	switch public := s.Public.(type) {
	case []byte:
		k.Kind, k.K = "oct", encode(public)
	case *rsa.PublicKey:
		k.Kind, k.N, k.E = "RSA", encode(public.N.Bytes()), encode(big.NewInt(int64(public.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := public.Bytes() // 4, x and y
		if err != nil {
			return jwk{}, err
		}
		k.Kind, k.Curve, k.X, k.Y = "EC", "P-256", encode(point[1:33]), encode(point[33:])
	case ed25519.PublicKey:
		k.Kind, k.Curve, k.X = "OKP", "Ed25519", encode(public)
	default:
		return jwk{}, fmt.Errorf("no key of a kind known here: %T", public)
	}
	return k, nil
}
