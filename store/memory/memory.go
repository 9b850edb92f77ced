// Package memory is a [store.Store] that lives as long as its process: for
// tests, demonstrations and servers that may forget.
package memory

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/authtier/authtier/store"
)

// A Store keeps everything in maps. Its methods may be called concurrently.
type Store struct {
	mu       sync.RWMutex
	clients  map[string]store.Client
	users    map[string]store.User
	keys     map[store.Digest]store.APIKey
	tokens   map[store.Digest]*token
	sessions map[store.Digest]store.Session
	signing  map[[2]string]store.SigningKey // by set and ID
	keyByID  map[string]store.Digest        // of API keys
	sweepAt  int                            // number of records at which they are swept

	feed  feed
	usage usage
}

var _ store.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store {
	return &Store{
		clients:  map[string]store.Client{},
		users:    map[string]store.User{},
		keys:     map[store.Digest]store.APIKey{},
		tokens:   map[store.Digest]*token{},
		sessions: map[store.Digest]store.Session{},
		signing:  map[[2]string]store.SigningKey{},
		keyByID:  map[string]store.Digest{},
		sweepAt:  minSweep,
		feed:     newFeed(),
		usage:    newUsage(),
	}
}

// get returns a copy of the record under key.
func get[K comparable, V any](ctx context.Context, s *Store, m map[K]V, key K) (*V, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	v, ok := m[key]
	if !ok {
		return nil, store.ErrNotFound
	}
	return &v, nil
}

// write runs f alone, unless ctx has ended.
func (s *Store) write(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return f()
}

// Client implements [store.Clients].
func (s *Store) Client(ctx context.Context, id string) (*store.Client, error) {
	c, err := get(ctx, s, s.clients, id)
	if err != nil {
		return nil, err
	}
	*c = cloneClient(*c)
	for n := range c.Secrets {
		c.Secrets[n].LastUsed = time.Time{}
	}
	return c, nil
}

// User implements [store.Users].
func (s *Store) User(ctx context.Context, login string) (*store.User, error) {
	return get(ctx, s, s.users, login)
}

// APIKey implements [store.APIKeys].
func (s *Store) APIKey(ctx context.Context, d store.Digest) (*store.APIKey, error) {
	k, err := get(ctx, s, s.keys, d)
	if err != nil {
		return nil, err
	}
	k.Scopes, k.LastUsed = slices.Clone(k.Scopes), time.Time{}
	return k, nil
}

// PutClient implements [store.Admin].
func (s *Store) PutClient(ctx context.Context, c store.Client) error {
	return s.write(ctx, func() error {
		c = cloneClient(c)
		for n := range c.Secrets {
			c.Secrets[n].LastUsed = lastUsed(s.clients[c.ID].Secrets, c.Secrets[n].ID)
		}
		change := store.Change{Kind: store.KindClient, ID: c.ID, Version: s.feed.version(store.KindClient, c.ID)}
		c.Version = change.Version
		s.clients[c.ID] = c
		if c.Disabled {
			s.revoke(change)
		} else {
			s.feed.append(change)
		}
		return nil
	})
}

// DeleteClient implements [store.Admin].
func (s *Store) DeleteClient(ctx context.Context, id string) error {
	return s.write(ctx, func() error {
		s.revoke(store.Change{Kind: store.KindClient, ID: id})
		delete(s.clients, id)
		for _, k := range s.keys {
			if k.Client == id {
				s.revoke(store.Change{Kind: store.KindAPIKey, ID: k.ID})
			}
		}
		return nil
	})
}

// PutUser implements [store.Admin].
func (s *Store) PutUser(ctx context.Context, u store.User) error {
	return s.write(ctx, func() error {
		old, known := s.users[u.Login]
		change := store.Change{Kind: store.KindUser, ID: u.Login, Version: s.feed.version(store.KindUser, u.Login)}
		u.Version = change.Version
		s.users[u.Login] = u
		if u.Disabled || known && old.Password != u.Password {
			s.revoke(change)
		} else {
			s.feed.append(change)
		}
		return nil
	})
}

// Rehash implements [store.Admin].
func (s *Store) Rehash(ctx context.Context, login, from, to string) error {
	return s.write(ctx, func() error {
		u, ok := s.users[login]
		if !ok || u.Password != from {
			return store.ErrNotFound
		}
		u.Password = to
		s.users[login] = u
		return nil
	})
}

// DeleteUser implements [store.Admin].
func (s *Store) DeleteUser(ctx context.Context, login string) error {
	return s.write(ctx, func() error {
		s.revoke(store.Change{Kind: store.KindUser, ID: login})
		delete(s.users, login)
		return nil
	})
}

// cloneClient copies what c refers to. Its lists of strings get one array, of which
// each has its part alone: what is appended to one is not in the next.
func cloneClient(c store.Client) store.Client {
	c.Secrets = slices.Clone(c.Secrets)
	all := make([]string, 0, len(c.Scopes)+len(c.Default)+len(c.Grants))
	for _, list := range []*[]string{&c.Scopes, &c.Default, &c.Grants} {
		if from := len(all); *list != nil {
			all = append(all, *list...)
			*list = all[from:len(all):len(all)]
		}
	}
	return c
}
