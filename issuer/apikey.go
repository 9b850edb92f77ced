package issuer

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer/internal/secret"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// validateAPIKey returns the identity of the client that an API key belongs to. The
// key's owner, if it has one, is not the identity's user.
func (i *Issuer) validateAPIKey(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
	if i.mistypedKey(c.Secret) {
		return nil, unknownKey
	}
	key, err := i.db.APIKey(ctx, store.DigestOf(c.Secret))
	if err != nil {
		return nil, notFoundAs(unknownKey, errorsx.CredentialStore, err)
	}
	if !key.Expires.IsZero() && !key.Expires.After(c.Now()) {
		return nil, wrongKey(key.Client)
	}

	client, err := i.db.Client(ctx, key.Client)
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
		Issuer: i.url, Client: key.Client, Methods: middleware.ByAPIKey, APIKeyID: key.ID, Expires: key.Expires,
		Scopes: keyScopes(key, client), Audience: middleware.Audience(i.cfg.Audience),
		ClientVersion: client.Version,
	}

	if len(key.Scopes) > 0 || key.Owner != "" || len(key.Addrs) > 0 {
		id = id.WithDetails(middleware.Details{
			Owner: key.Owner, // caches forget the key when its owner is revoked
			Addrs: key.Addrs,
			// If the client has lost all scopes of the key, Scopes is empty. This
			// distinguishes such a key from one that was created without scopes.
			ScopeLimit: len(key.Scopes) > 0,
		})
	}
	return &id, nil
}

// keyScopes returns the scopes of a key that its client still has.
func keyScopes(key *store.APIKey, client *store.Client) middleware.Scopes {
	lost := func(s string) bool { return !slices.Contains(client.Scopes, s) }
	return middleware.Scopes(strings.Join(slices.DeleteFunc(slices.Clone(key.Scopes), lost), " "))
}

// limitsByKey reports whether id was authenticated by an API key that limits its
// client's scopes.
func limitsByKey(id *middleware.Identity) bool {
	return id.Methods.Has(middleware.ByAPIKey) && (id.Scopes != "" || id.Details().ScopeLimit)
}

// checkOwner refuses a key whose owner does not exist or is disabled.
func (i *Issuer) checkOwner(ctx context.Context, key *store.APIKey) error {
	if key.Owner == "" {
		return nil
	}
	u, err := i.user(ctx, key.Owner)
	switch {
	case errors.Is(err, errorsx.CredentialsIncorrect):
		return wrongKey(key.Client)
	case err == nil && u.Login != key.Owner:
		// A revocation names the login of the record, and would not reach this key.
		return wrongKey(key.Client)
	}
	return err
}

// unknownKey refuses a key that no client has.
var unknownKey = wrongKey("")

func wrongKey(client string) error {
	return &errorsx.Error{
		Code: errorsx.CredentialsIncorrect, Message: "The API key is incorrect", Client: client,
	}
}

// mistypedKey reports whether an API key has this issuer's prefix but a wrong checksum.
func (i *Issuer) mistypedKey(key string) bool {
	return strings.HasPrefix(key, i.keyPrefix) && key[len(i.keyPrefix):] != "" && key[len(i.keyPrefix)] == '_' && !secret.WellFormed(i.keyPrefix, key)
}
