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
// to. Wrappers publish through atomic pointers: behind [http.TimeoutHandler] the
// inner handlers may outlive the outer ones, which may still read.
type state struct {
	context.Context
	now      time.Time
	fixed    bool          // made by WithIdentity: read, never joined
	flags    atomic.Uint32 // what has happened: addrAsked, judged
	identity atomic.Pointer[Identity]
	openedBy atomic.Pointer[guard]   // the wrapper that let the request in without a credential
	usage    atomic.Pointer[counted] // the innermost, what AddUsage adds to
	around   atomic.Pointer[surroundings]
}

// What may have happened to a request, see state.flags.
const (
	addrAsked = 1 << iota // somebody has asked for the client's address
	judged                // a wrapper has let the request through because of its identity
)

// note sets a flag.
func (s *state) note(flag uint32) {
	if s.flags.Load()&flag == 0 {
		s.flags.Or(flag)
	}
}

type stateKey struct{}

// Value returns the state itself, or what answers need from the wrappers outside,
// or else what the request's own context holds.
func (s *state) Value(key any) any {
	switch key.(type) {
	case stateKey:
		return s
	case errorsx.SurroundingsKey:
		if a := s.around.Load(); a != nil {
			return a
		}
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
// made by WithIdentity may serve several requests, so its contents are copied.
func join(r *http.Request) (*state, *http.Request) {
	old := stateOf(r.Context())
	if old != nil && !old.fixed {
		return old, r
	}

	s, r := begin(r)
	if old != nil {
		s.identity.Store(old.identity.Load())
		s.around.Store(old.around.Load())
		s.usage.Store(old.usage.Load())
	}
	return s, r
}

// begin returns r with a state of its own. State and copy are one allocation:
// whoever keeps the context of a request keeps the request.
func begin(r *http.Request) (*state, *http.Request) {
	both := &struct {
		state   state
		request http.Request
	}{state: state{Context: r.Context(), now: time.Now()}}
	both.request = *r.WithContext(&both.state) // a copy on the stack, as it does not escape
	return &both.state, &both.request
}

// looked reports whether a wrapper has authenticated the request, or let it in
// without a credential.
func (s *state) looked() bool { return s.identity.Load() != nil || s.openedBy.Load() != nil }

// observation returns where the request's decision is noted, or nil if nobody
// observes it.
func (s *state) observation() *observation {
	if a := s.around.Load(); a != nil {
		return a.observation
	}
	return nil
}

// A stateless is a state as validators see it: the request's own context, without
// what other wrappers found, because a validator's answer must not depend on that.
type stateless state

// withoutState returns ctx for a validator.
func withoutState(ctx context.Context) context.Context {
	if s, ok := ctx.(*state); ok {
		return (*stateless)(s) // no allocation
	}
	return &stateless{Context: ctx}
}

func (s *stateless) Value(key any) any {
	if _, ok := key.(stateKey); ok {
		return nil
	}
	return s.Context.Value(key)
}
