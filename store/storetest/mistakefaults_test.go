package storetest_test

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/authtier/authtier/store"
)

// faultsOfMistakes are faults of stores that accept mistakes of their callers.
var faultsOfMistakes = map[string]fault{
	"a revocation of an unknown kind": {"Run/RevokeRefused$", func(b *broken) {
		b.revoke = func(ctx context.Context, cs ...store.Change) error {
			for i := range cs {
				if cs[i].Kind == 0 || cs[i].Kind > store.KindSigningKey {
					cs[i].Kind = store.KindToken
				}
			}
			return b.Store.Revoke(ctx, cs...)
		}
	}},
	"a revocation of nothing": {"Run/RevokeRefused$", func(b *broken) {
		b.revoke = func(ctx context.Context, cs ...store.Change) error {
			for _, c := range cs {
				if c.ID == "" {
					return nil
				}
			}
			return b.Store.Revoke(ctx, cs...)
		}
	}},
	"revocations before a bad one": {"Run/RevokeRefused$", func(b *broken) {
		b.revoke = func(ctx context.Context, cs ...store.Change) error {
			for _, c := range cs {
				if err := b.Store.Revoke(ctx, c); err != nil {
					return err
				}
			}
			return nil
		}
	}},
	"an end that is moved to a later time": {"Run/UpdateExpires$", func(b *broken) {
		later := map[string]time.Time{}
		b.upKey = func(ctx context.Context, id string, f func(*store.APIKey) error) error {
			return b.Store.UpdateAPIKey(ctx, id, func(k *store.APIKey) error {
				old := k.Expires
				err := f(k)
				if !old.IsZero() && k.Expires.After(old) {
					later[id], k.Expires = k.Expires, old
				}
				return err
			})
		}
		b.apiKey = func(ctx context.Context, d store.Digest) (*store.APIKey, error) {
			k, err := b.Store.APIKey(ctx, d)
			if err == nil && !later[k.ID].IsZero() {
				k.Expires = later[k.ID]
			}
			return k, err
		}
	}},
	"an end that stays in silence": {"Run/UpdateExpires$", func(b *broken) {
		b.upKey = func(ctx context.Context, id string, f func(*store.APIKey) error) error {
			return b.Store.UpdateAPIKey(ctx, id, func(k *store.APIKey) error {
				old := k.Expires
				err := f(k)
				if k.Expires.IsZero() {
					k.Expires = old
				}
				return err
			})
		}
	}},
	"an end that cannot be moved": {"Run/UpdateExpires$", func(b *broken) {
		b.upKey = func(ctx context.Context, id string, f func(*store.APIKey) error) error {
			return b.Store.UpdateAPIKey(ctx, id, func(k *store.APIKey) error {
				old := k.Expires
				if err := f(k); err != nil || old.IsZero() || k.Expires.Equal(old) {
					return err
				}
				return errors.New("Expires was changed")
			})
		}
	}},
	"a key of a scope that its client lacks": {"Run/ScopesOfClient$", func(b *broken) {
		b.newKeys = func(ctx context.Context, ks ...store.APIKey) error {
			return b.widened(ctx, ks[0], func() error { return b.Store.CreateAPIKeys(ctx, ks...) })
		}
	}},
	"a successor of a scope that its client lacks": {"Run/ScopesOfClient$", func(b *broken) {
		b.replace = func(ctx context.Context, id string, until time.Time, next store.APIKey) error {
			return b.widened(ctx, next, func() error { return b.Store.ReplaceAPIKey(ctx, id, until, next) })
		}
	}},
	"an update to a scope that the client lacks": {"Run/ScopesOfClient$", func(b *broken) {
		b.upKey = func(ctx context.Context, id string, f func(*store.APIKey) error) error {
			wanted := store.APIKey{Client: "c", Scopes: []string{"a", "b", "admin"}}
			return b.widened(ctx, wanted, func() error { return b.Store.UpdateAPIKey(ctx, id, f) })
		}
	}},
	"a scope that is dropped in silence": {"Run/ScopesOfClient$", func(b *broken) {
		b.newKeys = func(ctx context.Context, ks ...store.APIKey) error {
			err := b.Store.CreateAPIKeys(ctx, ks...)
			if err != nil && strings.Contains(err.Error(), "which its client lacks") {
				for i := range ks {
					ks[i].Scopes = nil
				}
				return b.Store.CreateAPIKeys(ctx, ks...)
			}
			return err
		}
	}},
	"a key of a narrowed client that cannot be replaced": {"Run/ScopesOfClient$", func(b *broken) {
		b.replace = func(ctx context.Context, id string, until time.Time, next store.APIKey) error {
			c, err := b.Store.Client(ctx, next.Client)
			if err == nil && len(c.Scopes) < len(next.Scopes)+1 {
				return errors.New("Scopes has admin")
			}
			return b.Store.ReplaceAPIKey(ctx, id, until, next)
		}
	}},
	"a zero until that means at once": {"Run/UntilZero$", func(b *broken) {
		b.replace = func(ctx context.Context, id string, until time.Time, next store.APIKey) error {
			if until.IsZero() {
				until = time.Now()
			}
			return b.Store.ReplaceAPIKey(ctx, id, until, next)
		}
	}},
	"a zero until that means never": {"Run/UntilZero$", func(b *broken) {
		b.newSecret = func(ctx context.Context, client string, s store.Secret, until time.Time) error {
			if until.IsZero() {
				return b.Store.AddSecret(ctx, client, s)
			}
			return b.Store.ReplaceSecrets(ctx, client, s, until)
		}
	}},
	"a key that has expired": {"Run/CreateExpired$", func(b *broken) {
		b.newKeys = func(ctx context.Context, ks ...store.APIKey) error {
			for i := range ks {
				if !ks[i].Expires.After(time.Now()) {
					ks[i].Expires = time.Time{}
				}
			}
			return b.Store.CreateAPIKeys(ctx, ks...)
		}
	}},
	"a secret that has expired": {"Run/CreateExpired$", func(b *broken) {
		b.addSecret = func(ctx context.Context, client string, s store.Secret) error {
			if !s.Expires.After(time.Now()) {
				return nil
			}
			return b.Store.AddSecret(ctx, client, s)
		}
	}},
	"any number of records": {"Run/CreateTooMany$", func(b *broken) {
		b.users = func(ctx context.Context, us ...store.User) error {
			if n := 10_000; len(us) > n {
				return errors.Join(b.Store.CreateUsers(ctx, us[:n]...), b.Store.CreateUsers(ctx, us[n:]...))
			}
			return b.Store.CreateUsers(ctx, us...)
		}
	}},
	"an empty hash": {"Run/Checked$", func(b *broken) {
		b.rehash = func(ctx context.Context, login, from, to string) error {
			if to == "" {
				return b.Store.SetPassword(ctx, login, to)
			}
			return b.Store.Rehash(ctx, login, from, to)
		}
	}},
	"a report of no days": {"Run/UsageRefused$", func(b *broken) {
		b.report = func(ctx context.Context, q store.Query) (*store.Report, error) {
			if q.To < q.From {
				return store.NewReport(nil, time.Now()), nil
			}
			return b.Store.Report(ctx, q)
		}
	}},
	"adjustments of no API": {"Run/UsageRefused$", func(b *broken) {
		b.adjusted = func(ctx context.Context, q store.Query) ([]store.Adjustment, error) {
			if q.API == "" {
				return nil, nil
			}
			return b.Store.Adjustments(ctx, q)
		}
	}},
	"an adjustment of no issuer": {"Run/UsageRefused$", func(b *broken) {
		b.adjust = func(ctx context.Context, a store.Adjustment) error {
			if a.Issuer == "" {
				a.Issuer = "none"
			}
			return b.Store.Adjust(ctx, a)
		}
	}},
	"an adjustment of no day": {"Run/UsageRefused$", func(b *broken) {
		b.adjust = func(ctx context.Context, a store.Adjustment) error {
			a.Day = min(a.Day, store.DayOf(time.Now()))
			return b.Store.Adjust(ctx, a)
		}
	}},
}

// widened calls f while the client of a key also has the key's scopes.
func (b *broken) widened(ctx context.Context, k store.APIKey, f func() error) error {
	c, err := b.Store.Client(ctx, k.Client)
	if err != nil {
		return f()
	}
	set := func(scopes []string) error {
		return b.Store.UpdateClient(ctx, k.Client, func(c *store.Client) error { c.Scopes = scopes; return nil })
	}
	return errors.Join(set(k.Scopes), f(), set(c.Scopes))
}
