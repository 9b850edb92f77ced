package issuer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// A rotator is a store in which API keys and secrets can be replaced.
type rotator interface {
	store.Lister
	store.Rotator
}

// rotator returns the store, if it can replace API keys and secrets.
func (i *Issuer) rotator() (rotator, error) {
	if i.closed.Load() {
		return nil, errClosed
	}
	if db, ok := i.db.(rotator); ok {
		return db, nil
	}
	return nil, fmt.Errorf("the store, a %T, is no store.Lister and store.Rotator", i.db)
}

// RotateAPIKey replaces an API key, by its ID, and returns the new one, which can
// be shown but once. The new key has the client, name, owner, scopes and networks of
// the old one. Both work for the overlap, unless the old one expires sooner. Without
// an overlap the old one is deleted: it is refused here and by the caches in front
// when RotateAPIKey returns, and elsewhere as soon as a revoked one.
//
// The new key lives for as long as the old one was to live from its creation, and
// for ever if that had no end; one that was replaced before is to live no longer
// than its overlap. For another end, let the
// store's UpdateAPIKey end it sooner.
//
// The new key has what the old one had when RotateAPIKey read it. A change of the
// old key's scopes, owner or networks at the same moment can be missing from it:
// look at the record that is returned after such a race.
//
// An unknown ID is [store.ErrNotFound], and so is one that is revoked meanwhile.
// After any other error the store may have replaced the key, by one that nobody
// knows.
func (i *Issuer) RotateAPIKey(ctx context.Context, id string, overlap time.Duration) (key string, record store.APIKey, err error) {
	key, record, err = i.rotateAPIKey(ctx, id, overlap)
	if err != nil {
		return "", store.APIKey{}, fmt.Errorf("issuer: RotateAPIKey: %w", err)
	}
	return key, record, nil
}

func (i *Issuer) rotateAPIKey(ctx context.Context, id string, overlap time.Duration) (string, store.APIKey, error) {
	db, err := i.rotator()
	if err != nil {
		return "", store.APIKey{}, err
	}
	until, err := endOf(overlap)
	if err != nil {
		return "", store.APIKey{}, err
	}
	old, err := db.APIKeyByID(ctx, id)
	if err != nil {
		return "", store.APIKey{}, err
	}
	expires, err := heirExpires(old.Created, old.Expires)
	if err != nil {
		return "", store.APIKey{}, err
	}
	key, record := i.newAPIKey()
	record.Client, record.Scopes, record.Expires = old.Client, old.Scopes, expires
	record.Name, record.Owner, record.Addrs = old.Name, old.Owner, old.Addrs
	err = db.ReplaceAPIKey(ctx, id, until, record)
	i.sinks.Forget(middleware.Revocation{Kind: middleware.KindAPIKey, ID: id}) // also if the store's answer was lost
	return key, record, err
}

// RotateSecret gives a client a new secret, which it returns: it can be shown but
// once. All others of the client work for the overlap, unless they expire sooner,
// and without an overlap no more when RotateSecret returns, as with
// [Issuer.RotateAPIKey]. Tokens that the client has got live on.
//
// The new secret lives for as long as the client's last one was to live from its
// creation, and for ever if that had no end or there is none. To end
// it, call [Issuer.RevokeSecret].
//
// An unknown client is [store.ErrNotFound]. After any other error the store may
// have replaced the secrets, by one that nobody knows.
func (i *Issuer) RotateSecret(ctx context.Context, client string, overlap time.Duration) (secret string, record store.Secret, err error) {
	secret, record, err = i.rotateSecret(ctx, client, overlap)
	if err != nil {
		return "", store.Secret{}, fmt.Errorf("issuer: RotateSecret: %w", err)
	}
	return secret, record, nil
}

func (i *Issuer) rotateSecret(ctx context.Context, client string, overlap time.Duration) (string, store.Secret, error) {
	db, err := i.rotator()
	if err != nil {
		return "", store.Secret{}, err
	}
	until, err := endOf(overlap)
	if err != nil {
		return "", store.Secret{}, err
	}
	olds, err := db.SecretsOf(ctx, client)
	if err != nil {
		return "", store.Secret{}, err
	}
	secret, record := i.newSecret()
	if len(olds) > 0 {
		last := olds[len(olds)-1]
		if record.Expires, err = heirExpires(last.Created, last.Expires); err != nil {
			return "", store.Secret{}, err
		}
	}
	err = db.ReplaceSecrets(ctx, client, record, until)
	i.sinks.Forget(middleware.Revocation{Kind: middleware.KindClient, ID: client})
	return secret, record, err
}

// endOf returns when an overlap that begins now ends.
func endOf(overlap time.Duration) (time.Time, error) {
	if overlap != 0 && overlap < time.Second {
		return time.Time{}, fmt.Errorf("the overlap is %v, expected none or at least a second (a number without a unit is nanoseconds)", overlap)
	}
	return time.Now().Add(overlap), nil
}

// heirExpires returns when what replaces something from now on expires, that was
// to live between these times.
func heirExpires(created, expires time.Time) (time.Time, error) {
	switch {
	case expires.IsZero():
		return time.Time{}, nil
	case created.IsZero() || !expires.After(created):
		return time.Time{}, errors.New("how long the old one was to live is not known, and so is not how long the new one is")
	}
	return time.Now().UTC().Add(expires.Sub(created)).Truncate(time.Microsecond), nil
}

// RevokeAPIKey revokes an API key, by its ID: it is refused here and by the caches
// in front when RevokeAPIKey returns, and by others on the same store within a
// second. It goes on when ctx ends, as [Issuer.RevokeToken] does.
//
// An ID that no key has is [store.ErrNotFound]: one that was revoked before, and
// the key itself in place of its ID.
func (i *Issuer) RevokeAPIKey(ctx context.Context, id string) error {
	ctx, cancel := lasting(ctx)
	defer cancel()
	db, err := i.rotator()
	if err == nil {
		err = ifMissing(db.APIKeyByID(ctx, id))
	}
	if err == nil {
		err = i.revoke(ctx, store.Change{Kind: store.KindAPIKey, ID: id})
	} else {
		i.sinks.Forget(middleware.Revocation{Kind: middleware.KindAPIKey, ID: id}) // a cache may still have it
	}
	if err != nil {
		return fmt.Errorf("issuer: RevokeAPIKey: %w", err)
	}
	return nil
}

// RevokeSecret revokes one of a client's secrets, by its ID, as
// [Issuer.RevokeAPIKey] does a key. Tokens that the client has got by it live on:
// to end them, call [Issuer.RevokeClient]. An unknown client or secret is
// [store.ErrNotFound].
func (i *Issuer) RevokeSecret(ctx context.Context, client, id string) error {
	ctx, cancel := lasting(ctx)
	defer cancel()
	db, err := i.rotator()
	if err == nil {
		err = db.DeleteSecret(ctx, client, id)
		i.sinks.Forget(middleware.Revocation{Kind: middleware.KindClient, ID: client})
	}
	if err != nil {
		return fmt.Errorf("issuer: RevokeSecret: %w", err)
	}
	return nil
}
