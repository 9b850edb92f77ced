package issuer

import (
	"context"
	"errors"
	"strings"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// validateAPIKey returns the client that an API key belongs to. The key's owner, if
// it has one, is not the identity's user.
func (i *Issuer) validateAPIKey(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
	if i.mistypedKey(c.Secret) {
		return nil, unknownKey
	}
	key, err := i.cfg.Store.APIKey(ctx, store.DigestOf(c.Secret))
	if err != nil {
		return nil, notFoundAs(unknownKey, errorsx.CredentialStore, err)
	}
	if !key.Expires.IsZero() && !key.Expires.After(c.Now()) {
		return nil, wrongKey(key.Client)
	}
	client, err := i.cfg.Store.Client(ctx, key.Client)
	if err != nil {
		return nil, notFoundAs(wrongKey(key.Client), errorsx.CredentialStore, err)
	}
	if client.Disabled {
		return nil, wrongKey(key.Client)
	}
	if err := i.checkOwner(ctx, key); err != nil {
		return nil, err
	}

	i.uses.note("", key.ID, c.Now())
	id := middleware.Identity{
		Issuer: i.cfg.Issuer, Client: key.Client, Methods: middleware.ByAPIKey, KeyID: key.ID, Expires: key.Expires,
		Scopes: middleware.Scopes(strings.Join(key.Scopes, " ")), Audience: middleware.Scopes(i.cfg.Audience),
		ClientVersion: client.Version,
	}
	if key.Owner != "" {
		id = id.WithOwner(key.Owner) // caches forget the key with its owner
	}
	if len(key.Addrs) > 0 {
		id = id.WithAddrs(key.Addrs)
	}
	return &id, nil
}

// checkOwner refuses a key whose owner does not exist or is disabled.
func (i *Issuer) checkOwner(ctx context.Context, key *store.APIKey) error {
	if key.Owner == "" {
		return nil
	}
	_, err := i.user(ctx, key.Owner)
	if errors.Is(err, errorsx.CredentialsIncorrect) {
		return wrongKey(key.Client)
	}
	return err
}

// unknownKey refuses a key that belongs to nobody.
var unknownKey = wrongKey("")

func wrongKey(client string) error {
	return &errorsx.Error{
		Code: errorsx.CredentialsIncorrect, Message: "The API key is incorrect", Client: client,
	}
}

// mistypedKey reports whether an API key has our prefix and not our checksum.
func (i *Issuer) mistypedKey(key string) bool {
	return strings.HasPrefix(key, i.keyPrefix) && key[len(i.keyPrefix):] != "" && key[len(i.keyPrefix)] == '_' && !WellFormed(i.keyPrefix, key)
}
