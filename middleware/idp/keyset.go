package idp

import (
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
// and the reasons for which it skips the others. It returns an error if no key is
// left.
func parseKeySet(body []byte) (keys staticKeys, skipped []error, err error) {
	var set struct {
		Keys rawKeys `json:"keys"`
	}

	// Faults inside of single keys are tolerated here, because they must not make the
	// other keys unusable.
	if err := json.Unmarshal(body, &set, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
		return nil, nil, fmt.Errorf("not a JWK set: %w", err)
	}

	keys = staticKeys{}
	for i, raw := range set.Keys {
		k, err := parseKey(raw)
		if err == nil {
			err = keys.add(k)
		}
		if err != nil {
			skipped = append(skipped, fmt.Errorf("key %d (%q): %w", i, k.ID, err))
		}
	}

	// A key without an ID would verify tokens with any kid that no other key has.
	if _, alone := keys[""]; alone && len(keys) > 1 {
		delete(keys, "")
		skipped = append(skipped, errors.New("a key without kid beside others"))
	}
	if len(keys) == 0 {
		return nil, skipped, errors.Join(append([]error{errors.New("no key that verifies tokens")}, skipped...)...)
	}
	return keys, skipped, nil
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

// add stores a key. It returns an error if another key has its ID.
func (ks staticKeys) add(k Key) error {
	switch old, twice := ks[k.ID]; {
	case twice && old.is(k.Alg, k.Public):
		return nil
	case twice:
		return errors.New("another key has the same kid")
	}
	ks[k.ID] = staticKey{k.Alg, func() crypto.PublicKey { return k.Public }}
	return nil
}

// is reports whether k is that key, for that algorithm.
func (k staticKey) is(alg string, key crypto.PublicKey) bool {
	same, ok := k.key().(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.alg == alg && same.Equal(key)
}

// A jwk is a public key (RFC 7517 section 4, RFC 7518 section 6, RFC 8037). Its
// certificates are ignored: trust in the issuer comes from the URL of the set.
type jwk struct {
	Kty string   `json:"kty"`
	Kid string   `json:"kid"`
	Use string   `json:"use"`
	Alg string   `json:"alg"`
	Ops []string `json:"key_ops"`
	Crv string   `json:"crv"`
	X   string   `json:"x"`
	Y   string   `json:"y"`
	N   string   `json:"n"`
	E   string   `json:"e"`

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

// parseKey returns the key in a JWK, or an error if the key does not verify tokens.
// Together with an error, it returns the ID if it could be read.
func parseKey(raw []byte) (Key, error) {
	var j jwk
	if err := json.Unmarshal(raw, &j); err != nil {
		return Key{ID: j.Kid}, withoutValue(err)
	}

	k := Key{ID: j.Kid, Alg: j.algorithm()}
	if err := j.verifies(); err != nil {
		return k, err
	}

	parsed, err := jwkset.NewJWKFromMarshal(jwkset.JWKMarshal{
		KTY: jwkset.KTY(j.Kty), CRV: jwkset.CRV(j.Crv), X: j.X, Y: j.Y, N: j.N, E: j.E,
	}, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return k, err
	}

	k.Public = parsed.Key()
	if big, ok := k.Public.(*rsa.PublicKey); ok && big.N.BitLen() > maxRSABits {
		return k, fmt.Errorf("RSA of more than %d bits", maxRSABits)
	}
	return k, checkKey(k.Alg, k.Public)
}

// verifies returns an error if the JWK says that it is not for signatures, or if it
// must not be published.
func (j *jwk) verifies() error {
	for _, v := range []value{j.D, j.P, j.Q, j.Dp, j.Dq, j.Qi, j.Oth, j.K} {
		if v != nil {
			return errors.New("a private or symmetric key, which ought not to be published")
		}
	}

	if j.Use != "" && j.Use != "sig" || j.Ops != nil && !slices.Contains(j.Ops, "verify") {
		return errors.New("not for signatures")
	}
	return nil
}

// algorithm returns the only algorithm for which the key may be used: its alg, or the
// one that follows from its type. An RSA key without alg is for RS256.
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
