package memory

import (
	"context"
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
		s.tokens[t.Digest] = t
		s.swept()
	}
}

// Token implements [store.Tokens].
func (s *Store) Token(ctx context.Context, d store.Digest) (*store.Token, error) {
	return get(ctx, s, s.tokens, d)
}

// Rotate implements [store.Tokens].
func (s *Store) Rotate(ctx context.Context, old store.Digest, client string, now time.Time, next ...store.Token) error {
	return s.write(ctx, func() error {
		t, ok := s.tokens[old]
		switch {
		case !ok || !t.Refresh || t.Client != client:
			return store.ErrNotFound
		case t.Used:
			s.revoke(store.Change{Kind: store.KindFamily, ID: t.Family, Until: t.FamilyEnds})
			return store.ErrReused
		case !t.Expires.After(now):
			return store.ErrNotFound
		}
		t.Used = true
		s.tokens[old] = t
		s.putTokens(next)
		return nil
	})
}

// PutSession implements [store.Sessions].
func (s *Store) PutSession(ctx context.Context, n store.Session) error {
	return s.write(ctx, func() error {
		s.sessions[n.Token] = n
		s.swept()
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
