package memory

import (
	"context"
	"time"

	"github.com/authtier/authtier/store"
)

// A token is a record in the list of its family.
type token struct {
	store.Token
	next *token
}

// PutTokens implements [store.Tokens].
func (s *Store) PutTokens(ctx context.Context, ts ...store.Token) error {
	return s.write(ctx, func() error {
		s.putTokens(ts)
		return nil
	})
}

func (s *Store) putTokens(ts []store.Token) {
	for _, t := range ts {
		if old := s.tokens[t.Digest]; old != nil {
			s.deleteToken(old)
		}
		n := &token{t, s.families[t.Family]}
		s.tokens[t.Digest], s.families[t.Family] = n, n
		if t.ID != t.Family {
			s.byID[t.ID] = n
		}
	}
	s.grown()
}

// tokenByID returns the token with that ID, or nil. A client's own token, as most
// are, has a family of the same name and is found by that: one map less grows with
// it.
func (s *Store) tokenByID(id string) *token {
	t := s.byID[id]
	if t == nil {
		t = s.families[id]
	}
	for t != nil && t.ID != id {
		t = t.next
	}
	return t
}

// deleteToken deletes a token, and what it is found by.
func (s *Store) deleteToken(t *token) {
	delete(s.tokens, t.Digest)
	if s.byID[t.ID] == t {
		delete(s.byID, t.ID)
	}
	first := s.families[t.Family]
	switch {
	case first != t:
		for first.next != t {
			first = first.next
		}
		first.next = t.next
	case t.next != nil:
		s.families[t.Family] = t.next
	default:
		delete(s.families, t.Family)
	}
}

// Token implements [store.Tokens].
func (s *Store) Token(ctx context.Context, d store.Digest) (*store.Token, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.tokens[d]
	if t == nil {
		return nil, store.ErrNotFound
	}
	found := t.Token
	return &found, nil
}

// Rotate implements [store.Tokens].
func (s *Store) Rotate(ctx context.Context, old store.Digest, client string, now time.Time, grace time.Duration, next ...store.Token) error {
	return s.write(ctx, func() error {
		t := s.tokens[old]
		switch {
		case t == nil || !t.Refresh || t.Client != client:
			return store.ErrNotFound
		case t.Used && !t.InGrace(now, grace):
			s.revoke(store.Change{Kind: store.KindFamily, ID: t.Family, Until: t.FamilyEnds})
			return store.ErrReused
		case !t.Expires.After(now):
			return store.ErrNotFound
		}
		if !t.Used {
			t.Used, t.UsedAt = true, now
		}
		s.putTokens(next)
		return nil
	})
}

// PutSession implements [store.Sessions].
func (s *Store) PutSession(ctx context.Context, n store.Session) error {
	return s.write(ctx, func() error {
		s.sessions[n.Token] = n
		s.grown()
		return nil
	})
}

// Session implements [store.Sessions].
func (s *Store) Session(ctx context.Context, token store.Digest) (*store.Session, error) {
	return get(ctx, s, s.sessions, token)
}

// Renew implements [store.Sessions].
func (s *Store) Renew(ctx context.Context, token store.Digest, lastUse, until time.Time) error {
	return s.write(ctx, func() error {
		n, ok := s.sessions[token]
		if !ok || !n.Expires.After(lastUse) {
			return store.ErrNotFound
		}
		if until.After(n.Ends) {
			until = n.Ends
		}
		if until.After(n.Expires) {
			n.Expires = until
			s.sessions[token] = n
		}
		return nil
	})
}
