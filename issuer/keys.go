package issuer

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"sync/atomic"

	"github.com/golang-jwt/jwt/v5"

	"github.com/authtier/authtier/middleware"
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

// generated are the algorithms that GenerateKey supports.
var generated = []string{"ES256", "EdDSA", "RS256", "HS256"}

// GenerateKey returns a new signing key. alg is ES256, EdDSA, RS256 or HS256; any other
// is an error.
func GenerateKey(alg string) (SigningKey, error) {
	k := SigningKey{Alg: alg}
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
		return SigningKey{}, fmt.Errorf("issuer: GenerateKey: %w", err)
	}
	return k, nil
}

// A KeySet signs with one key and verifies with all its keys. It implements
// [middleware.Keys]. Issuers that differ in audience may share it. Its methods are safe
// for concurrent use. Use [NewKeySet]: the zero value has no key.
type KeySet struct {
	now    atomic.Pointer[keys]
	stored *storedKeys // nil for keys that never change
}

// keys is the state of a KeySet at one time. It never changes.
type keys struct {
	public middleware.Keys
	header string                              // JOSE header of the tokens, encoded
	signer func(signed string) ([]byte, error) // a function, so that printing a KeySet cannot show the key
	jwks   []byte
	algs   []string // algorithms of the keys in jwks, each once
}

// NewKeySet returns a set of keys that never change. signer signs, and all keys verify.
// verifiers are keys that signed before or will sign later. A key that has leaked must
// be neither.
//
// NewKeySet returns an error that names every key that does not fit its algorithm, is
// too weak for it, cannot sign, or has the ID of another.
func NewKeySet(signer SigningKey, verifiers ...SigningKey) (*KeySet, error) {
	k, err := newKeys(append([]SigningKey{signer}, verifiers...))
	if err != nil {
		return nil, fmt.Errorf("issuer: NewKeySet: %w", err)
	}
	ks := &KeySet{}
	ks.now.Store(k)
	return ks, nil
}

// newKeys returns the keys of a set. The first one signs.
func newKeys(signing []SigningKey) (*keys, error) {
	// IDs are filled in below, and must not change the caller's slice.
	signing = slices.Clone(signing)
	var public []middleware.Key
	set := struct {
		Keys []jwk `json:"keys"`
	}{Keys: []jwk{}}
	algs := []string{}
	var errs []error
	for i, k := range signing {
		pub, err := k.public()
		if err != nil {
			errs = append(errs, fmt.Errorf("key %d: %w", i, err))
			continue
		}

		j, published := newJWK(k.Alg, pub)
		if k.ID == "" && !published {
			errs = append(errs, fmt.Errorf("key %d: an %s key needs an ID", i, k.Alg))
			continue
		}
		if k.ID == "" {
			k.ID = j.thumbprint()
		}

		signing[i].ID = k.ID
		j.ID = k.ID
		if published {
			set.Keys = append(set.Keys, j)
		}
		if published && !slices.Contains(algs, j.Alg) {
			algs = append(algs, j.Alg)
		}
		public = append(public, middleware.Key{ID: k.ID, Alg: k.Alg, Public: pub})
	}

	static, err := middleware.StaticKeys(public...)
	if err != nil && len(public) > 0 {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}

	signer := signing[0]
	header, err := json.Marshal(map[string]string{"alg": signer.Alg, "kid": signer.ID, "typ": "at+jwt"})
	if err != nil {
		return nil, err
	}
	jwks, err := json.Marshal(set)
	return &keys{
		public: static, header: base64.RawURLEncoding.EncodeToString(header), jwks: jwks, algs: algs,
		signer: signer.signer(),
	}, err
}

// sign returns the compact serialization of a token with that payload.
func (ks *KeySet) sign(payload []byte) (string, error) {
	k := ks.now.Load()
	signed := k.header + "." + base64.RawURLEncoding.EncodeToString(payload)
	signature, err := k.signer(signed)
	if err != nil {
		return "", err
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// public checks k and returns the key that verifies its signatures.
func (k SigningKey) public() (crypto.PublicKey, error) {
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
	if _, err := middleware.StaticKeys(middleware.Key{Alg: k.Alg, Public: pub}); err != nil {
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

// Key implements [middleware.Keys]. For an unknown kid, stored keys are read again.
func (ks *KeySet) Key(ctx context.Context, kid, alg string) (crypto.PublicKey, error) {
	// Every token of the issuer names its key.
	if kid == "" {
		return nil, middleware.ErrNoKey
	}
	now := ks.now.Load()
	if now == nil {
		return nil, errors.New("issuer: the KeySet does not come from NewKeySet")
	}
	key, err := now.public.Key(ctx, kid, alg)
	if errors.Is(err, middleware.ErrNoKey) && ks.stored != nil {
		return ks.unknown(ctx, kid, alg)
	}
	return key, err
}

// Knows implements [middleware.OfflineKeys].
func (ks *KeySet) Knows(kid string) bool {
	if ks.stored == nil || kid == "" {
		return true
	}
	local, ok := ks.now.Load().public.(middleware.OfflineKeys)
	return ok && local.Knows(kid)
}

// A jwk is a public key (RFC 7517, RFC 7518 section 6, RFC 8037). It has no field that
// could hold a private key.
type jwk struct {
	Kty   string `json:"kty"`
	Use   string `json:"use"`
	Alg   string `json:"alg"`
	ID    string `json:"kid"`
	Curve string `json:"crv,omitempty"`
	X     string `json:"x,omitempty"`
	Y     string `json:"y,omitempty"`
	N     string `json:"n,omitempty"`
	E     string `json:"e,omitempty"`
}

// newJWK returns the published form of a checked key. It returns false for a symmetric
// key, which must not be published.
func newJWK(alg string, key crypto.PublicKey) (jwk, bool) {
	enc := base64.RawURLEncoding.EncodeToString
	j := jwk{Use: "sig", Alg: alg}
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		point, err := k.Bytes() // 0x04, x, y
		if err != nil {
			return jwk{}, false
		}
		half := len(point) / 2
		j.Kty, j.Curve, j.X, j.Y = "EC", k.Params().Name, enc(point[1:1+half]), enc(point[1+half:])
	case ed25519.PublicKey:
		j.Kty, j.Curve, j.X = "OKP", "Ed25519", enc(k)
	case *rsa.PublicKey:
		j.Kty, j.N, j.E = "RSA", enc(k.N.Bytes()), enc(big.NewInt(int64(k.E)).Bytes())
	default:
		return jwk{}, false
	}
	return j, true
}

// thumbprint returns the thumbprint of RFC 7638. It hashes the required members in the
// order of their names.
func (j jwk) thumbprint() string {
	var canonical string
	switch j.Kty {
	case "EC":
		canonical = fmt.Sprintf(`{"crv":%q,"kty":"EC","x":%q,"y":%q}`, j.Curve, j.X, j.Y)
	case "OKP":
		canonical = fmt.Sprintf(`{"crv":%q,"kty":"OKP","x":%q}`, j.Curve, j.X)
	case "RSA":
		canonical = fmt.Sprintf(`{"e":%q,"kty":"RSA","n":%q}`, j.E, j.N)
	}
	sum := sha256.Sum256([]byte(canonical))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
