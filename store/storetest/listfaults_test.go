package storetest_test

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/authtier/authtier/store"
)

// faultsOfLists are faults in listings.
var faultsOfLists = map[string]fault{
	"a page that begins with the name given": {"Run/List$", func(b *broken) {
		b.listU = func(ctx context.Context, after string, limit int) ([]store.User, error) {
			us, err := b.Store.ListUsers(ctx, after, limit)
			if u, _ := b.Store.User(ctx, after); u != nil && limit > 1 {
				u.Password = ""
				us = append([]store.User{*u}, us[:min(len(us), limit-1)]...)
			}
			return us, err
		}
	}},
	"a cursor that must exist": {"Run/List$", func(b *broken) {
		b.listC = func(ctx context.Context, after string, limit int) ([]store.Client, error) {
			if _, err := b.Store.Client(ctx, after); after != "" && err != nil {
				return nil, nil
			}
			return b.Store.ListClients(ctx, after, limit)
		}
	}},
	"a limit that is ignored": {"Run/List$", func(b *broken) {
		b.listC = func(ctx context.Context, after string, limit int) ([]store.Client, error) {
			if limit >= 1 && limit <= 1000 {
				limit = 1000
			}
			return b.Store.ListClients(ctx, after, limit)
		}
	}},
	"any limit": {"Run/List$", func(b *broken) {
		b.listU = func(ctx context.Context, after string, limit int) ([]store.User, error) {
			return b.Store.ListUsers(ctx, after, min(max(limit, 1), 1000))
		}
	}},
	"an order without regard to case": {"Run/List$", func(b *broken) {
		b.listC = func(ctx context.Context, after string, limit int) ([]store.Client, error) {
			cs, err := b.Store.ListClients(ctx, after, limit)
			slices.SortFunc(cs, func(a, b store.Client) int {
				return cmp.Compare(strings.ToLower(a.ID), strings.ToLower(b.ID))
			})
			return cs, err
		}
	}},
	"an order of the first 254 bytes": {"Run/List$", func(b *broken) {
		b.listK = func(ctx context.Context, client, after string, limit int) ([]store.APIKey, error) {
			ks, err := b.Store.ListAPIKeys(ctx, client, after, limit)
			slices.Reverse(ks)
			slices.SortStableFunc(ks, func(a, b store.APIKey) int {
				return cmp.Compare(a.ID[:min(254, len(a.ID))], b.ID[:min(254, len(b.ID))])
			})
			return ks, err
		}
	}},
	"a listing of one client that is all of them": {"Run/List$", func(b *broken) {
		b.listK = func(ctx context.Context, _, after string, limit int) ([]store.APIKey, error) {
			return b.Store.ListAPIKeys(ctx, "", after, limit)
		}
	}},
	"a hash in a listing": {"Run/List$", func(b *broken) {
		b.listU = func(ctx context.Context, after string, limit int) ([]store.User, error) {
			us, err := b.Store.ListUsers(ctx, after, limit)
			for i := range us {
				if u, _ := b.Store.User(ctx, us[i].Login); u != nil {
					us[i].Password = u.Password
				}
			}
			return us, err
		}
	}},
	"a digest in a listing": {"Run/List$", func(b *broken) {
		b.listK = func(ctx context.Context, client, after string, limit int) ([]store.APIKey, error) {
			ks, err := b.Store.ListAPIKeys(ctx, client, after, limit)
			for i := range ks {
				ks[i].Digest = store.DigestOf("key " + ks[i].ID)
			}
			return ks, err
		}
	}},
	"a digest of a key by its ID": {"Run/List$", func(b *broken) {
		b.keyByID = func(ctx context.Context, id string) (*store.APIKey, error) {
			k, err := b.Store.APIKeyByID(ctx, id)
			if err == nil {
				k.Digest = store.DigestOf("key " + id)
			}
			return k, err
		}
	}},
	"digests of secrets with a listed client": {"Run/List$", func(b *broken) {
		b.listC = func(ctx context.Context, after string, limit int) ([]store.Client, error) {
			cs, err := b.Store.ListClients(ctx, after, limit)
			for i := range cs {
				if c, _ := b.Store.Client(ctx, cs[i].ID); c != nil {
					cs[i].Secrets = c.Secrets
				}
			}
			return cs, err
		}
	}},
	"digests of listed secrets": {"Run/ListSecrets$", func(b *broken) {
		b.secretsOf = func(ctx context.Context, client string) ([]store.Secret, error) {
			c, err := b.Store.Client(ctx, client)
			if err != nil {
				return nil, err
			}
			return c.Secrets, nil
		}
	}},
	"a client listed without its limits": {"Run/List$", func(b *broken) {
		b.listC = func(ctx context.Context, after string, limit int) ([]store.Client, error) {
			cs, err := b.Store.ListClients(ctx, after, limit)
			for i := range cs {
				cs[i].Grants = nil
			}
			return cs, err
		}
	}},
}
