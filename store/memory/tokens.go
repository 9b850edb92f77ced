package memory

import (
	"context"
	"slices"
	"time"

	"github.com/authtier/authtier/store"
)

// PutTokens implements [store.Tokens].
func (s *Store) PutTokens(ctx context.Context, ts ...store.Token) error {
	return s.write(ctx, func() error {
		s.putTokens(ts)
		return nil
	})
}

func (s *Store) putTokens(ts []store.Token) {
	for _, t := range ts {
		if _, ok := s.tokens[t.Digest]; !ok {
			s.byID[t.ID] = t.Digest
			s.byFamily[t.Family] = append(s.byFamily[t.Family], t.Digest)
		}
		s.tokens[t.Digest] = t
	}
	s.grown()
}

// deleteToken deletes a token, and what it is found by.
func (s *Store) deleteToken(d store.Digest) {
	t := s.tokens[d]
	delete(s.tokens, d)
	delete(s.byID, t.ID)
	rest := slices.DeleteFunc(s.byFamily[t.Family], func(other store.Digest) bool { return other == d })
	if s.byFamily[t.Family] = rest; len(rest) == 0 {
		delete(s.byFamily, t.Family)
	}
}

// Token implements [store.Tokens].
func (s *Store) Token(ctx context.Context, d store.Digest) (*store.Token, error) {
	return get(ctx, s, s.tokens, d)
}

// Rotate implements [store.Tokens].
func (s *Store) Rotate(ctx context.Context, old store.Digest, client string, now time.Time, grace time.Duration, next ...store.Token) error {
	return s.write(ctx, func() error {
		t, ok := s.tokens[old]
		switch {
		case !ok || !t.Refresh || t.Client != client:
			return store.ErrNotFound
		case t.Used && !t.InGrace(now, grace):
			s.revoke(store.Change{Kind: store.KindFamily, ID: t.Family, Until: t.FamilyEnds})
			return store.ErrReused
		case !t.Expires.After(now):
			return store.ErrNotFound
		}
		if !t.Used {
			t.Used, t.UsedAt = true, now
			s.tokens[old] = t
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
