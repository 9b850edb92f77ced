package memory

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/record"
)

// Client implements [store.Clients].
func (s *Store) Client(ctx context.Context, id string) (*store.Client, error) {
	c, err := get(ctx, s, s.clients, id)
	if err != nil {
		return nil, err
	}
	record.UnshareClient(c)
	for n := range c.Secrets {
		// Only a Lister returns the last use.
		c.Secrets[n].LastUsed = time.Time{}
	}
	return c, nil
}

// CreateClient implements [store.Admin].
func (s *Store) CreateClient(ctx context.Context, c store.Client) error {
	if err := record.CheckClient(ctx, &c, s); err != nil {
		return err
	}
	return s.write(ctx, func() error {
		if _, ok := s.clients[c.ID]; ok {
			return record.Error("client", c.ID, store.ErrExists)
		}
		record.UnshareClient(&c)
		for n := range c.Secrets {
			if s.revoked.hasSecret(c.ID, &c.Secrets[n]) {
				return record.Error("secret", c.Secrets[n].ID, store.ErrRevoked)
			}
			c.Secrets[n].LastUsed = time.Time{}
		}

		c.Version = s.feed.version(store.KindClient, c.ID)
		s.clients[c.ID] = c
		return nil
	})
}

// UpdateClient implements [store.Admin].
func (s *Store) UpdateClient(ctx context.Context, id string, f func(*store.Client) error) error {
	read := func() (*store.Client, error) { return s.Client(ctx, id) }
	return record.Update(record.Clients, f, read, func(old, changed *store.Client) (stored bool, err error) {
		err = s.write(ctx, func() error {
			now, ok := s.clients[id]
			if !ok {
				return store.ErrNotFound
			}
			if stored = record.SameClient(&now, old); !stored {
				return nil
			}

			// Touch may have changed the times of the last use since old was read.
			changed.Secrets = now.Secrets
			s.clients[id] = *changed
			s.changed(store.Change{Kind: store.KindClient, ID: id, Version: now.Version}, changed.Disabled && !old.Disabled)
			return nil
		})
		return stored, err
	})
}

// changed adds the change of a client or user, with its version or with a higher one.
func (s *Store) changed(c store.Change, raise bool) {
	if raise {
		s.raise(c)
	} else {
		s.feed.append(c)
	}
}

// DeleteClient implements [store.Admin].
func (s *Store) DeleteClient(ctx context.Context, id string) error {
	return s.write(ctx, func() error {
		s.revoke(store.Change{Kind: store.KindClient, ID: id})
		s.revoked.addSecrets(id, s.clients[id].Secrets)
		delete(s.clients, id)
		s.revokeKeys(func(k *store.APIKey) bool { return k.Client == id })
		return nil
	})
}

// ListClients implements [store.Lister].
func (s *Store) ListClients(ctx context.Context, after string, limit int) ([]store.Client, error) {
	return list(ctx, s, after, limit, func() []string { return slices.Collect(maps.Keys(s.clients)) }, func(id string) store.Client {
		c := s.clients[id]
		record.UnshareClient(&c)
		hideDigests(c.Secrets)
		return c
	})
}

// list returns the records after a name, in the order of their names.
func list[T any](ctx context.Context, s *Store, after string, limit int, names func() []string, get func(name string) T) ([]T, error) {
	if err := record.CheckLimit(limit); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()

	all := slices.DeleteFunc(names(), func(name string) bool { return name <= after })
	slices.Sort(all)

	var page []T
	for _, name := range all[:min(limit, len(all))] {
		page = append(page, get(name))
	}
	return page, nil
}

func hideDigests(secrets []store.Secret) {
	for n := range secrets {
		secrets[n].Digest = store.Digest{}
	}
}
