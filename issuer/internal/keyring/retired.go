package keyring

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"slices"

	"github.com/authtier/authtier/middleware/idp"
)

var errRetired = errors.New("the signing key has ended, and this process cannot decrypt another one: give it the key file of the store")

// retire takes keys out of use that have ended, if the store has no key that this process
// can sign with. Their tokens are refused from then on. If the key that signs has ended,
// Sign returns an error.
func (ring *Ring) retire(ended []string) error {
	old := ring.now.Load()
	k := *old
	all := old.public
	if r, ok := all.(retired); ok {
		all = r.Keys // the store never takes an end back
	}
	k.public, k.ended = retired{all, ended}, ended
	k.set.Keys = slices.DeleteFunc(slices.Clone(old.set.Keys), func(j jwk) bool { return slices.Contains(ended, j.ID) })
	if slices.Contains(ended, k.kid) {
		k.signer = func(string) ([]byte, error) { return nil, errRetired }
	}

	var err error
	if k.jwks, err = json.Marshal(k.set); err == nil {
		ring.now.Store(&k)
	}
	return err
}

// retired are keys without those that have ended.
type retired struct {
	idp.Keys
	ended []string
}

// Key implements [idp.Keys].
func (r retired) Key(ctx context.Context, kid, alg string) (crypto.PublicKey, error) {
	if slices.Contains(r.ended, kid) {
		return nil, idp.ErrNoKey
	}
	return r.Keys.Key(ctx, kid, alg)
}

// Knows implements [idp.OfflineKeys].
func (r retired) Knows(kid string) bool {
	local, ok := r.Keys.(idp.OfflineKeys)
	return ok && !slices.Contains(r.ended, kid) && local.Knows(kid)
}
