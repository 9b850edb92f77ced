package storetest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/authtier/authtier/store"
)

// faultsOfChecks are faults of stores that accept invalid records.
var faultsOfChecks = map[string]fault{
	"a plain password that is stored": {"Run/Checked$", func(b *broken) {
		plain := map[string]string{}
		b.password = func(ctx context.Context, login, hash string) error {
			err := b.Store.SetPassword(ctx, login, hash)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				plain[login] = hash
			}
			return err
		}
		b.user = func(ctx context.Context, login string) (*store.User, error) {
			u, err := b.Store.User(ctx, login)
			if err == nil && plain[login] != "" {
				u.Password = plain[login]
			}
			return u, err
		}
	}},
	"a password in an error": {"Run/Checked$", func(b *broken) {
		b.users = func(ctx context.Context, us ...store.User) error {
			if err := b.Store.CreateUsers(ctx, us...); err != nil {
				return fmt.Errorf("%w: Login Password Scopes First %q", err, us[len(us)-1].Password)
			}
			return nil
		}
	}},
	"a rehash that is not checked": {"Run/Checked$", func(b *broken) {
		b.rehash = func(ctx context.Context, login, from, to string) error {
			if !strings.HasPrefix(to, "$") {
				return nil
			}
			return b.Store.Rehash(ctx, login, from, to)
		}
	}},
	"a bad client that is mended": {"Run/Checked$", func(b *broken) {
		b.create = func(ctx context.Context, c store.Client) error {
			if c.Check() != nil {
				c = store.Client{ID: c.ID}
			}
			return b.Store.CreateClient(ctx, c)
		}
	}},
	"good records of a bad batch": {"Run/Checked$", func(b *broken) {
		b.newKeys = func(ctx context.Context, ks ...store.APIKey) error {
			err := b.Store.CreateAPIKeys(ctx, ks...)
			for _, k := range ks {
				if err != nil && k.Check() == nil {
					b.Store.CreateAPIKeys(ctx, k)
				}
			}
			return err
		}
	}},
	"tokens that are not checked": {"Run/Checked$", func(b *broken) {
		b.putTokens = func(ctx context.Context, ts ...store.Token) error {
			for i := range ts {
				if ts[i].Client == "" {
					ts[i].Client = "none"
				}
			}
			return b.Store.PutTokens(ctx, ts...)
		}
	}},
	"a rotation whose successors are not checked": {"Run/Checked$", func(b *broken) {
		b.rotate = func(ctx context.Context, old store.Digest, client string, now time.Time, grace time.Duration, next ...store.Token) error {
			return errors.Join(b.Store.RotateRefreshToken(ctx, old, client, now, grace), b.Store.PutTokens(ctx, next...))
		}
	}},
	"sessions that are not checked": {"Run/Checked$", func(b *broken) {
		b.login = func(ctx context.Context, n store.Session) error {
			if n.User == "" {
				n.User = "nobody"
			}
			return b.Store.PutSession(ctx, n)
		}
	}},
	"signing keys that are not checked": {"Run/Checked$", func(b *broken) {
		b.putKeys = func(ctx context.Context, ks ...store.SigningKey) error {
			for i := range ks {
				ks[i].Sealed = append(ks[i].Sealed, 0)
			}
			return b.Store.PutSigningKeys(ctx, ks...)
		}
	}},
}
