package idp

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"

	"github.com/MicahParks/jwkset"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const maxRSABits = 8192 // signatures of larger keys take long to check

// parseKeySet returns the keys of a JWK set (RFC 7517 section 5) that verify tokens,
// and the reasons for which it skips the others. It returns an error if no key is left.
func parseKeySet(body []byte) (keys keyList, skipped []error, err error) {
	var set struct {
		Keys rawKeys `json:"keys"`
	}

	// Faults inside of single keys are tolerated here, because they must not make the
	// other keys unusable.
	err = json.Unmarshal(body, &set, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if err != nil || set.Keys == nil {
		return nil, nil, fmt.Errorf("found %s, expected a JWK set", foundInstead(body))
	}

	for i, raw := range set.Keys {
		k, err := parseVerifyKey(raw)
		keys, skipped = collect(keys, skipped, i, k, err)
	}
	return atLeastOne(keys, skipped)
}

// collect adds a key of a set to the list, or the reason for which it is skipped.
func collect(keys keyList, skipped []error, i int, k verifyKey, err error) (keyList, []error) {
	switch {
	case err != nil:
		skipped = append(skipped, fmt.Errorf("key %d (%q): %w", i, k.kid, err))
	case !slices.ContainsFunc(keys, func(o verifyKey) bool { return o.id == k.id }):
		keys = append(keys, k)
	}
	return keys, skipped
}

// atLeastOne returns an error if the list is empty.
func atLeastOne(keys keyList, skipped []error) (keyList, []error, error) {
	if len(keys) == 0 {
		return nil, skipped, errors.Join(append([]error{errors.New("no key that verifies tokens")}, skipped...)...)
	}
	return keys, skipped, nil
}

// foundInstead describes a body that is not a key set, and says how to mend the setting.
func foundInstead(body []byte) string {
	var object map[string]jsontext.Value
	if json.Unmarshal(body, &object, jsontext.AllowDuplicateNames(true)) != nil {
		return kindOf(body)
	}
	_, isMetadata := object["jwks_uri"]
	_, isKey := object["kty"]
	switch {
	case isMetadata:
		return "metadata (set JWKSURL to its jwks_uri, or leave JWKSURL empty)"
	case isKey:
		return "a single key (put it into a list: {\"keys\": [...]})"
	case bytes.Contains(body, []byte("-----BEGIN")):
		return "certificates in PEM by key ID (the provider has another URL with a JWK set)"
	}
	return "JSON without a list of keys"
}

// rawKeys holds the keys of a set as raw JSON.
type rawKeys []jsontext.Value

// UnmarshalJSONFrom reads a list. It returns an error for a second list.
func (ks *rawKeys) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if *ks != nil || d.PeekKind() != '[' {
		return errors.New("keys is not a list, or repeated")
	}
	var list []jsontext.Value
	err := json.UnmarshalDecode(d, &list)
	*ks = append(rawKeys{}, list...)
	return err
}

// parseVerifyKey returns the key in a JWK, or an error if it does not verify tokens.
// Together with an error, it returns the ID if it could be read.
func parseVerifyKey(raw []byte) (verifyKey, error) {
	var j jwk
	if err := json.Unmarshal(raw, &j); err != nil {
		return verifyKey{kid: j.Kid}, withoutValue(err)
	}
	for _, v := range []value{j.D, j.P, j.Q, j.Dp, j.Dq, j.Qi, j.Oth, j.K} {
		if v != nil {
			return verifyKey{kid: j.Kid}, errors.New("a private or symmetric key, which ought not to be published")
		}
	}

	parsed, err := jwkset.NewJWKFromMarshal(jwkset.JWKMarshal{
		KTY: jwkset.KTY(j.Kty), CRV: jwkset.CRV(j.Crv), X: j.X, Y: j.Y, N: j.N, E: j.E,
	}, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return verifyKey{kid: j.Kid}, err
	}
	return j.verifies(parsed.Key())
}

// A jwk is a public key (RFC 7517 section 4, RFC 7518 section 6, RFC 8037). Its
// certificates are ignored: trust in the issuer comes from the URL of the set.
type jwk struct {
	Kty    string   `json:"kty"`
	Kid    string   `json:"kid"`
	Use    string   `json:"use"`
	Alg    string   `json:"alg"`
	Ops    []string `json:"key_ops"`
	Crv    string   `json:"crv"`
	X      string   `json:"x"`
	Y      string   `json:"y"`
	N      string   `json:"n"`
	E      string   `json:"e"`
	Issuer string   `json:"issuer"` // of Microsoft Entra ID

	// Only private and symmetric keys have these members.
	D   value `json:"d"`
	P   value `json:"p"`
	Q   value `json:"q"`
	Dp  value `json:"dp"`
	Dq  value `json:"dq"`
	Qi  value `json:"qi"`
	Oth value `json:"oth"`
	K   value `json:"k"`
}

// verifies returns public, the key that j describes, as one that verifies tokens. It
// returns an error if j says that it is not for signatures, or if it is too weak.
func (j *jwk) verifies(public crypto.PublicKey) (verifyKey, error) {
	if j.Use != "" && j.Use != "sig" || j.Ops != nil && !slices.Contains(j.Ops, "verify") {
		return verifyKey{kid: j.Kid}, errors.New("not for signatures")
	}
	alg := j.algorithm()
	if err := checkKey(alg, public); err != nil {
		return verifyKey{kid: j.Kid}, err
	}

	algs := []string{alg}
	if rsaKey, ok := public.(*rsa.PublicKey); ok {
		if rsaKey.N.BitLen() > maxRSABits {
			return verifyKey{kid: j.Kid}, fmt.Errorf("RSA of more than %d bits", maxRSABits)
		}
		// One key must not be used with two kinds of padding, so never for PS256 and its
		// like.
		if j.Alg == "" {
			algs = []string{"RS256", "RS384", "RS512"}
		}
	}
	v := newVerifyKey(j.Kid, algs, public)
	v.issuer = j.Issuer
	return v, nil
}

// algorithm returns the algorithm for which the key may be used: its alg, or the one
// that follows from its type.
func (j *jwk) algorithm() string {
	if j.Alg == "Ed25519" { // the name of RFC 9864
		return "EdDSA"
	}
	byType := map[string]string{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA"}[j.Crv]
	if j.Kty == "RSA" {
		byType = "RS256"
	}
	return cmp.Or(j.Alg, byType)
}
