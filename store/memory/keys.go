package memory

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/authtier/authtier/store"
)

var errNoID = errors.New("store: an API key or secret without an ID")

// PutAPIKey implements [store.Admin].
func (s *Store) PutAPIKey(ctx context.Context, k store.APIKey) error {
	if k.ID == "" {
		return errNoID
	}
	return s.write(ctx, func() error {
		s.putKey(k)
		return nil
	})
}

// putKey stores a key and enters the change.
func (s *Store) putKey(k store.APIKey) {
	old, _ := s.keyOf(k.ID)
	k.Scopes, k.LastUsed = slices.Clone(k.Scopes), old.LastUsed
	s.revoke(store.Change{Kind: store.KindAPIKey, ID: k.ID})
	if before, ok := s.keys[k.Digest]; ok {
		s.revoke(store.Change{Kind: store.KindAPIKey, ID: before.ID})
	}
	s.keys[k.Digest], s.keyByID[k.ID] = k, k.Digest
}

// keyOf returns the key with that ID.
func (s *Store) keyOf(id string) (store.APIKey, bool) {
	d, ok := s.keyByID[id]
	return s.keys[d], ok
}

func (s *Store) deleteKey(id string) {
	if k, ok := s.keyOf(id); ok {
		delete(s.keys, k.Digest)
		delete(s.keyByID, id)
	}
}

// APIKeyByID implements [store.Lister].
func (s *Store) APIKeyByID(ctx context.Context, id string) (*store.APIKey, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, ok := s.keyOf(id)
	if !ok {
		return nil, store.ErrNotFound
	}
	k.Scopes = slices.Clone(k.Scopes)
	return &k, nil
}

// APIKeysOf implements [store.Lister].
func (s *Store) APIKeysOf(ctx context.Context, client string) ([]store.APIKey, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var ks []store.APIKey
	for _, k := range s.keys {
		if k.Client == client {
			k.Scopes = slices.Clone(k.Scopes)
			ks = append(ks, k)
		}
	}
	slices.SortFunc(ks, func(a, b store.APIKey) int { return cmp.Compare(a.ID, b.ID) })
	return ks, nil
}

// SecretsOf implements [store.Lister].
func (s *Store) SecretsOf(ctx context.Context, client string) ([]store.Secret, error) {
	c, err := get(ctx, s, s.clients, client)
	if err != nil {
		return nil, err
	}
	return slices.Clone(c.Secrets), nil
}

// ReplaceAPIKey implements [store.Rotator].
func (s *Store) ReplaceAPIKey(ctx context.Context, id string, until time.Time, next store.APIKey) error {
	if next.ID == "" {
		return errNoID
	}
	return s.write(ctx, func() error {
		old, ok := s.keyOf(id)
		_, taken := s.keys[next.Digest]
		switch {
		case !ok || old.Client != next.Client:
			return store.ErrNotFound
		case next.ID == id || taken:
			return errors.New("store: an API key cannot replace itself or another")
		}
		old.Expires = sooner(old.Expires, until)
		s.revoke(store.Change{Kind: store.KindAPIKey, ID: id})
		if old.Expires.After(time.Now()) {
			s.keys[old.Digest], s.keyByID[id] = old, old.Digest
		}
		s.putKey(next)
		return nil
	})
}

// AddSecret implements [store.Rotator].
func (s *Store) AddSecret(ctx context.Context, client string, added store.Secret, others time.Time) error {
	if added.ID == "" {
		return errNoID
	}
	return s.changeSecrets(ctx, client, func(secrets []store.Secret) ([]store.Secret, error) {
		now := time.Now()
		added.LastUsed = lastUsed(secrets, added.ID)
		kept := slices.DeleteFunc(secrets, func(old store.Secret) bool { return old.ID == added.ID })
		for n := range kept {
			if !others.IsZero() {
				kept[n].Expires = sooner(kept[n].Expires, others)
			}
		}
		kept = slices.DeleteFunc(kept, func(old store.Secret) bool { return !old.Expires.IsZero() && !old.Expires.After(now) })
		return append(kept, added), nil
	})
}

// DeleteSecret implements [store.Rotator].
func (s *Store) DeleteSecret(ctx context.Context, client, id string) error {
	return s.changeSecrets(ctx, client, func(secrets []store.Secret) ([]store.Secret, error) {
		rest := slices.DeleteFunc(slices.Clone(secrets), func(old store.Secret) bool { return id != "" && old.ID == id })
		if len(rest) == len(secrets) {
			return nil, store.ErrNotFound
		}
		return rest, nil
	})
}

// changeSecrets puts what f returns in the place of a client's secrets, of which
// it gets a copy.
func (s *Store) changeSecrets(ctx context.Context, client string, f func([]store.Secret) ([]store.Secret, error)) error {
	return s.write(ctx, func() error {
		c, ok := s.clients[client]
		if !ok {
			return store.ErrNotFound
		}
		secrets, err := f(slices.Clone(c.Secrets))
		if err != nil {
			return err
		}
		c.Secrets = secrets
		s.clients[client] = c
		s.feed.append(store.Change{Kind: store.KindClient, ID: client, Version: c.Version})
		return nil
	})
}

// Touch implements [store.Toucher].
func (s *Store) Touch(ctx context.Context, uses ...store.Use) error {
	return s.write(ctx, func() error {
		for _, u := range uses {
			s.touch(u)
		}
		return nil
	})
}

func (s *Store) touch(u store.Use) {
	if u.Client == "" {
		if k, ok := s.keyOf(u.ID); ok {
			k.LastUsed = later(k.LastUsed, u.At)
			s.keys[k.Digest] = k
		}
		return
	}
	c, ok := s.clients[u.Client]
	n := slices.IndexFunc(c.Secrets, func(secret store.Secret) bool { return u.ID != "" && secret.ID == u.ID })
	if !ok || n < 0 {
		return
	}
	c.Secrets = slices.Clone(c.Secrets) // readers have the old ones
	c.Secrets[n].LastUsed = later(c.Secrets[n].LastUsed, u.At)
	s.clients[u.Client] = c
}

// lastUsed returns when the secret with that ID was used last.
func lastUsed(secrets []store.Secret, id string) time.Time {
	for _, secret := range secrets {
		if id != "" && secret.ID == id {
			return secret.LastUsed
		}
	}
	return time.Time{}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// sooner returns the earlier of two ends, where the first is never if zero.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
