package storetest_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/authtier/authtier/store"
)

// faultsOfKeys are faults in listing and replacing API keys and secrets.
var faultsOfKeys = map[string]fault{
	"API keys in no order": {"Run/ListAPIKeys$", func(b *broken) {
		b.listK = func(ctx context.Context, client, after string, limit int) ([]store.APIKey, error) {
			ks, err := b.Store.ListAPIKeys(ctx, client, after, limit)
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
		used := map[string]time.Time{}
		b.touch = func(ctx context.Context, uses ...store.Use) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			for _, u := range uses {
				if u.Client == "" {
					used[u.ID] = u.At
				}
			}
			return b.Store.Touch(ctx, uses...)
		}
		b.keyByID = func(ctx context.Context, id string) (*store.APIKey, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			k, err := b.Store.APIKeyByID(ctx, id)
			if err == nil {
				k.LastUsed = used[id]
			}
			return k, err
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
			if until.After(time.Now()) {
				err = b.expire(ctx, old.ID, until)
			} else {
				err = b.Store.Revoke(ctx, store.Change{Kind: store.KindAPIKey, ID: id})
			}
			return errors.Join(err, b.Store.CreateAPIKeys(ctx, next))
		}
	}},
	"a revoked key that has an heir": {"Run/ReplaceRevokedAPIKey$", func(b *broken) {
		b.replace = func(ctx context.Context, id string, until time.Time, next store.APIKey) error {
			if _, err := b.Store.APIKeyByID(ctx, id); err != nil {
				return err
			}
			time.Sleep(time.Millisecond)
			return errors.Join(b.Store.CreateAPIKeys(ctx, next), b.expire(ctx, id, until))
		}
	}},
	"an end that a later replacement moves": {"Run/ReplaceAPIKey$", func(b *broken) {
		b.replace = func(ctx context.Context, id string, until time.Time, next store.APIKey) error {
			if err := b.Store.ReplaceAPIKey(ctx, id, until, next); err != nil || !until.After(time.Now()) {
				return err
			}
			return b.expire(ctx, id, until)
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
	"secrets that are added in two steps": {"Run/ReplaceSecretsConcurrent$", func(b *broken) {
		b.newSecret = func(ctx context.Context, client string, s store.Secret, others time.Time) error {
			c, err := b.Store.Client(ctx, client)
			if err != nil {
				return err
			}
			if len(c.Secrets) == 0 {
				// By now, all other callers have read the same.
				time.Sleep(100 * time.Millisecond)
				return b.Store.AddSecret(ctx, client, s)
			}
			return b.Store.ReplaceSecrets(ctx, client, s, others)
		}
	}},
	"a new secret that ends the client's tokens": {"Run/AddSecret$", func(b *broken) {
		b.addSecret = func(ctx context.Context, client string, s store.Secret) error {
			err := b.Store.AddSecret(ctx, client, s)
			return errors.Join(err, b.Store.Revoke(ctx, store.Change{Kind: store.KindClient, ID: client}))
		}
	}},
	"secrets that stay when they have expired": {"Run/AddSecret$", func(b *broken) {
		ended := map[string][]store.Secret{}
		b.addSecret = func(ctx context.Context, client string, s store.Secret) error {
			c, err := b.Store.Client(ctx, client)
			if err != nil {
				return err
			}
			for _, old := range c.Secrets {
				if !old.Expires.IsZero() && !old.Expires.After(time.Now()) {
					ended[client] = append(ended[client], old)
				}
			}
			return b.Store.AddSecret(ctx, client, s)
		}
		b.client = func(ctx context.Context, id string) (*store.Client, error) {
			c, err := b.Store.Client(ctx, id)
			if err == nil {
				c.Secrets = append(c.Secrets, ended[id]...)
			}
			return c, err
		}
	}},
	"new secrets that end no other": {"Run/ReplaceSecrets$", func(b *broken) {
		b.newSecret = func(ctx context.Context, client string, s store.Secret, until time.Time) error {
			return b.Store.AddSecret(ctx, client, s)
		}
	}},
	"a new secret that ends others": {"Run/AddSecret$", func(b *broken) {
		b.addSecret = func(ctx context.Context, client string, s store.Secret) error {
			return b.Store.ReplaceSecrets(ctx, client, s, time.Now().Add(time.Hour))
		}
	}},
	"any secret deleted by an empty ID": {"Run/DeleteSecret$", func(b *broken) {
		b.delSecret = func(ctx context.Context, client, id string) error {
			secrets, err := b.Store.SecretsOf(ctx, client)
			if err == nil && id == "" && len(secrets) > 0 {
				id = secrets[0].ID
			}
			return b.Store.DeleteSecret(ctx, client, id)
		}
	}},
	"a deleted secret that caches keep": {"Run/DeleteSecret$", func(b *broken) {
		quiet := 0 // the number of changes that are hidden
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

// expire lets a key expire at a time.
func (b *broken) expire(ctx context.Context, id string, at time.Time) error {
	return b.Store.UpdateAPIKey(ctx, id, func(k *store.APIKey) error { k.Expires = at; return nil })
}
