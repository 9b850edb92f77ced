package issuer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// A rotator is a store that can replace API keys and secrets.
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
	return nil, fmt.Errorf("the store, a %T, is not a store.Lister and store.Rotator", i.db)
}

// RotateAPIKey replaces the API key with the given ID. It returns the new key, which
// cannot be read again later, and its record. The new key has the client, name, owner,
// scopes and networks of the old one.
//
// Both keys work for the overlap, unless the old one expires sooner. The overlap is 0
// or at least a second. If it is 0, the old key is deleted: this issuer and the caches
// in front of it refuse it when RotateAPIKey returns, and others as soon as a revoked
// key.
//
// The new key gets the full lifetime of the old one, counted from now. It has no end if
// the old key had none. If the old key was replaced before, the end of its overlap
// counts as its end. To end the new key sooner, call the store's UpdateAPIKey.
//
// The new key copies the old one as RotateAPIKey read it. It may lack a change of
// scopes, owner or networks that is made at the same moment. After such a race, check
// the returned record.
//
// RotateAPIKey returns [store.ErrNotFound] if there is no such key, or if it is revoked
// at the same time. After any other error the store may have replaced the key by one
// that nobody knows.
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

	// Caches forget the old key even after an error, because the store may have
	// replaced it all the same.
	err = db.ReplaceAPIKey(ctx, id, until, record)
	i.sinks.Forget(middleware.Revocation{APIKeyID: id})
	return key, record, err
}

// RotateSecret gives a client a new secret. It returns the secret, which cannot be read
// again later, and its record. All other secrets of the client work for the overlap,
// unless they expire sooner. The overlap is 0 or at least a second. If it is 0, they
// are refused from now on, as [Issuer.RotateAPIKey] says. Tokens of the client stay
// valid.
//
// The new secret gets the full lifetime of the client's last secret, counted from now. If
// that one had no end, or if the client had no secret, the new one has no end. To end it,
// call [Issuer.RevokeSecret].
//
// RotateSecret returns [store.ErrNotFound] if there is no such client. After any other
// error the store may have replaced the secrets by one that nobody knows.
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
	i.sinks.Forget(middleware.Revocation{Client: client})
	return secret, record, err
}

// endOf returns when an overlap that begins now ends.
func endOf(overlap time.Duration) (time.Time, error) {
	if overlap != 0 && overlap < time.Second {
		return time.Time{}, fmt.Errorf("the overlap is %v, expected none or at least a second (a number without a unit is nanoseconds)", overlap)
	}
	return time.Now().Add(overlap), nil
}

// heirExpires returns when the successor of a key or secret expires. The successor
// lives as long as the old one was meant to: from created to expires.
func heirExpires(created, expires time.Time) (time.Time, error) {
	switch {
	case expires.IsZero():
		return time.Time{}, nil
	case created.IsZero() || !expires.After(created):
		return time.Time{}, errors.New("the lifetime of the old one is unknown, and so is that of the new one: Created is zero or not before Expires")
	}
	return time.Now().UTC().Add(expires.Sub(created)).Truncate(time.Microsecond), nil
}

// RotateSigningKey publishes a new signing key and returns its ID. The key verifies at
// once. It begins to sign five and a half minutes later, when every cache of the key
// set must have read it again. [Issuer.Run] of any node makes that second change. The
// key before it verifies until its last token has expired.
//
// The clocks of nodes may differ by some seconds. If they differ by more, a new key may
// sign before all caches have it.
//
// RotateSigningKey returns an error if the keys are not stored ([Config].KeyFile).
func (i *Issuer) RotateSigningKey(ctx context.Context) (kid string, err error) {
	kid, err = i.keys.Rotate(ctx)
	if err != nil {
		return "", fmt.Errorf("issuer: RotateSigningKey: %w", err)
	}
	return kid, i.follow(ctx)
}
