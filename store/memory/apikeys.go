package memory

import (
	"context"
	"slices"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/record"
)

// APIKey implements [store.APIKeys].
func (s *Store) APIKey(ctx context.Context, d store.Digest) (*store.APIKey, error) {
	k, err := get(ctx, s, s.keys, d)
	if err != nil {
		return nil, err
	}
	record.UnshareAPIKey(k)
	k.LastUsed = time.Time{}
	return k, nil
}

// CreateAPIKeys implements [store.Admin].
func (s *Store) CreateAPIKeys(ctx context.Context, ks ...store.APIKey) error {
	if err := record.CheckAPIKeys(ctx, ks, s); err != nil {
		return err
	}
	return s.write(ctx, func() error {
		for i := range ks {
			// All keys are checked first, because all are stored or none.
			c, ok := s.clients[ks[i].Client]
			if !ok {
				return record.Error("client of API key", ks[i].ID, store.ErrNotFound)
			}
			if err := record.CheckScopes(&ks[i], c.Scopes, nil); err != nil {
				return err
			}
			if err := s.mayCreate(&ks[i]); err != nil {
				return err
			}
		}

		for _, k := range ks {
			s.createKey(k)
		}
		return nil
	})
}

// mayCreate returns an error if a key of that ID or digest exists or was revoked.
func (s *Store) mayCreate(k *store.APIKey) error {
	_, known := s.keyByID[k.ID]
	if _, taken := s.keys[k.Digest]; known || taken {
		return record.Error("API key", k.ID, store.ErrExists)
	}
	if s.revoked.hasKey(k) {
		return record.Error("API key", k.ID, store.ErrRevoked)
	}
	return nil
}

func (s *Store) createKey(k store.APIKey) {
	record.UnshareAPIKey(&k)
	k.LastUsed = time.Time{}
	s.keys[k.Digest], s.keyByID[k.ID] = k, k.Digest
}

// UpdateAPIKey implements [store.Admin].
func (s *Store) UpdateAPIKey(ctx context.Context, id string, f func(*store.APIKey) error) error {
	read := func() (*store.APIKey, error) { return s.APIKeyByID(ctx, id) }
	return record.Update(record.APIKeys, f, read, func(old, changed *store.APIKey) (stored bool, err error) {
		err = s.write(ctx, func() error {
			now, ok := s.keyOf(id)
			if !ok {
				return store.ErrNotFound
			}
			// old has no digest, because f must not see it.
			digest := now.Digest
			now.Digest = store.Digest{}
			if stored = record.SameAPIKey(&now, old); !stored {
				return nil
			}
			if err := record.CheckScopes(changed, s.clients[now.Client].Scopes, old); err != nil {
				return err
			}

			// Touch may have changed the last use since old was read.
			changed.Digest, changed.LastUsed = digest, now.LastUsed
			s.keys[digest] = *changed
			s.feed.append(store.Change{Kind: store.KindAPIKey, ID: id})
			return nil
		})
		return stored, err
	})
}

// keyOf returns the key with that ID.
func (s *Store) keyOf(id string) (store.APIKey, bool) {
	d, ok := s.keyByID[id]
	return s.keys[d], ok
}

// buryKey deletes the key with that ID, if there is one, and keeps its tombstones.
func (s *Store) buryKey(id string) {
	s.revoked.keyIDs[id] = true
	if d, ok := s.keyByID[id]; ok {
		s.revoked.keys[d] = true
		delete(s.keys, d)
		delete(s.keyByID, id)
	}
}

// revokeKeys revokes the keys that match, in the order of their IDs.
func (s *Store) revokeKeys(match func(*store.APIKey) bool) {
	var ids []string
	for _, k := range s.keys {
		if match(&k) {
			ids = append(ids, k.ID)
		}
	}

	slices.Sort(ids)
	for _, id := range ids {
		s.revoke(store.Change{Kind: store.KindAPIKey, ID: id})
	}
}

// APIKeyByID implements [store.Lister].
func (s *Store) APIKeyByID(ctx context.Context, id string) (*store.APIKey, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()

	if _, ok := s.keyByID[id]; !ok {
		return nil, store.ErrNotFound
	}
	k := s.listedKey(id)
	return &k, nil
}

// ListAPIKeys implements [store.Lister].
func (s *Store) ListAPIKeys(ctx context.Context, client, after string, limit int) ([]store.APIKey, error) {
	names := func() (ids []string) {
		for _, k := range s.keys {
			if client == "" || k.Client == client {
				ids = append(ids, k.ID)
			}
		}
		return ids
	}
	return list(ctx, s, after, limit, names, s.listedKey)
}

// listedKey returns a key as a [store.Lister] does.
func (s *Store) listedKey(id string) store.APIKey {
	k, _ := s.keyOf(id)
	record.UnshareAPIKey(&k)
	k.Digest = store.Digest{}
	return k
}

// ReplaceAPIKey implements [store.Rotator].
func (s *Store) ReplaceAPIKey(ctx context.Context, id string, until time.Time, next store.APIKey) error {
	if err := record.CheckReplace(until, &next); err != nil {
		return err
	}
	return s.write(ctx, func() error {
		old, ok := s.keyOf(id)
		if !ok || old.Client != next.Client {
			return store.ErrNotFound
		}
		if err := s.mayCreate(&next); err != nil {
			return err
		}
		if err := record.CheckScopes(&next, s.clients[next.Client].Scopes, &old); err != nil {
			return err
		}

		// A key whose time has come is revoked, which keeps its tombstones.
		change := store.Change{Kind: store.KindAPIKey, ID: id}
		if old.Expires = record.Sooner(old.Expires, until); old.Expires.After(time.Now()) {
			s.keys[old.Digest] = old
			s.feed.append(change)
		} else {
			s.revoke(change)
		}
		s.createKey(next)
		return nil
	})
}
