package storetest_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/authtier/authtier/store"
)

// faultsOfKeys are what stores get wrong about API keys and secrets that are
// listed and replaced.
var faultsOfKeys = map[string]fault{
	"API keys in no order": {"Run/ListAPIKeys$", func(b *broken) {
		b.apiKeysOf = func(ctx context.Context, client string) ([]store.APIKey, error) {
			ks, err := b.Store.APIKeysOf(ctx, client)
			slices.Reverse(ks)
			return ks, err
		}
	}},
	"a last use of all that have the ID": {"Run/Touch$", func(b *broken) {
		b.touch = func(ctx context.Context, uses ...store.Use) error {
			for _, u := range slices.Clone(uses) {
				uses = append(uses, store.Use{Client: "c", ID: u.ID, At: u.At}, store.Use{Client: "d", ID: u.ID, At: u.At})
			}
			return b.Store.Touch(ctx, uses...)
		}
	}},
	"the use told last instead of the latest": {"Run/Touch$", func(b *broken) {
		b.touch = func(ctx context.Context, uses ...store.Use) error {
			for _, u := range uses {
				if err := b.resetUse(ctx, u); err != nil {
					return err
				}
			}
			return b.Store.Touch(ctx, uses...)
		}
	}},
	"a change for each use": {"Run/Touch$", func(b *broken) {
		b.touch = func(ctx context.Context, uses ...store.Use) error {
			err := b.Store.Touch(ctx, uses...)
			for _, u := range uses {
				err = errors.Join(err, b.Store.Revoke(ctx, store.Change{Kind: store.KindToken, ID: u.ID}))
			}
			return err
		}
	}},
	"a last use that outlives its key": {"Run/TouchGone$", func(b *broken) {
		used := map[store.Use]time.Time{}
		b.touch = func(ctx context.Context, uses ...store.Use) error {
			for _, u := range uses {
				used[store.Use{Client: u.Client, ID: u.ID}] = u.At
			}
			return b.Store.Touch(ctx, uses...)
		}
		b.secretsOf = func(ctx context.Context, client string) ([]store.Secret, error) {
			secrets, err := b.Store.SecretsOf(ctx, client)
			for n, s := range secrets {
				secrets[n].LastUsed = used[store.Use{Client: client, ID: s.ID}]
			}
			return secrets, err
		}
	}},
	"a replacement in two steps": {"Run/ReplaceAPIKeyConcurrent$", func(b *broken) {
		b.replace = func(ctx context.Context, id string, until time.Time, next store.APIKey) error {
			old, err := b.Store.APIKeyByID(ctx, id)
			if err != nil {
				return err
			}
			time.Sleep(time.Millisecond)
			if old.Expires = until; until.After(time.Now()) {
				err = b.Store.PutAPIKey(ctx, *old)
			} else {
				err = b.Store.Revoke(ctx, store.Change{Kind: store.KindAPIKey, ID: id})
			}
			return errors.Join(err, b.Store.PutAPIKey(ctx, next))
		}
	}},
	"a revoked key that its replacement revives": {"Run/ReplaceRevokedAPIKey$", func(b *broken) {
		b.replace = func(ctx context.Context, id string, until time.Time, next store.APIKey) error {
			old, err := b.Store.APIKeyByID(ctx, id)
			if err != nil {
				return err
			}
			time.Sleep(time.Millisecond)
			old.Expires = until
			return errors.Join(b.Store.PutAPIKey(ctx, *old), b.Store.PutAPIKey(ctx, next))
		}
	}},
	"an end that a later replacement moves": {"Run/ReplaceAPIKey$", func(b *broken) {
		b.replace = func(ctx context.Context, id string, until time.Time, next store.APIKey) error {
			if err := b.Store.ReplaceAPIKey(ctx, id, until, next); err != nil || !until.After(time.Now()) {
				return err
			}
			old, err := b.Store.APIKeyByID(ctx, id)
			if err == nil {
				old.Expires = until
				err = b.Store.PutAPIKey(ctx, *old)
			}
			return err
		}
	}},
	"a successor for another client": {"Run/ReplaceAPIKeyRefused$", func(b *broken) {
		b.replace = func(ctx context.Context, id string, until time.Time, next store.APIKey) error {
			if old, err := b.Store.APIKeyByID(ctx, id); err == nil {
				next.Client = old.Client
			}
			return b.Store.ReplaceAPIKey(ctx, id, until, next)
		}
	}},
	"a secret that another one overwrites": {"Run/AddSecretConcurrent$", func(b *broken) {
		b.addSecret = func(ctx context.Context, client string, s store.Secret, others time.Time) error {
			c, err := b.Store.Client(ctx, client)
			if err != nil {
				return err
			}
			time.Sleep(time.Millisecond)
			for n, old := range c.Secrets {
				if !others.IsZero() && (old.Expires.IsZero() || others.Before(old.Expires)) {
					c.Secrets[n].Expires = others
				}
			}
			c.Secrets = append(c.Secrets, s)
			return b.Store.PutClient(ctx, *c)
		}
	}},
	"a new secret that ends the client's tokens": {"Run/AddSecret$", func(b *broken) {
		b.addSecret = func(ctx context.Context, client string, s store.Secret, others time.Time) error {
			err := b.Store.AddSecret(ctx, client, s, others)
			return errors.Join(err, b.Store.Revoke(ctx, store.Change{Kind: store.KindClient, ID: client}))
		}
	}},
	"secrets that stay when they have expired": {"Run/AddSecret$", func(b *broken) {
		b.addSecret = func(ctx context.Context, client string, s store.Secret, others time.Time) error {
			c, err := b.Store.Client(ctx, client)
			if err != nil {
				return err
			}
			err = b.Store.AddSecret(ctx, client, s, others)
			for _, old := range c.Secrets {
				if old.ID != "" && !old.Expires.IsZero() && !old.Expires.After(time.Now()) {
					err = errors.Join(err, b.Store.AddSecret(ctx, client, old, time.Time{}))
				}
			}
			return err
		}
	}},
	"secrets deleted by an empty ID": {"Run/DeleteSecret$", func(b *broken) {
		b.delSecret = func(ctx context.Context, client, id string) error {
			c, err := b.Store.Client(ctx, client)
			if err != nil {
				return err
			}
			before := len(c.Secrets)
			c.Secrets = slices.DeleteFunc(c.Secrets, func(s store.Secret) bool { return s.ID == id })
			if len(c.Secrets) == before {
				return store.ErrNotFound
			}
			return b.Store.PutClient(ctx, *c)
		}
	}},
	"a deleted secret that caches keep": {"Run/DeleteSecret$", func(b *broken) {
		quiet := 0 // changes that are not told
		b.delSecret = func(ctx context.Context, client, id string) error {
			err := b.Store.DeleteSecret(ctx, client, id)
			if err == nil {
				quiet++
			}
			return err
		}
		b.since = func(ctx context.Context, c store.Cursor) ([]store.Change, store.Cursor, error) {
			cs, next, err := b.Store.Since(ctx, c)
			return cs[:max(0, len(cs)-quiet)], next, err
		}
	}},
}

// resetUse lets a key or secret never have been used.
func (b *broken) resetUse(ctx context.Context, u store.Use) error {
	if u.Client == "" {
		k, err := b.Store.APIKeyByID(ctx, u.ID)
		if err != nil {
			return nil
		}
		return errors.Join(b.Store.Revoke(ctx, store.Change{Kind: store.KindAPIKey, ID: u.ID}), b.Store.PutAPIKey(ctx, *k))
	}
	secrets, err := b.Store.SecretsOf(ctx, u.Client)
	if err != nil {
		return nil
	}
	for _, s := range secrets {
		if s.ID == u.ID && s.ID != "" {
			err = errors.Join(b.Store.DeleteSecret(ctx, u.Client, s.ID), b.Store.AddSecret(ctx, u.Client, s, time.Time{}))
		}
	}
	return err
}
