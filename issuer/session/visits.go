package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/store"
)

// A visit is what this process knows better than the store: when a session was
// used last. The store is told once in a tenth of the timeout.
type visit struct {
	token               store.Digest
	expires, ends, told time.Time
}

// seen returns when the session expires, by the store or by this process.
func (s *Sessions) seen(rec *store.Session, now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.visits[rec.ID]
	if v == nil {
		s.sweepVisits(now)
		v = &visit{token: rec.Token, expires: rec.Expires, ends: rec.Ends, told: rec.Expires.Add(-s.cfg.Timeout)}
		s.visits[rec.ID] = v
	}
	if rec.Expires.After(v.expires) {
		v.expires = rec.Expires
	}
	return v.expires
}

const minSweep = 1024

// sweepVisits forgets sessions that have expired, whenever there are twice as
// many visits as were left the last time.
func (s *Sessions) sweepVisits(now time.Time) {
	if len(s.visits) < s.sweep {
		return
	}
	for id, v := range s.visits {
		if !v.expires.After(now) {
			delete(s.visits, id)
		}
	}
	s.sweep = max(minSweep, 2*len(s.visits))
}

// renew moves the session's end after a use.
func (s *Sessions) renew(ctx context.Context, id string) error {
	now := time.Now()
	s.mu.Lock()
	v := s.visits[id]
	if v == nil || !v.expires.After(now) {
		s.mu.Unlock()
		return errorsx.TokenExpired
	}
	expires, told := v.expires, v.told
	lastUse, until := expires.Add(-s.cfg.Timeout), now.Add(s.cfg.Timeout)
	if until.After(v.ends) {
		until = v.ends
	}
	v.expires = until
	tell := now.Sub(told) > s.cfg.Timeout/10
	if tell {
		v.told = now
	}
	s.mu.Unlock()
	if !tell {
		return nil
	}
	err := s.store.Renew(ctx, v.token, lastUse, until)
	if errors.Is(err, store.ErrNotFound) {
		s.forget(id)
		return errorsx.UnknownToken
	}
	if err != nil {
		s.mu.Lock()
		v.told = told // to be told again at the next use
		if v.expires.Equal(until) {
			v.expires = expires // this one is refused
		}
		s.mu.Unlock()
		return fmt.Errorf("session: renewing: %w", err)
	}
	return nil
}

func (s *Sessions) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.visits, id)
}
