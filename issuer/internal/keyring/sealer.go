package keyring

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/authtier/authtier/store"
)

// keySize is the size of an encryption key in bytes.
const keySize = 32

// parseKey decodes a key in base64. It ignores white space around the text. The error
// does not show the text.
func parseKey(text []byte) ([]byte, error) {
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return nil, fmt.Errorf("it is empty, expected %d bytes in base64", keySize)
	}
	key, err := base64.StdEncoding.DecodeString(string(text))
	switch {
	case err != nil:
		return nil, fmt.Errorf("it does not decode, expected %d bytes in base64", keySize)
	case len(key) != keySize:
		return nil, fmt.Errorf("it has %d bytes, expected %d in base64", len(key), keySize)
	}
	return key, nil
}

// A sealer encrypts private keys with AES-256-GCM, under a key derived from the
// encryption key. A sealed key is bound to the set, ID and algorithm of its record, and
// does not open under others.
type sealer struct{ aead cipher.AEAD }

func newSealer(key []byte) (sealer, error) {
	if len(key) != keySize {
		return sealer{}, fmt.Errorf("it has %d bytes, expected %d", len(key), keySize)
	}
	if bytes.Count(key, key[:1]) == keySize {
		return sealer{}, fmt.Errorf("it is %d equal bytes: was it read?", keySize)
	}

	// The derived key is only for this purpose. The same bytes may encrypt other data.
	derived, err := hkdf.Key(sha256.New, key, nil, "authtier signing keys", 32)
	if err != nil {
		return sealer{}, err
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return sealer{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return sealer{aead}, err
}

func (s sealer) seal(r store.SigningKey, private crypto.PrivateKey) ([]byte, error) {
	plain, ok := private.([]byte)
	if !ok {
		var err error
		if plain, err = x509.MarshalPKCS8PrivateKey(private); err != nil {
			return nil, err
		}
	}
	return s.aead.Seal(nil, nil, plain, bound(r)), nil
}

// ErrOtherKey means that a stored signing key does not decrypt.
var ErrOtherKey = errors.New("it does not decrypt, so it was encrypted with another key")

func (s sealer) open(r store.SigningKey) (crypto.PrivateKey, error) {
	plain, err := s.aead.Open(nil, nil, r.Sealed, bound(r))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the signing key %q: %w", r.ID, ErrOtherKey)
	case r.Alg == "HS256":
		return plain, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		// The cause is left out, because it could show parts of the key.
		return nil, errors.New("a signing key is damaged")
	}
	return key, nil
}

// bound returns the additional data that a sealed key is authenticated with.
func bound(r store.SigningKey) []byte {
	var b []byte
	for _, part := range []string{r.Set, r.ID, r.Alg} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	return b
}
