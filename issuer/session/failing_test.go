package session_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/issuer/session"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

// failing is a store that fails to revoke and to renew while err is not nil. It can
// also cancel the request's context when it is asked to revoke.
type failing struct {
	*memory.Store
	last   store.Session // the last one that was stored
	err    error
	hangUp context.CancelFunc
}

func (f *failing) Revoke(ctx context.Context, cs ...store.Change) error {
	if f.hangUp != nil {
		f.hangUp()
	}
	if f.err != nil {
		return f.err
	}
	return f.Store.Revoke(ctx, cs...)
}

func (f *failing) PutSession(ctx context.Context, rec store.Session) error {
	f.last = rec
	return f.Store.PutSession(ctx, rec)
}

func (f *failing) Renew(ctx context.Context, token store.Digest, lastUse, until time.Time) error {
	if f.err != nil {
		return f.err
	}
	return f.Store.Renew(ctx, token, lastUse, until)
}

var errDown = errors.New("down")

// TestFailedLogout logs out while the store fails. The session lives on as before, and
// the next logout ends it.
func TestFailedLogout(t *testing.T) {
	s := newSite(t, session.Config{})
	token, cookie := s.login(t)
	logout := func() int { return s.serve("POST", "/api/logout", carrying(token, cookie)).Code }
	s.failing.err = errDown
	if got := logout(); got != 503 {
		t.Errorf("a logout while the store is down: got %d, want 503", got)
	}
	s.failing.err = nil
	if got := s.me(token, cookie); got != 200 {
		t.Errorf("after a logout that failed: got %d, want 200", got)
	}
	if got := logout(); got != 204 {
		t.Errorf("the next logout: got %d, want 204", got)
	}
	if got := s.me(token, cookie); got != 401 {
		t.Errorf("after the logout: got %d, want 401", got)
	}
}

// TestR08LogoutByWhoHangsUp logs out and disconnects.
func TestR08LogoutByWhoHangsUp(t *testing.T) {
	s := newSite(t, session.Config{})
	token, cookie := s.login(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.failing.hangUp = cancel
	s.serve("POST", "/api/logout", func(r *http.Request) {
		carrying(token, cookie)(r)
		*r = *r.WithContext(ctx)
	})
	if got := s.me(token, cookie); got != 401 {
		t.Errorf("after a logout whose sender has gone: got %d, want 401", got)
	}
}

// TestFailedRenewal makes a request whose session cannot be renewed in the store. The
// request is refused, and does not renew the session.
func TestFailedRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, session.Config{Timeout: 10 * time.Second})
		token, cookie := s.login(t)
		time.Sleep(9 * time.Second)
		s.failing.err = errDown
		if got := s.me(token, cookie); got != 503 {
			t.Errorf("while the store is down: got %d, want 503", got)
		}
		s.failing.err = nil
		time.Sleep(time.Second + time.Millisecond)
		if got := s.me(token, cookie); got != 401 {
			t.Errorf("idle for the timeout, but for a call that was refused: got %d, want 401", got)
		}
	})
}
