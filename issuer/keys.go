package issuer

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"

	"github.com/authtier/authtier/issuer/internal/keyring"
	"github.com/authtier/authtier/issuer/internal/password"
)

// A SigningKey signs access tokens, with one algorithm.
type SigningKey struct {
	// ID is the kid. If empty, it is the key's thumbprint (RFC 7638).
	ID string

	// Alg is ES256, EdDSA, RS256 or HS256.
	Alg string

	// Private is an *ecdsa.PrivateKey, an ed25519.PrivateKey or an *rsa.PrivateKey, or
	// a []byte for HS256.
	Private crypto.PrivateKey `json:"-"`
}

// Format writes k without its key, for every verb.
func (k SigningKey) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "%s signing key %q", k.Alg, k.ID) }

// LogValue returns k without its key.
func (k SigningKey) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(k)) }

// GenerateKey returns a new signing key. alg is ES256, EdDSA, RS256 or HS256; any other
// is an error.
func GenerateKey(alg string) (SigningKey, error) {
	k, err := keyring.Generate(alg)
	if err != nil {
		return SigningKey{}, fmt.Errorf("issuer: GenerateKey: %w", err)
	}
	return SigningKey(k), nil
}

// A KeySet signs with one key and verifies with all its keys. It implements
// [idp.Keys]. Issuers that differ in audience may share it. Its methods are safe
// for concurrent use. Use [NewKeySet]: the zero value has no key.
type KeySet struct{ ring *keyring.Ring }

// NewKeySet returns a set of keys that never change. signer signs, and all keys verify.
// verifiers are keys that signed before or will sign later. A key that has leaked must
// be neither.
//
// NewKeySet returns an error that names every key that does not fit its algorithm, is
// too weak for it, cannot sign, or has the ID of another.
func NewKeySet(signer SigningKey, verifiers ...SigningKey) (*KeySet, error) {
	keys := []keyring.Key{keyring.Key(signer)}
	for _, k := range verifiers {
		keys = append(keys, keyring.Key(k))
	}
	ring, err := keyring.New(keys...)
	if err != nil {
		return nil, fmt.Errorf("issuer: NewKeySet: %w", err)
	}
	return &KeySet{ring}, nil
}

// Key implements [idp.Keys].
func (ks *KeySet) Key(ctx context.Context, kid, alg string) (crypto.PublicKey, error) {
	if ks.ring == nil {
		return nil, errors.New("issuer: the KeySet does not come from NewKeySet")
	}
	return ks.ring.Key(ctx, kid, alg)
}

// Knows implements [idp.OfflineKeys].
func (ks *KeySet) Knows(kid string) bool { return ks.ring == nil || ks.ring.Knows(kid) }

// ErrOtherKey means that [Config.KeyFile] is not the file with which the signing keys in the
// store were encrypted. [New] and [Open] return it.
var ErrOtherKey = keyring.ErrOtherKey

// MaxBcryptCost is the highest [Config.BcryptCost]. One comparison of a higher cost takes
// seconds of a core.
const MaxBcryptCost = password.MaxBcryptCost
