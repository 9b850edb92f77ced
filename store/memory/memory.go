// Package memory is a [store.Store] in the memory of the process. It is for tests and
// demonstrations: all records end with the process.
//
//	db := memory.New()
//	iss, err := issuer.Open(ctx, "http://127.0.0.1:8080", db, &issuer.Config{AllowEphemeralKeys: true})
package memory

import (
	"context"
	"errors"
	"sync"

	"github.com/authtier/authtier/store"
)

// A Store keeps everything in maps. It is safe for concurrent use. The zero value is
// not usable: its writes return an error, and an issuer on it does not open.
type Store struct {
	mu       sync.RWMutex
	clients  map[string]store.Client
	users    map[string]store.User
	keys     map[store.Digest]store.APIKey
	tokens   map[store.Digest]*token
	sessions map[store.Digest]store.Session
	signing  map[[2]string]store.SigningKey // by set and ID
	keyByID  map[string]store.Digest        // of API keys
	revoked  tombstones
	sweepAt  int // the number of records at which the next sweep begins

	feed  feed
	usage usage
}

var _ store.Store = (*Store)(nil)

var errZero = errors.New("memory: the Store does not come from New")

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
		revoked:  newTombstones(),
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

// write runs f while it holds the lock for writing, unless ctx has ended.
func (s *Store) write(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients == nil {
		return errZero
	}
	return f()
}
