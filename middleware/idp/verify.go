package idp

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"

	"github.com/authtier/authtier/errorsx"
)

// verify checks the signature and returns the name of the key that made it.
func (t *trusted) verify(ctx context.Context, r *received, tenant string) (keyID string, err error) {
	kid, alg, hints, err := r.header.asked()
	if err != nil {
		return "", refused(errorsx.BadSignature, err)
	}
	if alg == "Ed25519" { // the name of RFC 9864
		alg = "EdDSA"
	}
	method := methods[alg]
	if method == nil {
		return "", refused(errorsx.BadSignature, r.header.Alg.fault("alg", anyAlg{}))
	}

	keys, err := t.keys(ctx, kid)
	if err != nil {
		return "", err
	}
	if hints && (kid == "" || !keys.has(kid)) {
		return "", refused(errorsx.BadSignature, r.header.badKey(words("the ID of a known key beside jku, x5c and x5t"), ErrNoKey))
	}
	keys, err = keys.candidates(kid, alg)
	if err != nil {
		return "", refused(errorsx.BadSignature, r.header.badKey(knownKey(alg), err))
	}

	for _, k := range keys {
		if method.Verify(r.signed, r.signature, crypto.PublicKey(k.public())) != nil {
			continue
		}
		if err := t.checkKeyIssuer(k, r, tenant); err != nil {
			return "", refused(errorsx.BadSignature, err)
		}
		return k.id, nil
	}
	return "", refused(errorsx.BadSignature, r.header.badKey(signingKey(alg), errors.New("the signature is wrong")))
}

// keys returns the static keys, and the fetched ones if there is a set. An unknown kid
// has the set fetched first.
func (t *trusted) keys(ctx context.Context, kid string) (keyList, error) {
	t.mu.Lock()
	remote, opening, closed := t.remote, t.opening, t.closed
	t.mu.Unlock()
	switch {
	case closed:
		return nil, errors.New("idp: the verifier is closed")
	case remote == nil && opening != nil:
		return nil, fmt.Errorf("idp: the key set is not found: %w", opening)
	case remote == nil || kid != "" && t.static.has(kid):
		return t.static, nil
	}

	fetched, err := remote.find(ctx, kid)
	if err != nil {
		return nil, err
	}
	return slices.Concat(t.static, fetched), nil
}
