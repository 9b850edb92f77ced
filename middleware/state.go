package middleware

import (
	"context"
	"net/http"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/authtier/authtier/errorsx"
)

// A state is what the wrappers around one request share. It is itself the
// request's context, and holds the copy of the request that it is attached to: they
// are one allocation.
//
// Wrappers publish through atomic pointers: behind [http.TimeoutHandler] the inner
// handlers may outlive the outer ones, which may still read.
type state struct {
	context.Context
	now      time.Time
	fixed    bool        // made by WithIdentity: read, never joined
	marks    marks       // of the goroutine that serves the request
	asked    atomic.Bool // somebody has asked for the client's address
	identity atomic.Pointer[Identity]
	usage    atomic.Pointer[counted] // the innermost, what AddUsage adds to
	around   atomic.Pointer[surroundings]
	peer     atomic.Pointer[peer] // what Proxy found out; it is never cleared
	request  http.Request
}

// Marks are what has happened to a request.
type marks uint8

const (
	judged     marks = 1 << iota // a wrapper has let the request through because of its identity
	counting               // a Usage counts it, or would if it had a client
	given                  // its identity is from WithIdentity
	openedHere             // a wrapper of its tier has let it in without a credential
)

func (s *state) has(m marks) bool { return s.marks&m != 0 }

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
	return stateIn(ctx)
}

func stateIn(ctx context.Context) *state {
	s, _ := ctx.Value(stateKey{}).(*state)
	return s
}

// join returns the state of r, and r with a new one if it has none of its own.
func join(r *http.Request) (*state, *http.Request) {
	if s, ok := r.Context().(*state); ok && r == &s.request {
		return s, r // between two wrappers of this package
	}
	return joinAny(r)
}

func joinAny(r *http.Request) (*state, *http.Request) {
	s := stateOf(r.Context())
	if s != nil && !s.fixed && s.isOf(r) {
		return s, r
	}
	return fork(r, s)
}

// isOf reports whether r is the request that s was made for, or a copy of it. A
// handler may make other requests of one that it serves, such as the parts of a
// batch, and their contexts lead to s too. What is proven for one of them must not
// count for the next. Copies share the map of the header, and other requests have
// one of their own.
func (s *state) isOf(r *http.Request) bool {
	return reflect.ValueOf(r.Header).Pointer() == reflect.ValueOf(s.request.Header).Pointer()
}

// fork returns r with a state of its own. It begins with what old knows, which is the
// state of the request that r's context is from, or nil.
func fork(r *http.Request, old *state) (*state, *http.Request) {
	s := &state{Context: r.Context(), now: time.Now()}
	s.request = *r.WithContext(s) // a copy on the stack, as it does not escape
	if old != nil {
		s.inherit(old)
	}
	return s, &s.request
}

func (s *state) inherit(old *state) {
	s.marks = old.marks
	s.asked.Store(old.asked.Load())
	s.identity.Store(old.identity.Load())
	s.usage.Store(old.usage.Load())
	s.around.Store(old.around.Load())
	s.peer.Store(old.peer.Load())
}

// openedBy returns the wrapper that has let the request in without a credential, or
// nil.
func (s *state) openedBy() *guard {
	if u := s.usage.Load(); u != nil {
		return u.openedBy
	}
	return nil
}

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
