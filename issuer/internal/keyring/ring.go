// Package keyring holds the signing keys of an issuer: it generates, encrypts, stores,
// rotates and revokes them, signs with one of them and verifies with all.
//
//	ring, err := keyring.Open(ctx, db, keyring.Config{Set: "main", Alg: "ES256", MaxTTL: time.Hour, EncryptionKey: key})
//	token, err := ring.Sign(payload)
package keyring

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/authtier/authtier/middleware/idp"
)

// PublicAge is how long caches may keep the published key set.
const PublicAge = 5 * time.Minute

// A Ring signs with one key and verifies with all its keys. It implements [idp.Keys]
// and [idp.OfflineKeys]. Its methods are safe for concurrent use. Use [New] or [Open]:
// the zero value has no key.
type Ring struct {
	now    atomic.Pointer[keys]
	stored *stored // nil for keys that never change
}

// keys is the state of a Ring at one time. It never changes.
type keys struct {
	public idp.Keys
	kid    string                              // of the key that signs
	header string                              // JOSE header of the tokens, encoded
	signer func(signed string) ([]byte, error) // a function, so that printing a Ring cannot show the key
	ended  []string                            // keys that were taken out of use, see retire
	set    jwkSet
	jwks   []byte   // set, encoded
	algs   []string // algorithms of the keys in set, each once
}

// A jwkSet is a published key set (RFC 7517).
type jwkSet struct {
	Keys []jwk `json:"keys"`
}

// New returns a ring of keys that never change. The first one signs. It returns an error
// if a key does not fit its algorithm, is too weak for it, or has the ID of another.
func New(signing ...Key) (*Ring, error) {
	k, err := newKeys(signing)
	if err != nil {
		return nil, err
	}
	r := &Ring{}
	r.now.Store(k)
	return r, nil
}

// newKeys returns the keys of a set. The first one signs.
func newKeys(signing []Key) (*keys, error) {
	// IDs are filled in below, and must not change the caller's slice.
	signing = slices.Clone(signing)
	var public []idp.Key
	set := jwkSet{Keys: []jwk{}}
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
		public = append(public, idp.Key{ID: k.ID, Alg: k.Alg, Public: pub})
	}

	static, err := idp.StaticKeys(public...)
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
		public: static, header: base64.RawURLEncoding.EncodeToString(header), set: set, jwks: jwks, algs: algs,
		kid: signer.ID, signer: signer.signer(),
	}, err
}

// Sign returns the compact serialization of a token with that payload.
func (ring *Ring) Sign(payload []byte) (string, error) {
	k := ring.now.Load()
	signed := k.header + "." + base64.RawURLEncoding.EncodeToString(payload)
	signature, err := k.signer(signed)
	if err != nil {
		return "", err
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// Key implements [idp.Keys]. For an unknown kid, stored keys are read again.
func (ring *Ring) Key(ctx context.Context, kid, alg string) (crypto.PublicKey, error) {
	// Every token of the issuer names its key.
	if kid == "" {
		return nil, idp.ErrNoKey
	}
	k := ring.now.Load()
	key, err := k.public.Key(ctx, kid, alg)
	if errors.Is(err, idp.ErrNoKey) && ring.stored != nil && !slices.Contains(k.ended, kid) {
		return ring.unknown(ctx, kid, alg)
	}
	return key, err
}

// Knows implements [idp.OfflineKeys].
func (ring *Ring) Knows(kid string) bool {
	if ring.stored == nil || kid == "" {
		return true
	}
	local, ok := ring.now.Load().public.(idp.OfflineKeys)
	return ok && local.Knows(kid)
}

// JWKS returns the published key set (RFC 7517). It has no symmetric key.
func (ring *Ring) JWKS() []byte { return ring.now.Load().jwks }

// Algs returns the algorithms of the published keys, each once.
func (ring *Ring) Algs() []string { return ring.now.Load().algs }

// IsStored reports whether the keys are in a store, so that they can change.
func (ring *Ring) IsStored() bool { return ring.stored != nil }
