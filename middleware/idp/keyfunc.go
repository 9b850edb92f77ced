package idp

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/authtier/authtier/middleware/internal/wiring"
)

// KeyfuncConfig configures [FromKeyfunc]. The zero value is ready to use.
type KeyfuncConfig struct {
	// AllowHMAC accepts the symmetric keys of the storage. Everybody who can verify a
	// token with such a key can also make one. If false, they are skipped.
	AllowHMAC bool
}

// FromKeyfunc returns the keys of a program that uses MicahParks/keyfunc, for
// [Config].Keys. k itself does not decide on tokens: [Open] reads its storage, and reads
// it again every [Config].Refresh and when a token names an unknown key. Keys that the
// storage no longer has are withdrawn. A key is skipped if its use, key_ops or alg say
// that it does not verify tokens, or if it is too weak. Symmetric keys are skipped unless
// AllowHMAC is set. c may be nil.
//
// The storage of keyfunc keeps the last set that it could fetch indefinitely, so that
// Config.MaxStale does not apply to failures of the network.
//
// FromKeyfunc returns an error if k is nil or has no storage.
func FromKeyfunc(k keyfunc.Keyfunc, c *KeyfuncConfig) (Keys, error) {
	if wiring.IsNil(k) || wiring.IsNil(k.Storage()) {
		return nil, errors.New("idp: FromKeyfunc: nil Keyfunc, or one without a Storage")
	}
	if c == nil {
		c = &KeyfuncConfig{}
	}
	return &storedKeys{k.Storage(), c.AllowHMAC}, nil
}

// storedKeys are the keys in a storage of package jwkset.
type storedKeys struct {
	storage   jwkset.Storage
	allowHMAC bool
}

// Key implements [Keys].
func (ks *storedKeys) Key(ctx context.Context, kid, alg string) (crypto.PublicKey, error) {
	list, _, err := ks.read(ctx, kid)
	if err != nil {
		return nil, err
	}
	keys, err := list.candidates(kid, alg)
	if err != nil {
		return nil, err
	}
	return keys[0].public(), nil
}

// read reads the storage. It asks for kid first, so that a storage that fetches unknown
// keys does so.
func (ks *storedKeys) read(ctx context.Context, kid string) (keys keyList, skipped []error, err error) {
	if kid != "" {
		// The list below says whether the key is there.
		_, _ = ks.storage.KeyRead(ctx, kid)
	}
	all, err := ks.storage.KeyReadAll(ctx)
	if err != nil {
		return nil, nil, err
	}
	for i, j := range all {
		k, err := ks.verifyKey(j)
		keys, skipped = collect(keys, skipped, i, k, err)
	}
	return atLeastOne(keys, skipped)
}

// verifyKey returns a key of the storage, or an error if it does not verify tokens.
func (ks *storedKeys) verifyKey(key jwkset.JWK) (verifyKey, error) {
	m := key.Marshal()
	j := jwk{Kty: m.KTY.String(), Kid: m.KID, Use: m.USE.String(), Alg: m.ALG.String(), Crv: m.CRV.String()}
	for _, op := range m.KEYOPS {
		j.Ops = append(j.Ops, op.String())
	}

	public := key.Key()
	switch k := public.(type) {
	case interface{ Public() crypto.PublicKey }:
		public = k.Public()
	case []byte:
		if !ks.allowHMAC {
			return verifyKey{kid: j.Kid}, errors.New("a symmetric key, see AllowHMAC")
		}
	}
	return j.verifies(public)
}

// Keyfunc returns a function for package golang-jwt. It finds the key for a token by its
// iss, kid and alg, as Validate does, and returns an error for a token of any other
// issuer. It decides on nothing else: audience, Clients, type, times and binding of the
// token are for the caller to check, and Map and Own have no effect. For an issuer whose
// tokens need a second condition, such as a repository or a tenant, it returns an error,
// because the key alone proves too little. The function is safe for concurrent use.
func (v *Verifier) Keyfunc() jwt.Keyfunc {
	return func(t *jwt.Token) (any, error) {
		iss, err := t.Claims.GetIssuer()
		if err != nil {
			return nil, err
		}
		issuer, tenant := v.of(iss)
		if issuer == nil {
			return nil, fmt.Errorf("idp: claim \"iss\": expected %v", v.names())
		}
		if tenant != "" || issuer.cfg.preset.refuse != nil {
			return nil, fmt.Errorf("idp: the tokens of %q need a second condition, which a key does not prove: use Verifier.Validate", issuer.cfg.Issuers[0])
		}
		return issuer.keyfunc(t, tenant)
	}
}

// keyfunc returns the keys that may have signed a token of this issuer.
func (t *trusted) keyfunc(parsed *jwt.Token, tenant string) (any, error) {
	kid := ""
	if raw, present := parsed.Header["kid"]; present {
		var ok bool
		if kid, ok = raw.(string); !ok || kid == "" {
			return nil, fmt.Errorf("idp: header member \"kid\": expected %v", wantFilled)
		}
	}
	for _, name := range []string{"crit", "b64", "zip", "enc", "x5u", "jwk", "jku", "x5c", "x5t"} {
		if _, present := parsed.Header[name]; present {
			return nil, fmt.Errorf("idp: header member %q: expected no such member", name)
		}
	}

	ctx, cancel := context.WithTimeout(context.Background(), searchTimeout)
	defer cancel()
	keys, err := t.candidates(ctx, kid, parsed.Method.Alg())
	if err != nil {
		return nil, err
	}

	var set jwt.VerificationKeySet
	keys = slices.DeleteFunc(slices.Clone(keys), func(k verifyKey) bool { return t.checkKeyIssuer(k, "", tenant) != nil })
	for _, k := range keys {
		set.Keys = append(set.Keys, k.public())
	}
	if len(keys) == 0 {
		return nil, ErrNoKey
	}
	return set, nil
}
