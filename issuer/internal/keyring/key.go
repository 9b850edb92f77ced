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

	"github.com/golang-jwt/jwt/v5"

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
		//lint:ignore SA1019 only the field shows that the private part is missing
		if p == nil || p.D == nil {
			return nil, errors.New("an ECDSA key without its private part")
		}
		pub = &p.PublicKey
	case ed25519.PrivateKey:
		if len(p) != ed25519.PrivateKeySize {
			return nil, errors.New("an Ed25519 key of a wrong size")
		}
		pub = p.Public()
	case *rsa.PrivateKey:
		if p == nil {
			return nil, errors.New("a nil RSA key")
		}
		if err := p.Validate(); err != nil {
			return nil, err
		}
		pub = &p.PublicKey
	case []byte:
		pub = p
	}
	if _, err := idp.StaticKeys(idp.Key{ID: k.ID, Alg: k.Alg, Public: pub}); err != nil {
		return nil, err
	}

	// No token could be verified if the two parts were of different keys.
	const probe = "probe"
	signature, err := k.signer()(probe)
	if err == nil {
		err = jwt.GetSigningMethod(k.Alg).Verify(probe, signature, pub)
	}
	if err != nil {
		return nil, errors.New("its private part does not belong to its public part")
	}
	return pub, nil
}
