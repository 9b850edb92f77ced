package idp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"

	"github.com/authtier/authtier/middleware"
)

// A verifyKey is one key that verifies tokens.
type verifyKey struct {
	id     string   // names the key in revocations: its kid, algorithms and thumbprint
	kid    string   // or "" for a key that verifies tokens with any unknown kid
	algs   []string // the algorithms that it may be used for
	issuer string   // the JWK's member issuer: whose tokens it verifies, or ""

	// public is a function, so that printing a keyList cannot show a secret.
	public func() crypto.PublicKey
}

func newVerifyKey(kid string, algs []string, public crypto.PublicKey) verifyKey {
	return verifyKey{
		id: fmt.Sprintf("%s %v %s", kid, algs, thumbprint(public)), kid: kid, algs: algs,
		public: func() crypto.PublicKey { return public },
	}
}

// A keyList holds the keys of one issuer. It must not be changed.
type keyList []verifyKey

// maxCandidates bounds how many keys are tried for one token.
const maxCandidates = 4

var errTooManyKeys = fmt.Errorf("more than %d keys fit the token: give the keys IDs (kid)", maxCandidates)

// has reports whether a key has that ID.
func (l keyList) has(kid string) bool {
	return slices.ContainsFunc(l, func(k verifyKey) bool { return k.kid == kid })
}

// candidates returns the keys to try for a token with that header. A token without kid is
// tried with every key for its algorithm, and one with an unknown kid with the keys
// without kid. It returns ErrNoKey if no key fits.
func (l keyList) candidates(kid, alg string) (keyList, error) {
	known := kid != "" && l.has(kid)
	var fit keyList
	for i, k := range l {
		if !slices.Contains(k.algs, alg) || !(kid == "" || k.kid == kid && known || k.kid == "" && !known) {
			continue
		}
		if fit == nil {
			// Most often one key fits, which needs no list of its own.
			fit = l[i : i+1 : i+1]
			continue
		}
		fit = append(fit, k)
	}

	switch {
	case len(fit) == 0:
		return nil, ErrNoKey
	case len(fit) > maxCandidates:
		return nil, errTooManyKeys
	}
	return fit, nil
}

// without returns revocations for the keys that others lack.
func (l keyList) without(others keyList) []middleware.Revocation {
	var gone []middleware.Revocation
	for _, k := range l {
		if !slices.ContainsFunc(others, func(o verifyKey) bool { return o.id == k.id }) {
			gone = append(gone, middleware.Revocation{SigningKeyID: k.id})
		}
	}
	return gone
}

// thumbprint returns the thumbprint of RFC 7638. For an HMAC key, which is a secret, it
// returns a word.
func thumbprint(public crypto.PublicKey) string {
	encode := base64.RawURLEncoding.EncodeToString
	var canonical string
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		point, err := ecdsaBytes(k) // 0x04, x, y
		if err != nil {
			return "none"
		}
		half := len(point) / 2
		canonical = fmt.Sprintf(`{"crv":%q,"kty":"EC","x":%q,"y":%q}`, k.Params().Name, encode(point[1:1+half]), encode(point[1+half:]))
	case ed25519.PublicKey:
		canonical = fmt.Sprintf(`{"crv":"Ed25519","kty":"OKP","x":%q}`, encode(k))
	case *rsa.PublicKey:
		canonical = fmt.Sprintf(`{"e":%q,"kty":"RSA","n":%q}`, encode(big.NewInt(int64(k.E)).Bytes()), encode(k.N.Bytes()))
	default:
		return "secret"
	}
	sum := sha256.Sum256([]byte(canonical))
	return encode(sum[:])
}
