package issuer

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
	"os"

	"github.com/authtier/authtier/store"
)

const sealSize = 32

// ReadSeal returns the 32 bytes that a file holds in base64, for
// [StoredKeysConfig]. White space around them does not count. Such a file is made by
//
//	(umask 077; head -c 32 /dev/urandom | base64 > seal)
func ReadSeal(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("issuer: ReadSeal: %w", err)
	}
	return ParseSeal(string(text))
}

// ParseSeal returns the 32 bytes that a text is in base64, as it may stand in an
// environment variable. The error does not show the text.
func ParseSeal(text string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace([]byte(text))))
	if err != nil || len(b) != sealSize {
		return nil, fmt.Errorf("issuer: ParseSeal: expected %d bytes in base64", sealSize)
	}
	return b, nil
}

// A sealer encrypts private keys with AES-256-GCM, under a key of its own. A
// sealed key is bound to its record: under another ID it does not open.
type sealer struct{ aead cipher.AEAD }

func newSealer(seal []byte) (sealer, error) {
	if len(seal) != sealSize {
		return sealer{}, fmt.Errorf("the seal has %d bytes, expected %d", len(seal), sealSize)
	}
	if bytes.Count(seal, seal[:1]) == sealSize {
		return sealer{}, fmt.Errorf("the seal is %d equal bytes: was it read?", sealSize)
	}
	key, err := hkdf.Key(sha256.New, seal, nil, "authtier signing keys", 32)
	if err != nil {
		return sealer{}, err
	}
	block, err := aes.NewCipher(key)
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

func (s sealer) open(r store.SigningKey) (crypto.PrivateKey, error) {
	plain, err := s.aead.Open(nil, nil, r.Sealed, bound(r))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the signing key %q does not decrypt: was it sealed with another seal?", r.ID)
	case r.Alg == "HS256":
		return plain, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return nil, errors.New("a signing key is damaged") // what it holds is not for logs
	}
	return key, nil
}

// bound is what a sealed key is authenticated with.
func bound(r store.SigningKey) []byte {
	var b []byte
	for _, part := range []string{r.Set, r.ID, r.Alg} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	return b
}
