package storetest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/authtier/authtier/store"
)

// faultsOfUpdates are faults in changing records.
var faultsOfUpdates = map[string]fault{
	"an update that overwrites another": {"Run/UpdateConcurrent$", func(b *broken) {
		b.upUser = func(ctx context.Context, login string, f func(*store.User) error) error {
			u, err := b.Store.User(ctx, login)
			if err != nil {
				return err
			}
			if err := f(u); err != nil {
				return err
			}
			time.Sleep(time.Millisecond)
			return b.Store.UpdateUser(ctx, login, func(now *store.User) error {
				u.Password, u.Version = now.Password, now.Version
				*now = *u
				return nil
			})
		}
	}},
	"an update that overwrites a password": {"Run/UpdateConcurrent$", func(b *broken) {
		b.upUser = func(ctx context.Context, login string, f func(*store.User) error) error {
			before, err := b.Store.User(ctx, login)
			if err != nil {
				return err
			}
			if err := b.Store.UpdateUser(ctx, login, f); err != nil {
				return err
			}
			time.Sleep(time.Millisecond)
			return b.Store.SetPassword(ctx, login, before.Password)
		}
	}},
	"an update of a key that overwrites another": {"RunShared/UpdateConcurrent$", func(b *broken) {
		b.upKey = func(ctx context.Context, id string, f func(*store.APIKey) error) error {
			k, err := b.Store.APIKeyByID(ctx, id)
			if err != nil {
				return err
			}
			if err := f(k); err != nil {
				return err
			}
			time.Sleep(time.Millisecond)
			return b.Store.UpdateAPIKey(ctx, id, func(now *store.APIKey) error {
				k.LastUsed = now.LastUsed
				*now = *k
				return nil
			})
		}
	}},
	"an update that does not begin again": {"Run/UpdateConflict$", func(b *broken) {
		b.upClient = func(ctx context.Context, id string, f func(*store.Client) error) error {
			calls := 0
			return b.Store.UpdateClient(ctx, id, func(c *store.Client) error {
				if calls++; calls > 1 {
					return store.ErrConflict
				}
				return f(c)
			})
		}
	}},
	"an update that never gives up": {"Run/UpdateConflict$", func(b *broken) {
		b.upUser = func(ctx context.Context, login string, f func(*store.User) error) error {
			for {
				if err := b.Store.UpdateUser(ctx, login, f); !errors.Is(err, store.ErrConflict) {
					return err
				}
			}
		}
	}},
	"an update that takes a stale copy again": {"Run/UpdateConflict$", func(b *broken) {
		b.upKey = func(ctx context.Context, id string, f func(*store.APIKey) error) error {
			var first *store.APIKey
			return b.Store.UpdateAPIKey(ctx, id, func(k *store.APIKey) error {
				if first == nil {
					copied := *k
					first = &copied
				}
				*k = *first
				return f(k)
			})
		}
	}},
	"an update that revives": {"Run/UpdateConflict$", func(b *broken) {
		b.upClient = func(ctx context.Context, id string, f func(*store.Client) error) error {
			err := b.Store.UpdateClient(ctx, id, f)
			if _, gone := b.Store.Client(ctx, id); errors.Is(err, store.ErrNotFound) && gone != nil && id == "c" {
				b.Store.CreateClient(ctx, store.Client{ID: id})
			}
			return err
		}
	}},
	"an update under a lock": {"Run/UpdateOutside$", func(b *broken) {
		var mu sync.Mutex
		b.upClient = func(ctx context.Context, id string, f func(*store.Client) error) error {
			if !mu.TryLock() {
				return errors.New("locked")
			}
			defer mu.Unlock()
			return b.Store.UpdateClient(ctx, id, f)
		}
	}},
	"a lock that a panic keeps": {"Run/UpdateOutside$", func(b *broken) {
		var mu sync.Mutex
		b.upUser = func(ctx context.Context, login string, f func(*store.User) error) error {
			if !mu.TryLock() {
				return errors.New("locked")
			}
			err := b.Store.UpdateUser(ctx, login, f)
			mu.Unlock()
			return err
		}
	}},
	"a panic that is swallowed": {"Run/UpdateOutside$", func(b *broken) {
		b.upKey = func(ctx context.Context, id string, f func(*store.APIKey) error) (err error) {
			defer func() {
				if recover() != nil {
					err = errors.New("a panic")
				}
			}()
			return b.Store.UpdateAPIKey(ctx, id, f)
		}
	}},
	"an error that does not stop an update": {"Run/UpdateRefused$", func(b *broken) {
		b.upUser = func(ctx context.Context, login string, f func(*store.User) error) error {
			var failed error
			err := b.Store.UpdateUser(ctx, login, func(u *store.User) error { failed = f(u); return nil })
			return errors.Join(failed, err)
		}
	}},
	"a fixed field that is put back in silence": {"Run/UpdateRefused$", func(b *broken) {
		b.upClient = func(ctx context.Context, id string, f func(*store.Client) error) error {
			return b.Store.UpdateClient(ctx, id, func(c *store.Client) error {
				before := *c
				before.Secrets = slices.Clone(c.Secrets)
				err := f(c)
				c.ID, c.Version, c.Secrets = before.ID, before.Version, before.Secrets
				return err
			})
		}
	}},
	"an update that is not checked": {"Run/UpdateRefused$", func(b *broken) {
		b.upKey = func(ctx context.Context, id string, f func(*store.APIKey) error) error {
			return b.Store.UpdateAPIKey(ctx, id, func(k *store.APIKey) error {
				before := *k
				err := f(k)
				if k.CheckUpdate(&before) != nil {
					k.Name, k.Addrs = before.Name, before.Addrs
				}
				return err
			})
		}
	}},
	"a digest that an update sees": {"Run/Update$", func(b *broken) {
		b.upKey = func(ctx context.Context, id string, f func(*store.APIKey) error) error {
			return b.Store.UpdateAPIKey(ctx, id, func(k *store.APIKey) error {
				k.Digest = store.DigestOf("any")
				err := f(k)
				k.Digest = store.Digest{}
				return err
			})
		}
	}},
	"a limit that an update loses": {"Run/Update$", func(b *broken) {
		b.upUser = func(ctx context.Context, login string, f func(*store.User) error) error {
			return b.Store.UpdateUser(ctx, login, func(u *store.User) error {
				err := f(u)
				u.LimitScopes = u.LimitScopes && len(u.Scopes) > 0
				return err
			})
		}
	}},
	"networks that are lost": {"Run/APIKeys$", func(b *broken) {
		b.newKeys = func(ctx context.Context, ks ...store.APIKey) error {
			for i := range ks {
				ks[i].Addrs = nil
			}
			return b.Store.CreateAPIKeys(ctx, ks...)
		}
	}},
	"a disabled user at the old version": {"Run/Versions$", func(b *broken) {
		versions := map[string]uint64{}
		b.users = func(ctx context.Context, us ...store.User) error {
			err := b.Store.CreateUsers(ctx, us...)
			u, readErr := b.Store.User(ctx, us[0].Login)
			if readErr == nil {
				versions[u.Login] = u.Version
			}
			return err
		}
		b.user = func(ctx context.Context, login string) (*store.User, error) {
			u, err := b.Store.User(ctx, login)
			if err == nil && u.Disabled {
				u.Version = versions[login]
			}
			return u, err
		}
	}},
	"a version for each update": {"Run/Versions$", func(b *broken) {
		b.upClient = func(ctx context.Context, id string, f func(*store.Client) error) error {
			err := b.Store.UpdateClient(ctx, id, f)
			return errors.Join(err, b.Store.Revoke(ctx, store.Change{Kind: store.KindClient, ID: id}))
		}
	}},
	"a change for a new record": {"Run/AdminChanges$", func(b *broken) {
		b.newKeys = func(ctx context.Context, ks ...store.APIKey) error {
			err := b.Store.CreateAPIKeys(ctx, ks...)
			return errors.Join(err, b.Store.Revoke(ctx, store.Change{Kind: store.KindToken, ID: "none"}))
		}
	}},
	"a change for an update of nothing": {"Run/AdminChanges$", func(b *broken) {
		b.upUser = func(ctx context.Context, login string, f func(*store.User) error) error {
			before, err := b.Store.User(ctx, login)
			if err != nil {
				return err
			}
			err = b.Store.UpdateUser(ctx, login, f)
			if after, _ := b.Store.User(ctx, login); after != nil && before.First == after.First && before.Disabled == after.Disabled {
				err = errors.Join(err, b.Store.Revoke(ctx, store.Change{Kind: store.KindToken, ID: "none"}))
			}
			return err
		}
	}},
	"a change of a key that is not told": {"Run/AdminChanges$", func(b *broken) {
		quiet := 0
		b.upKey = func(ctx context.Context, id string, f func(*store.APIKey) error) error {
			before, _ := b.Store.APIKeyByID(ctx, id)
			err := b.Store.UpdateAPIKey(ctx, id, f)
			if after, _ := b.Store.APIKeyByID(ctx, id); err == nil && !after.Expires.Equal(before.Expires) {
				quiet++
			}
			return err
		}
		b.since = func(ctx context.Context, c store.Cursor) ([]store.Change, store.Cursor, error) {
			cs, next, err := b.Store.Since(ctx, c)
			return cs[:max(0, len(cs)-quiet)], next, err
		}
	}},
	"a new password that deletes keys": {"Run/Owners$", func(b *broken) {
		b.password = func(ctx context.Context, login, hash string) error {
			return errors.Join(b.Store.SetPassword(ctx, login, hash), b.Store.Revoke(ctx, store.Change{Kind: store.KindUser, ID: login}))
		}
	}},
	"a disabled owner whose keys are deleted": {"Run/Owners$", func(b *broken) {
		b.upUser = func(ctx context.Context, login string, f func(*store.User) error) error {
			err := b.Store.UpdateUser(ctx, login, f)
			if u, _ := b.Store.User(ctx, login); u != nil && u.Disabled {
				err = errors.Join(err, b.Store.Revoke(ctx, store.Change{Kind: store.KindUser, ID: login}))
			}
			return err
		}
	}},
	"a deleted owner whose keys stay": {"Run/Owners$", func(b *broken) { b.delUser = b.disown }},
	"a revoked owner whose keys stay": {"Run/Owners$", func(b *broken) {
		b.revoke = func(ctx context.Context, cs ...store.Change) error {
			if len(cs) == 1 && cs[0].Kind == store.KindUser {
				return b.Store.SetPassword(ctx, cs[0].ID, "")
			}
			return b.Store.Revoke(ctx, cs...)
		}
	}},
	"keys whose end is not told": {"Run/Owners$", func(b *broken) {
		b.since = func(ctx context.Context, c store.Cursor) ([]store.Change, store.Cursor, error) {
			cs, next, err := b.Store.Since(ctx, c)
			return slices.DeleteFunc(cs, func(c store.Change) bool { return c.Kind == store.KindAPIKey }), next, err
		}
	}},
}

// disown removes the user as owner of all keys, and then deletes the user.
func (b *broken) disown(ctx context.Context, login string) error {
	ks, err := b.Store.ListAPIKeys(ctx, "", "", 1000)
	for _, k := range ks {
		if k.Owner == login {
			err = errors.Join(err, b.Store.UpdateAPIKey(ctx, k.ID, func(k *store.APIKey) error { k.Owner = ""; return nil }))
		}
	}
	return errors.Join(err, b.Store.DeleteUser(ctx, login))
}
