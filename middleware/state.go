package middleware

import (
	"context"
	"net/http"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/authtier/authtier/errorsx"
)

// A state is shared by the wrappers around one request. It is the request's context
// itself, and it contains the copy of the request that carries that context. So both
// are one allocation.
//
// Wrappers publish through atomic pointers. Behind [http.TimeoutHandler], inner
// handlers may outlive the outer ones, which may still read.
type state struct {
	context.Context
	now       time.Time
	fixed     bool        // made by WithIdentity, so that no wrapper adds to it
	marks     marks       // used only by the goroutine that serves the request
	keyScheme uint8       // number of the scheme that the API key came with, like marks
	asked     atomic.Bool // the client's address was asked for
	identity  atomic.Pointer[Identity]
	usage     atomic.Pointer[counted] // the counter of the innermost Usage, to which AddUsage adds
	around    atomic.Pointer[surroundings]
	peer      atomic.Pointer[peer] // the result of Proxy, never cleared
	request   http.Request
}

// Marks record events in the processing of a request.
type marks uint8

const (
	judged     marks = 1 << iota // a wrapper has admitted the request because of its identity
	counting                     // a Usage counts it, or would if it had a client
	given                        // its identity is from WithIdentity
	openedHere                   // a wrapper of its tier has admitted it without a credential
)

func (s *state) has(m marks) bool { return s.marks&m != 0 }

type stateKey struct{}

// Value returns the state itself for stateKey and its surroundings for
// SurroundingsKey. For any other key it returns the value of the original context.
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

// join returns the state of r. If r has none of its own, it returns a new state and a
// copy of r that carries it.
func join(r *http.Request) (*state, *http.Request) {
	if s, ok := r.Context().(*state); ok && r == &s.request {
		// No other middleware has copied the request since.
		return s, r
	}
	return joinAny(r)
}

func joinAny(r *http.Request) (*state, *http.Request) {
	s := stateOf(r.Context())

	// A state from WithIdentity belongs to a context, not to a request.
	if s != nil && !s.fixed && s.isOf(r) {
		return s, r
	}
	return fork(r, s)
}

// isOf reports whether r is the request that s was made for, or a copy of it. A
// handler may derive other requests from the one that it serves, such as the parts of
// a batch, and their contexts lead to s too. An identity proven for one of them must
// not count for the next. A copy shares the map of the header with its original; a
// new request has a map of its own.
func (s *state) isOf(r *http.Request) bool {
	return reflect.ValueOf(r.Header).Pointer() == reflect.ValueOf(s.request.Header).Pointer()
}

// fork returns a copy of r with a state of its own. old, which may be nil, is the
// state that r's context leads to. The new state starts with its values.
func fork(r *http.Request, old *state) (*state, *http.Request) {
	s := &state{Context: r.Context(), now: time.Now()}
	// The copy that WithContext makes stays on the stack, because it does not escape.
	s.request = *r.WithContext(s)
	if old != nil {
		s.inherit(old)
	}
	return s, &s.request
}

func (s *state) inherit(old *state) {
	s.marks, s.keyScheme = old.marks, old.keyScheme
	s.asked.Store(old.asked.Load())
	s.identity.Store(old.identity.Load())
	s.usage.Store(old.usage.Load())
	s.around.Store(old.around.Load())
	s.peer.Store(old.peer.Load())
}

// openedBy returns the wrapper that admitted the request without a credential, or
// nil.
func (s *state) openedBy() *guard {
	if u := s.usage.Load(); u != nil {
		return u.openedBy
	}
	return nil
}

// observation returns the observation of the nearest Observe, or nil if there is
// none.
func (s *state) observation() *observation {
	if a := s.around.Load(); a != nil {
		return a.observation
	}
	return nil
}

// A stateless is the view of a state that validators get. It hides the results of
// other wrappers, because a validator's answer must not depend on them.
type stateless state

// withoutState returns a context for a validator, without the request's state.
func withoutState(ctx context.Context) context.Context {
	if s, ok := ctx.(*state); ok {
		// The conversion needs no allocation.
		return (*stateless)(s)
	}
	return &stateless{Context: ctx}
}

func (s *stateless) Value(key any) any {
	if _, ok := key.(stateKey); ok {
		return nil
	}
	return s.Context.Value(key)
}
