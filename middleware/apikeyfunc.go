package middleware

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/authtier/authtier/errorsx"
)

// APIKeyFunc returns a [Validator] of the API keys that lookup finds. lookup gets the
// SHA-256 of a key and returns the client that owns the key. If it returns "", the
// key is unknown (AUTH-1). If it returns an error, the credential store has failed
// (AUTH-4).
//
// lookup may compare digests in any way, for example by a map or a database index. An
// attacker who measures the time learns at most something about the digest of their
// own guess, and a digest does not reveal the key. Store digests instead of keys, and
// generate keys from at least 128 random bits.
//
// lookup is called on every request and must be safe for concurrent use. If it asks a
// database, put a [Cache] around the validator. Nothing notifies such a cache that a
// key was revoked, so a revoked key works until the cache's TTL is over.
//
// The identity has no Issuer and no scopes. It cannot be merged with that of a token,
// [Usage] cannot bill it, and [Scope] refuses it. Write a [ValidatorFunc] if you need
// one of these. APIKeyFunc panics if lookup is nil.
func APIKeyFunc(lookup func(ctx context.Context, sum [32]byte) (client string, err error)) Validator {
	if lookup == nil {
		panic("middleware: APIKeyFunc: nil func")
	}
	return ValidatorFunc(func(ctx context.Context, c Credential) (*Identity, error) {
		if c.Scheme != SchemeAPIKey {
			return nil, errorsx.Fault(fmt.Errorf("middleware: APIKeyFunc: a credential of scheme %q", c.Scheme))
		}

		client, err := lookup(ctx, sha256.Sum256([]byte(c.Secret)))
		switch {
		case err != nil:
			return nil, &errorsx.Error{Code: errorsx.CredentialStore, Err: err}
		case client == "":
			return nil, &errorsx.Error{Code: errorsx.CredentialsIncorrect, Message: "The API key is incorrect"}
		}
		return &Identity{Client: client, Methods: ByAPIKey}, nil
	})
}
