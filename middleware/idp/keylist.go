package idp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

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
// without kid.
func (l keyList) candidates(kid, alg string) (keyList, error) {
	known := kid != "" && l.has(kid)
	var fit keyList
	for _, k := range l {
		if slices.Contains(k.algs, alg) && (kid == "" || k.kid == kid && known || k.kid == "" && !known) {
			fit = append(fit, k)
		}
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

// parseKeyList returns the keys of a JWK set that verify tokens, and the reasons for
// which it skips the others. It returns an error if no key is left.
func parseKeyList(body []byte) (keys keyList, skipped []error, err error) {
	var set struct {
		Keys rawKeys `json:"keys"`
	}

	// Faults inside of single keys are tolerated here, because they must not make the
	// other keys unusable.
	if err := json.Unmarshal(body, &set, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
		return nil, nil, fmt.Errorf("not a JWK set: %w", err)
	}

	for i, raw := range set.Keys {
		k, err := parseVerifyKey(raw)
		if err != nil {
			skipped = append(skipped, fmt.Errorf("key %d (%q): %w", i, k.kid, err))
			continue
		}
		if !slices.ContainsFunc(keys, func(o verifyKey) bool { return o.id == k.id }) {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, skipped, errors.Join(append([]error{errors.New("no key that verifies tokens")}, skipped...)...)
	}
	return keys, skipped, nil
}

// parseVerifyKey returns the key in a JWK, or an error if it does not verify tokens.
func parseVerifyKey(raw []byte) (verifyKey, error) {
	k, err := parseKey(raw)
	if err != nil {
		return verifyKey{kid: k.ID}, err
	}
	var member struct {
		Alg    string `json:"alg"`
		Issuer string `json:"issuer"`
	}
	if err := json.Unmarshal(raw, &member); err != nil {
		return verifyKey{kid: k.ID}, withoutValue(err)
	}

	// An RSA key without alg is for RS256, RS384 and RS512, but never for PS256 and its
	// like, because one key must not be used with two kinds of padding.
	algs := []string{k.Alg}
	if _, isRSA := k.Public.(*rsa.PublicKey); isRSA && member.Alg == "" {
		algs = []string{"RS256", "RS384", "RS512"}
	}
	v := newVerifyKey(k.ID, algs, k.Public)
	v.issuer = member.Issuer
	return v, nil
}

func newVerifyKey(kid string, algs []string, public crypto.PublicKey) verifyKey {
	return verifyKey{
		id: fmt.Sprintf("%s %v %s", kid, algs, thumbprint(public)), kid: kid, algs: algs,
		public: func() crypto.PublicKey { return public },
	}
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

// listOf returns the keys that [StaticKeys] has made as a list.
func listOf(ks staticKeys) keyList {
	var l keyList
	for kid, k := range ks {
		l = append(l, newVerifyKey(kid, []string{k.alg}, k.key()))
	}
	return l
}
