package memory

import (
	"context"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/record"
)

// A token is a record with the number of changes at the time it was stored. A revoked
// token stays until the next sweep, but no method returns it. The store therefore needs
// no index by ID or family, and storing a token is one entry in one map.
type token struct {
	store.Token
	since uint64
}

// PutTokens implements [store.Tokens].
func (s *Store) PutTokens(ctx context.Context, ts ...store.Token) error {
	if err := record.CheckTokens(ts); err != nil {
		return err
	}
	return s.write(ctx, func() error {
		s.putTokens(ts)
		return nil
	})
}

func (s *Store) putTokens(ts []store.Token) {
	for _, t := range ts {
		s.tokens[t.Digest] = &token{t, s.feed.head.N}
	}
	s.grown()
}

// token returns the token with that digest, or nil if it is unknown or revoked.
func (s *Store) token(d store.Digest) *token {
	t := s.tokens[d]
	if t == nil || s.gone(t) {
		return nil
	}
	return t
}

// gone reports whether t was revoked since it was stored.
func (s *Store) gone(t *token) bool {
	return s.feed.revoked > t.since && (s.feed.inForce[subject{store.KindToken, t.ID}].at > t.since ||
		s.feed.inForce[subject{store.KindFamily, t.Family}].at > t.since)
}

// Token implements [store.Tokens].
func (s *Store) Token(ctx context.Context, d store.Digest) (*store.Token, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.token(d)
	if t == nil {
		return nil, store.ErrNotFound
	}

	// The store may mark its token as used. The caller gets a copy.
	found := t.Token
	return &found, nil
}

// RotateRefreshToken implements [store.Tokens].
func (s *Store) RotateRefreshToken(ctx context.Context, old store.Digest, client string, now time.Time, grace time.Duration, next ...store.Token) error {
	if err := record.CheckTokens(next); err != nil {
		return err
	}
	return s.write(ctx, func() error {
		t := s.token(old)
		switch {
		case t == nil || !t.Refresh || t.Client != client:
			return store.ErrNotFound
		case t.Used && !t.InGrace(now, grace):
			s.revoke(store.Change{Kind: store.KindFamily, ID: t.Family, Until: t.FamilyEnds})
			return store.ErrReused
		case !t.Expires.After(now):
			return store.ErrNotFound
		}

		// A use within the grace leaves the time of the first use as it is.
		if !t.Used {
			t.Used, t.UsedAt = true, now
		}
		s.putTokens(next)
		return nil
	})
}

// PutSession implements [store.Sessions].
func (s *Store) PutSession(ctx context.Context, n store.Session) error {
	if err := n.Check(); err != nil {
		return err
	}
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
