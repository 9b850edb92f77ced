package middleware

import (
	"errors"
	"net/http"
	"sync"
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
			s, r := join(r)
			if s.openedBy() != nil || s.identity.Load() != nil && !s.has(given) {
				err := errors.New("middleware: Observe must stand outside of the wrappers that authenticate, whose refusals it would not see")
				(*errorsx.Writer)(nil).Refuse(w, r, "", errorsx.Fault(err))
				return
			}

			o := &observation{began: time.Now(), identity: s.identity.Load()}
			sw := &statusWriter{ResponseWriter: w, count: o.answered}

			// A deferred call also reports a request whose handler panics.
			defer func() { f(r, o.decision()) }()
			s.surround(sw, r, next, func(a *surroundings) {
				o.outer = a.observation
				a.observation = o
			})

			// A handler that writes nothing answers 200.
			sw.begin(http.StatusOK)
		})
	}
}

// An observation collects the values of a Decision. Behind [http.TimeoutHandler],
// inner handlers may still add to it after the request has ended.
type observation struct {
	began time.Time
	outer *observation

	mu       sync.Mutex
	d        Decision
	identity *Identity
	hits     int // credentials that a cache knew
	misses   int // credentials that no cache knew
}

func (o *observation) decision() Decision {
	o.mu.Lock()
	defer o.mu.Unlock()
	d := o.d
	if o.identity != nil {
		d.Identity = *o.identity
		d.DroppedScopes = o.identity.Details().DroppedScopes
	}
	d.Cached = o.hits > 0 && o.misses == 0
	d.Duration = time.Since(o.began)
	return d
}

// each calls f for o and for the observations around it.
func (o *observation) each(f func(o *observation)) {
	for ; o != nil; o = o.outer {
		o.mu.Lock()
		f(o)
		o.mu.Unlock()
	}
}

func (o *observation) answered(status int) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.d.Status = status
	return nil
}

func (o *observation) refused(e *errorsx.Error) {
	o.each(func(o *observation) {
		if o.d.Refusal == nil {
			o.d.Refusal = e
		}
	})
}

func (o *observation) proved(id *Identity) { o.each(func(o *observation) { o.identity = id }) }

func (o *observation) entered(tier string) { o.each(func(o *observation) { o.d.Tier = tier }) }

func (o *observation) asked(hit bool) {
	o.each(func(o *observation) {
		if hit {
			o.hits++
		} else {
			o.misses++
		}
	})
}
