package memory

import (
	"context"
	"crypto/rand"
	"maps"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/record"
)

// feedLength is the greatest number of changes that are kept for [Store.Since].
const feedLength = 4096

// A feed is the sequence of changes, and the changes that are still in force.
type feed struct {
	base    store.Cursor // before the first entry
	entries []entry
	head    store.Cursor
	inForce map[subject]forced
	revoked uint64 // the number of the last entry that revokes a token or a family
}

type entry struct {
	at     store.Cursor
	change store.Change
}

// A forced is a change in force, with the number of the entry that it came with.
type forced struct {
	store.Change
	at uint64
}

type subject struct {
	kind store.Kind
	id   string
}

func newFeed() feed {
	f := feed{inForce: map[subject]forced{}}
	rand.Read(f.head.Nonce[:])
	f.base = f.head
	return f
}

// version returns the version of a client or user: 1 until it is raised.
func (f *feed) version(k store.Kind, id string) uint64 {
	if c, ok := f.inForce[subject{k, id}]; ok {
		return c.Version
	}
	return 1
}

// append adds c to the sequence. The caller must hold the lock for writing.
func (f *feed) append(c store.Change) {
	f.head.N++
	rand.Read(f.head.Nonce[:])

	// Dropping half of the entries at once makes the cost of moving the rest rare.
	if len(f.entries) == feedLength {
		f.base = f.entries[feedLength/2-1].at
		f.entries = append(f.entries[:0], f.entries[feedLength/2:]...)
	}
	f.entries = append(f.entries, entry{f.head, c})

	// A token that was stored after this number is not revoked. gone looks here first.
	if c.Kind == store.KindToken || c.Kind == store.KindFamily {
		f.revoked = f.head.N
	}
	// A Snapshot does not return these kinds: callers read such keys from the store.
	if c.Kind == store.KindAPIKey || c.Kind == store.KindSigningKey {
		return
	}
	// A later change never shortens an earlier revocation.
	if old, ok := f.inForce[subject{c.Kind, c.ID}]; ok && (old.Until.IsZero() || !c.Until.IsZero() && c.Until.Before(old.Until)) {
		c.Until = old.Until
	}
	f.inForce[subject{c.Kind, c.ID}] = forced{c, f.head.N}
}

// at returns the cursor after the first n entries.
func (f *feed) at(n uint64) store.Cursor {
	if n == 0 {
		return f.base
	}
	return f.entries[n-1].at
}

// revoke applies c to the records and adds it to the feed. Tokens are not touched: only
// the feed decides whether they are revoked.
func (s *Store) revoke(c store.Change) {
	switch c.Kind {
	case store.KindSession:
		maps.DeleteFunc(s.sessions, func(_ store.Digest, n store.Session) bool { return n.ID == c.ID })
	case store.KindAPIKey:
		s.buryKey(c.ID)
	case store.KindClient:
		s.raise(c)
		return
	case store.KindUser:
		s.raise(c)
		// Keys without an owner do not belong to a user with an empty login.
		s.revokeKeys(func(k *store.APIKey) bool { return k.Owner == c.ID && c.ID != "" })
		return
	}

	s.feed.append(c)
	s.grown()
}

// raise gives a client or user a version higher than its own and than that of c.
func (s *Store) raise(c store.Change) {
	c.Version, c.Until = max(s.feed.version(c.Kind, c.ID), c.Version)+1, time.Time{}

	if client, ok := s.clients[c.ID]; ok && c.Kind == store.KindClient {
		client.Version = c.Version
		s.clients[c.ID] = client
	}

	if user, ok := s.users[c.ID]; ok && c.Kind == store.KindUser {
		user.Version = c.Version
		s.users[c.ID] = user
	}
	s.feed.append(c)
	s.grown()
}

// Revoke implements [store.Changes].
func (s *Store) Revoke(ctx context.Context, cs ...store.Change) error {
	if err := record.CheckChanges(cs); err != nil {
		return err
	}
	return s.write(ctx, func() error {
		for _, c := range cs {
			s.revoke(c)
		}
		return nil
	})
}

// Since implements [store.Changes].
func (s *Store) Since(ctx context.Context, c store.Cursor) ([]store.Change, store.Cursor, error) {
	if err := ctx.Err(); err != nil {
		return nil, store.Cursor{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.clients == nil {
		return nil, store.Cursor{}, errZero
	}

	// The subtraction wraps for a cursor before the base, and then fails the check.
	after := c.N - s.feed.base.N
	if after > uint64(len(s.feed.entries)) || s.feed.at(after) != c {
		return nil, store.Cursor{}, store.ErrNotFound
	}

	var cs []store.Change
	for _, e := range s.feed.entries[after:] {
		cs = append(cs, e.change)
	}
	return cs, s.feed.head, nil
}

// Snapshot implements [store.Changes].
func (s *Store) Snapshot(ctx context.Context) ([]store.Change, store.Cursor, error) {
	if err := ctx.Err(); err != nil {
		return nil, store.Cursor{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.clients == nil {
		return nil, store.Cursor{}, errZero
	}

	var cs []store.Change
	for _, c := range s.feed.inForce {
		cs = append(cs, c.Change)
	}
	return cs, s.feed.head, nil
}
