package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/authtier/authtier/middleware/idp"
)

// A Key signs tokens with one algorithm.
type Key struct {
	ID      string // the kid; if empty, it is the key's thumbprint (RFC 7638)
	Alg     string // one of Algs
	Private crypto.PrivateKey
}

// Algs are the algorithms that [Generate] supports.
var Algs = []string{"ES256", "EdDSA", "RS256", "HS256"}

// Generate returns a new key. It returns an error if alg is not one of Algs.
func Generate(alg string) (Key, error) {
	k := Key{Alg: alg}
	var err error
	switch alg {
	case "ES256":
		k.Private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA":
		_, k.Private, err = ed25519.GenerateKey(rand.Reader)
	case "RS256":
		k.Private, err = rsa.GenerateKey(rand.Reader, 2048)
	case "HS256":
		secret := make([]byte, 32)
		rand.Read(secret)
		k.ID, k.Private = rand.Text(), secret
	default:
		err = fmt.Errorf("algorithm %q is not supported", alg)
	}
	if err != nil {
		return Key{}, err
	}
	return k, nil
}

// public checks k and returns the key that verifies its signatures.
func (k Key) public() (crypto.PublicKey, error) {
	switch k.Alg {
	case "ES256", "EdDSA", "RS256", "HS256":
	default:
		return nil, fmt.Errorf("algorithm %q is not supported", k.Alg)
	}

	var pub crypto.PublicKey
	switch p := k.Private.(type) {
	case *ecdsa.PrivateKey:
		pub = &p.PublicKey
	case ed25519.PrivateKey:
		if len(p) != ed25519.PrivateKeySize {
			return nil, errors.New("an Ed25519 key of a wrong size")
		}
		pub = p.Public()
	case *rsa.PrivateKey:
		if err := p.Validate(); err != nil {
			return nil, err
		}
		pub = &p.PublicKey
	case []byte:
		pub = p
	}

	// StaticKeys refuses keys that do not fit the algorithm or are too weak for it.
	_, err := idp.StaticKeys(idp.Key{Alg: k.Alg, Public: pub})
	return pub, err
}
