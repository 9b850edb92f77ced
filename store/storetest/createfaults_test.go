package storetest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/authtier/authtier/store"
)

// faultsOfCreating are faults in creating records, including records that can never be
// created again.
var faultsOfCreating = map[string]fault{
	"a client that is overwritten": {"Run/CreateExists$", func(b *broken) {
		b.create = func(ctx context.Context, c store.Client) error {
			err := b.Store.CreateClient(ctx, c)
			if errors.Is(err, store.ErrExists) {
				return b.Store.UpdateClient(ctx, c.ID, func(old *store.Client) error { old.Scopes = c.Scopes; return nil })
			}
			return err
		}
	}},
	"a user who is overwritten": {"Run/CreateExists$", func(b *broken) {
		b.users = func(ctx context.Context, us ...store.User) error {
			err := b.Store.CreateUsers(ctx, us...)
			if errors.Is(err, store.ErrExists) {
				return errors.Join(b.Store.SetPassword(ctx, us[0].Login, us[0].Password), err)
			}
			return err
		}
	}},
	"a new key that is none and no error": {"Run/CreateExists$", func(b *broken) {
		b.newKeys = func(ctx context.Context, ks ...store.APIKey) error {
			if err := b.Store.CreateAPIKeys(ctx, ks...); !errors.Is(err, store.ErrExists) {
				return err
			}
			return nil
		}
	}},
	"a creation in two steps": {"Run/CreateConcurrent$", func(b *broken) {
		b.create = func(ctx context.Context, c store.Client) error {
			if _, err := b.Store.Client(ctx, c.ID); err == nil {
				return store.ErrExists
			}
			time.Sleep(time.Millisecond)
			if err := b.Store.CreateClient(ctx, c); !errors.Is(err, store.ErrExists) {
				return err
			}
			return nil
		}
	}},
	"a batch in part": {"Run/CreateTogether$", func(b *broken) {
		b.users = func(ctx context.Context, us ...store.User) error {
			for _, u := range us {
				if err := b.Store.CreateUsers(ctx, u); err != nil {
					return err
				}
			}
			return nil
		}
	}},
	"a batch of keys in part": {"Run/CreateTogether$", func(b *broken) {
		b.newKeys = func(ctx context.Context, ks ...store.APIKey) error {
			for _, k := range ks {
				if err := b.Store.CreateAPIKeys(ctx, k); err != nil {
					return err
				}
			}
			return nil
		}
	}},
	"a batch that does not say which": {"Run/CreateTogether$", func(b *broken) {
		b.newKeys = func(ctx context.Context, ks ...store.APIKey) error {
			if err := b.Store.CreateAPIKeys(ctx, ks...); errors.Is(err, store.ErrRevoked) {
				return store.ErrRevoked
			} else {
				return err
			}
		}
	}},
	"a digest twice in a batch": {"Run/CreateTogether$", func(b *broken) {
		b.newKeys = func(ctx context.Context, ks ...store.APIKey) error {
			seen := map[store.Digest]bool{}
			ks = slices.DeleteFunc(slices.Clone(ks), func(k store.APIKey) bool {
				twice := seen[k.Digest] && k.ID == "twin"
				seen[k.Digest] = true
				return twice
			})
			return b.Store.CreateAPIKeys(ctx, ks...)
		}
	}},
	"a key of no client": {"Run/Missing$", func(b *broken) {
		b.newKeys = func(ctx context.Context, ks ...store.APIKey) error {
			for _, k := range ks {
				if err := b.Store.CreateClient(ctx, store.Client{ID: k.Client}); err != nil && !errors.Is(err, store.ErrExists) {
					return err
				}
			}
			return b.Store.CreateAPIKeys(ctx, ks...)
		}
	}},
	"the first thousand of a batch": {"Run/CreateMany$", func(b *broken) {
		b.newKeys = func(ctx context.Context, ks ...store.APIKey) error {
			return b.Store.CreateAPIKeys(ctx, ks[:min(len(ks), 1000)]...)
		}
	}},
	"a revoked key by its ID": {"Run/CreateRevokedKey$", func(b *broken) { revive(b, func(k store.APIKey) string { return k.ID }) }},
	"a revoked key by its digest": {"Run/CreateRevokedKey$", func(b *broken) {
		revive(b, func(k store.APIKey) string { return fmt.Sprintf("%x", k.Digest) })
	}},
	"a key that its client's deletion does not bury": {"Run/CreateRevokedKey$", func(b *broken) {
		b.delClient = func(ctx context.Context, id string) error {
			ks, err := b.Store.ListAPIKeys(ctx, id, "", 1000)
			if err != nil {
				return err
			}
			for _, k := range ks {
				unburied.Store(b, k.ID)
			}
			return b.Store.DeleteClient(ctx, id)
		}
		reviveUnburied(b)
	}},
	"a replaced key that is not buried": {"Run/CreateRevokedKey$", func(b *broken) {
		b.replace = func(ctx context.Context, id string, until time.Time, next store.APIKey) error {
			if !until.After(time.Now()) {
				unburied.Store(b, id)
			}
			return b.Store.ReplaceAPIKey(ctx, id, until, next)
		}
		reviveUnburied(b)
	}},
	"a tombstone that is swept": {"Run/CreateRevokedKey$", func(b *broken) {
		b.sweep = func(ctx context.Context, now time.Time) error {
			unburied.Store(b, "revoked")
			return b.Store.Sweep(ctx, now)
		}
		reviveUnburied(b)
	}},
	"an unknown key that is revoked in vain": {"Run/CreateRevokedKey$", func(b *broken) {
		b.revoke = func(ctx context.Context, cs ...store.Change) error {
			for _, c := range cs {
				if _, err := b.Store.APIKeyByID(ctx, c.ID); c.Kind == store.KindAPIKey && err != nil {
					return nil
				}
			}
			return b.Store.Revoke(ctx, cs...)
		}
	}},
	"a deleted secret that comes back": {"Run/CreateRevokedSecret$", func(b *broken) {
		b.addSecret = func(ctx context.Context, client string, s store.Secret) error {
			if err := b.Store.AddSecret(ctx, client, s); !errors.Is(err, store.ErrRevoked) {
				return err
			}
			return nil
		}
	}},
	"a secret that returns with its client": {"Run/CreateRevokedSecret$", func(b *broken) {
		b.create = func(ctx context.Context, c store.Client) error {
			if err := b.Store.CreateClient(ctx, c); !errors.Is(err, store.ErrRevoked) {
				return err
			}
			c.Secrets = nil
			return b.Store.CreateClient(ctx, c)
		}
	}},
	"a secret that is dead for every client": {"Run/CreateRevokedSecret$", func(b *broken) {
		dead := map[store.Digest]bool{}
		b.delClient = func(ctx context.Context, id string) error {
			c, err := b.Store.Client(ctx, id)
			if err != nil {
				return err
			}
			for _, s := range c.Secrets {
				dead[s.Digest] = true
			}
			return b.Store.DeleteClient(ctx, id)
		}
		b.create = func(ctx context.Context, c store.Client) error {
			if slices.ContainsFunc(c.Secrets, func(s store.Secret) bool { return dead[s.Digest] }) {
				return store.ErrRevoked
			}
			return b.Store.CreateClient(ctx, c)
		}
	}},
	"a key that is revived while it is revoked": {"RunShared/CreateWhileRevoking$", func(b *broken) {
		b.newKeys = func(ctx context.Context, ks ...store.APIKey) error {
			err := b.Store.CreateAPIKeys(ctx, ks...)
			if errors.Is(err, store.ErrRevoked) {
				ks[0].ID += "x"
				ks[0].Digest[0]++
				err = b.Store.CreateAPIKeys(ctx, ks...)
			}
			return err
		}
	}},
}

// revive lets a name of a revoked key be used again.
func revive(b *broken, name func(store.APIKey) string) {
	seen := map[string]bool{}
	b.newKeys = func(ctx context.Context, ks ...store.APIKey) error {
		err := b.Store.CreateAPIKeys(ctx, ks...)
		if errors.Is(err, store.ErrRevoked) && !seen[name(ks[0])] {
			return nil
		}
		for _, k := range ks {
			seen[name(k)] = true
		}
		return err
	}
}

// unburied holds the IDs of keys that a broken store lets be created again.
var unburied sync.Map

func reviveUnburied(b *broken) {
	b.newKeys = func(ctx context.Context, ks ...store.APIKey) error {
		err := b.Store.CreateAPIKeys(ctx, ks...)
		if id, ok := unburied.Load(b); ok && errors.Is(err, store.ErrRevoked) && ks[0].ID == id {
			return nil
		}
		return err
	}
}
