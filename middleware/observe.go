package middleware

import (
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/authtier/authtier/errorsx"
)

// A Decision is the outcome of one request.
type Decision struct {
	// Identity is the identity that the wrappers proved. It is the zero Identity if
	// they proved none.
	Identity Identity

	// Tier is the prefix of the request's tier. It is empty without [Tiers].
	Tier string

	// Refusal is the first refusal of the request, or nil if nothing inside refused
	// it. Its Code is the reason, its Client the owner of the genuine credential that
	// was refused, and its Err the cause. It must not be changed.
	Refusal *errorsx.Error

	// Status is the HTTP status of the answer. It is 0 if a handler panicked before
	// it answered.
	Status int

	// DroppedScopes are elements in the token's claims for scopes that are no scope tokens
	// (RFC 6749 section 3.3), such as a role with a blank. They give no scope. The list
	// must not be changed.
	DroppedScopes []string

	// Cached reports whether a [Cache] knew every credential of the request. It is
	// false for a request without a credential.
	Cached bool

	// Duration is the time from the arrival of the request at Observe to its end.
	Duration time.Duration
}

// Admitted reports whether nothing inside refused the request.
func (d *Decision) Admitted() bool { return d.Refusal == nil }

// Code returns the refusal's code, or 0 for an admitted request. For a log, use its
// String method, or the Refusal, whose text names the header or parameter at fault.
// Package fmt prints a Code with the general text of all such refusals.
func (d *Decision) Code() errorsx.Code {
	if d.Refusal == nil {
		return 0
	}
	return d.Refusal.Code
}

// Cause returns the error behind the refusal, or nil. It is for the operator. It may
// contain information that the client must not learn, but never a credential.
func (d *Decision) Cause() error {
	if d.Refusal == nil {
		return nil
	}
	return d.Refusal.Err
}

// Observe calls f once for each request, when the request ends, even if a handler
// panics. It is for metrics and audit logs, and belongs outside of all other
// wrappers. It sees refusals by wrappers and by the suite's handlers, such as the
// token endpoint and login.
//
// f is called on the request's goroutine, and the client may have to wait for it. f
// must be safe for concurrent use and must not change r. An Observe inside of a
// wrapper that authenticates is a fault in wiring: the request is answered with
// AUTH-8. Observe panics if f is nil.
func Observe(f func(r *http.Request, d Decision)) Wrapper {
	if f == nil {
		panic("middleware: Observe: nil func")
	}
	return func(next http.Handler) http.Handler {
		notNil("Observe", next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, inside := join(r)
			isNew := inside != r
			r = inside
			if s.openedBy() != nil || s.identity.Load() != nil && !s.has(given) {
				err := errors.New("middleware: Observe must stand outside of the wrappers that authenticate, whose refusals it would not see")
				(*errorsx.Writer)(nil).Refuse(w, r, "", errorsx.Fault(err))
				return
			}

			o := &observed{statusWriter: statusWriter{ResponseWriter: w}}
			o.counter = &o.observation
			// A state that was made here has just read the clock.
			o.arrived = s.now
			if !isNew {
				o.arrived = time.Now()
			}
			o.identity.Store(s.identity.Load())

			before := s.around.Load()
			if before != nil {
				o.inside, o.outer = *before, before.observation
			}
			o.inside.observation = &o.observation
			s.around.Store(&o.inside)

			// A deferred call also reports a request whose handler panics.
			defer func() { f(r, o.decision()) }()
			defer s.around.Store(before)
			next.ServeHTTP(&o.statusWriter, r)

			// A handler that writes nothing answers 200.
			o.begin(http.StatusOK)
		})
	}
}

// An observed request has everything that an Observe needs for it, in one allocation.
type observed struct {
	observation
	statusWriter
	inside surroundings
}

// An observation collects the values of a Decision. Behind [http.TimeoutHandler],
// inner handlers may still add to it after the request has ended.
type observation struct {
	arrived time.Time
	outer   *observation

	identity atomic.Pointer[Identity]
	tier     atomic.Pointer[string]
	refusal  atomic.Pointer[errorsx.Error]
	status   atomic.Int32
	hits     atomic.Int32 // credentials that a cache knew
	misses   atomic.Int32 // credentials that no cache knew
}

func (o *observation) decision() Decision {
	d := Decision{Refusal: o.refusal.Load(), Status: int(o.status.Load())}
	if id := o.identity.Load(); id != nil {
		d.Identity = *id
		d.DroppedScopes = id.Details().DroppedScopes
	}
	if tier := o.tier.Load(); tier != nil {
		d.Tier = *tier
	}
	d.Cached = o.hits.Load() > 0 && o.misses.Load() == 0
	d.Duration = time.Since(o.arrived)
	return d
}

// count implements [statusCounter]. It counts nothing and notes the status.
func (o *observation) count(status int) error {
	o.status.Store(int32(status))
	return nil
}

// The methods below also tell the observations around o.

func (o *observation) refused(e *errorsx.Error) {
	for ; o != nil; o = o.outer {
		o.refusal.CompareAndSwap(nil, e)
	}
}

func (o *observation) proved(id *Identity) {
	for ; o != nil; o = o.outer {
		o.identity.Store(id)
	}
}

func (o *observation) entered(tier *string) {
	for ; o != nil; o = o.outer {
		o.tier.Store(tier)
	}
}

func (o *observation) asked(hit bool) {
	for ; o != nil; o = o.outer {
		if hit {
			o.hits.Add(1)
		} else {
			o.misses.Add(1)
		}
	}
}
