package idp

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"

	"github.com/golang-jwt/jwt/v5"
)

// Keys finds the keys that verify the tokens of one issuer. [StaticKeys] and
// [FromKeyfunc] return the usual ones; implement Keys for keys of your own. If Keys are
// also a [middleware.Source], the tokens of keys that they revoke are forgotten. They
// name a key by its kid.
type Keys interface {
	// Key returns the key with that ID for that algorithm: an *rsa.PublicKey,
	// *ecdsa.PublicKey, ed25519.PublicKey, or []byte for HMAC. For a token without
	// kid, the ID is empty. Key returns [ErrNoKey] for an unknown key and for a key
	// of another algorithm. Any other error means that the keys could not be read,
	// and is a failure of the server (AUTH-8). Key must be safe for concurrent use.
	Key(ctx context.Context, kid, alg string) (crypto.PublicKey, error)
}

// OfflineKeys is an optional ability of [Keys]. It is for packages that implement Keys;
// most programs do not need it. Behind a [middleware.Cache], a token whose kid is not known waits
// in a call that requests share, and so does not occupy a place for checking
// signatures.
type OfflineKeys interface {
	// Knows reports whether Key answers for kid without asking another service. It
	// must be safe for concurrent use.
	Knows(kid string) bool
}

// ErrNoKey is returned by [Keys] if no key has the requested ID and algorithm.
var ErrNoKey = errors.New("idp: no such key")

// A Key verifies tokens of one algorithm.
type Key struct {
	// ID is the kid of the tokens that the key verifies. It may be empty if there is
	// only one key, which then verifies tokens with any kid.
	ID string

	// Alg is one of ES256, ES384, ES512, EdDSA, RS256, RS384, RS512, PS256, PS384,
	// PS512, HS256, HS384 and HS512 (RFC 7518 section 3.1, RFC 8037).
	Alg string

	// Public is the key, of one of the types that [Keys] names. It is not encoded as
	// JSON, because an HMAC key is a secret.
	Public crypto.PublicKey `json:"-"`
}

// Format writes k without its key, because an HMAC key is a secret.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "%s key %q", k.Alg, k.ID) }

// LogValue returns k without its key.
func (k Key) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(k)) }

// staticKeys are keys that never change.
type staticKeys struct{ list keyList }

// StaticKeys returns keys that never change. It returns an error if there is no key, if
// two keys have the same ID, or if a key without an ID is not the only one. It also
// returns an error for a key that is not of its algorithm or too weak: RSA needs at
// least 2048 bits and an odd exponent of at least 65537, an HMAC key at least the
// length of the hash (RFC 7518 section 3.2), and an ECDSA key the algorithm's curve. An
// HMAC or Ed25519 key of equal bytes is an error too, because it is probably a buffer
// that was never filled. The error names every fault.
func StaticKeys(keys ...Key) (Keys, error) {
	var ks staticKeys
	var errs []error
	if len(keys) == 0 {
		errs = append(errs, errors.New("idp: StaticKeys: no key"))
	}

	for _, k := range keys {
		if ks.list.has(k.ID) {
			errs = append(errs, fmt.Errorf("idp: StaticKeys: two keys with the ID %q", k.ID))
		}
		if k.ID == "" && len(keys) > 1 {
			errs = append(errs, errors.New("idp: StaticKeys: a key without an ID beside others"))
		}

		verify := verifyKey{kid: k.ID}
		if err := checkKey(k.Alg, k.Public); err != nil {
			errs = append(errs, fmt.Errorf("idp: StaticKeys: key %q: %w", k.ID, err))
		} else {
			verify = newVerifyKey(k.ID, []string{k.Alg}, k.Public)
		}
		ks.list = append(ks.list, verify)
	}

	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return ks, nil
}

// Key implements [Keys].
func (ks staticKeys) Key(_ context.Context, kid, alg string) (crypto.PublicKey, error) {
	keys, err := ks.list.candidates(kid, alg)
	if err != nil {
		return nil, err
	}
	return keys[0].public(), nil
}

// Knows implements [OfflineKeys].
func (ks staticKeys) Knows(kid string) bool { return ks.list.has(kid) || ks.list.has("") }

// methods holds the supported algorithms. The algorithm "none" is not one of them.
var methods = map[string]jwt.SigningMethod{}

func init() {
	for _, m := range []jwt.SigningMethod{
		jwt.SigningMethodES256, jwt.SigningMethodES384, jwt.SigningMethodES512, jwt.SigningMethodEdDSA,
		jwt.SigningMethodRS256, jwt.SigningMethodRS384, jwt.SigningMethodRS512,
		jwt.SigningMethodPS256, jwt.SigningMethodPS384, jwt.SigningMethodPS512,
		jwt.SigningMethodHS256, jwt.SigningMethodHS384, jwt.SigningMethodHS512,
	} {
		methods[m.Alg()] = m
	}
}

var curves = map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}
var hmacSizes = map[string]int{"HS256": 32, "HS384": 48, "HS512": 64}

// checkKey returns an error unless alg is supported and key is a strong enough key
// for it. RSA needs at least 2048 bits and an odd exponent of at least 65537. An HMAC
// key must be at least as long as the hash (RFC 7518 section 3.2). An ECDSA key must
// be on the algorithm's curve. An HMAC or Ed25519 key must not be equal bytes.
func checkKey(alg string, key crypto.PublicKey) error {
	if methods[alg] == nil {
		return fmt.Errorf("algorithm %q is not supported", alg)
	}

	ok, equal := false, false
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		_, err := ecdsaBytes(k)
		ok = err == nil && curves[alg] == k.Curve
	case ed25519.PublicKey:
		ok = alg == "EdDSA" && len(k) == ed25519.PublicKeySize
		equal = areEqual(k)
	case *rsa.PublicKey:
		ok = (alg[:2] == "RS" || alg[:2] == "PS") && k != nil && k.N != nil && k.N.BitLen() >= 2048 && k.E >= 65537 && k.E%2 == 1
	case []byte:
		ok = hmacSizes[alg] > 0 && len(k) >= hmacSizes[alg]
		if size := hmacSizes[alg]; size > len(k) {
			return fmt.Errorf("an HMAC key of %d bytes is too weak for %s, expected at least %d", len(k), alg, size)
		}
		equal = areEqual(k)
	}

	if !ok {
		return fmt.Errorf("a %T is not a key for %s, or too weak for it", key, alg)
	}
	if equal {
		return fmt.Errorf("the key for %s is equal bytes, and anybody could sign with it: was it read?", alg)
	}
	return nil
}

// areEqual reports whether the bytes of a key are equal. Such a key is probably a
// buffer that was never filled.
func areEqual(key []byte) bool { return len(key) > 0 && bytes.Count(key, key[:1]) == len(key) }

// ecdsaBytes encodes k. It returns an error unless k is a point of its curve.
func ecdsaBytes(k *ecdsa.PublicKey) ([]byte, error) {
	//lint:ignore SA1019 only the fields show that a coordinate is missing
	if k == nil || k.Curve == nil || k.X == nil || k.Y == nil {
		return nil, errors.New("no key")
	}
	return k.Bytes()
}
