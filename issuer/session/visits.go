package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/store"
)

// A visit is the last use of a session, as far as this process knows. It is newer than
// in the store, which is updated at most once in a tenth of the timeout.
type visit struct {
	token               store.Digest
	expires, ends, told time.Time
}

// seen returns when the session expires: the later time of the store and this process.
func (m *Manager) seen(rec *store.Session, now time.Time) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.visits[rec.ID]
	if v == nil {
		m.sweepVisits(now)
		v = &visit{token: rec.Token, expires: rec.Expires, ends: rec.Ends, told: rec.Expires.Add(-m.cfg.Timeout)}
		m.visits[rec.ID] = v
	}

	// Another process may have renewed the session.
	if rec.Expires.After(v.expires) {
		v.expires = rec.Expires
	}
	return v.expires
}

const minSweep = 1024

// sweepVisits removes expired sessions, whenever there are twice as many visits as were
// left the last time.
func (m *Manager) sweepVisits(now time.Time) {
	if len(m.visits) < m.sweep {
		return
	}
	for id, v := range m.visits {
		if !v.expires.After(now) {
			delete(m.visits, id)
		}
	}
	m.sweep = max(minSweep, 2*len(m.visits))
}

// renew moves the end of the session after a use, in this process and, if due, in the
// store.
func (m *Manager) renew(ctx context.Context, id string) error {
	now := time.Now()
	m.mu.Lock()
	v := m.visits[id]
	if v == nil || !v.expires.After(now) {
		m.mu.Unlock()
		return errorsx.TokenExpired
	}

	expires, told := v.expires, v.told
	lastUse, until := expires.Add(-m.cfg.Timeout), now.Add(m.cfg.Timeout)
	if until.After(v.ends) {
		until = v.ends
	}
	v.expires = until

	// The store learns of a use only now and then, which saves most of the writes.
	tell := now.Sub(told) > m.cfg.Timeout/10
	if tell {
		v.told = now
	}
	m.mu.Unlock()

	if !tell {
		return nil
	}

	err := m.store.Renew(ctx, v.token, lastUse, until)
	if errors.Is(err, store.ErrNotFound) {
		m.forget(id)
		return errorsx.UnknownToken
	}

	// The request is refused, so that it must not count as a use. The next use tries
	// again.
	if err != nil {
		m.mu.Lock()
		v.told = told
		if v.expires.Equal(until) {
			v.expires = expires
		}
		m.mu.Unlock()
		return fmt.Errorf("session: renewing: %w", err)
	}
	return nil
}

func (m *Manager) forget(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.visits, id)
}
