package middleware

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/authtier/authtier/errorsx"
)

// A state is what the wrappers around one request share. It is itself the
// request's context, and lies beside the copy of the request that it is attached
// to. Wrappers publish through atomic pointers: behind
// [http.TimeoutHandler] the inner handlers may outlive the outer ones, which
// may still read.
type state struct {
	context.Context
	now      time.Time
	fixed    bool // made by WithIdentity: read, never joined
	identity atomic.Pointer[Identity]
	by       atomic.Pointer[guard]   // the wrapper that authenticated last
	usage    atomic.Pointer[counted] // the innermost, what AddUsage adds to
}

type stateKey struct{}

// Value finds the state itself, then what the request's own context holds.
func (s *state) Value(key any) any {
	if key == (stateKey{}) {
		return s
	}
	return s.Context.Value(key)
}

func stateOf(ctx context.Context) *state {
	if s, ok := ctx.(*state); ok {
		return s
	}
	s, _ := ctx.Value(stateKey{}).(*state)
	return s
}

// join returns the state of r, and r with a new one where it has none. A state
// made by WithIdentity may serve several requests, so its identity is copied.
func join(r *http.Request) (*state, *http.Request) {
	old := stateOf(r.Context())
	if old != nil && !old.fixed {
		return old, r
	}
	s, r := begin(r)
	if old != nil {
		s.identity.Store(old.identity.Load())
	}
	return s, r
}

// begin returns r with a state of its own. State and copy are one allocation: who
// keeps the context of a request keeps the request.
func begin(r *http.Request) (*state, *http.Request) {
	both := &struct {
		state   state
		request http.Request
	}{state: state{Context: r.Context(), now: time.Now()}}
	both.request = *r.WithContext(&both.state) // a copy on the stack, as it does not escape
	return &both.state, &both.request
}

// writer returns the writer and the scheme of the wrapper that authenticated
// the request, or the defaults.
func (s *state) writer() (*errorsx.Writer, errorsx.Scheme) {
	if g := s.by.Load(); g != nil {
		return g.errors, g.scheme
	}
	return nil, errorsx.SchemeBearer
}

// A stateless is a state as validators see it: the request's own context, without
// what other wrappers found, on which their answers must not depend.
type stateless state

// withoutState returns ctx for a validator.
func withoutState(ctx context.Context) context.Context {
	if s, ok := ctx.(*state); ok {
		return (*stateless)(s) // no allocation
	}
	return &stateless{Context: ctx}
}

func (s *stateless) Value(key any) any {
	if key == (stateKey{}) {
		return nil
	}
	return s.Context.Value(key)
}
