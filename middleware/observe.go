package middleware

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/authtier/authtier/errorsx"
)

// A Decision is what became of one request.
type Decision struct {
	// Identity is the identity that the wrappers proved, and the zero Identity if
	// they proved none.
	Identity Identity

	// Tier is the prefix of the request's tier, or empty without [Tiers].
	Tier string

	// Refusal is what was answered instead of what the request asked for, or nil
	// if nothing inside refused it. Its Code says why, its Client whose genuine
	// credential was refused, and its Err the cause. It is not changed.
	Refusal *errorsx.Error

	// Status is the answer's HTTP status. It is 0 if a handler panicked before it
	// answered.
	Status int

	// Cached reports whether a [Cache] knew every credential of the request. It is
	// false for a request without a credential.
	Cached bool

	// Duration is the time from the request's arrival at Observe to its end.
	Duration time.Duration
}

// Admitted reports whether nothing inside refused the request.
func (d *Decision) Admitted() bool { return d.Refusal == nil }

// Code returns the refusal's code, or 0 for an admitted request.
func (d *Decision) Code() errorsx.Code {
	if d.Refusal == nil {
		return 0
	}
	return d.Refusal.Code
}

// Cause returns the error behind the refusal, or nil. It is for the operator: it
// may name what the client must not learn, but never a credential.
func (d *Decision) Cause() error {
	if d.Refusal == nil {
		return nil
	}
	return d.Refusal.Err
}

// Observe calls f once for each request when the request ends, also if a handler
// panics: for metrics and audit logs. It belongs in front of all other wrappers.
// It sees refusals by wrappers and by the suite's handlers, such as the token
// endpoint and login, and of several refusals of one request the first.
//
// f is called on the request's goroutine, and the client may have to wait for it.
// It must not change r. Inside of a wrapper that authenticates, Observe is a fault in
// wiring: AUTH-8. It panics if f is nil.
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
				(*errorsx.Writer)(nil).Resource(w, r, "", errorsx.Fault(err))
				return
			}
			o := &observation{began: time.Now(), identity: s.identity.Load()}
			sw := &statusWriter{ResponseWriter: w, count: o.answered}

			defer func() { f(r, o.decision()) }()
			s.surround(sw, r, next, func(a *surroundings) {
				o.outer = a.observation
				a.observation = o
			})
			sw.begin(http.StatusOK) // a handler that writes nothing answers 200
		})
	}
}

// An observation collects what a Decision says. Behind [http.TimeoutHandler] the
// inner handlers may still add to it when the request has ended.
type observation struct {
	began time.Time
	outer *observation

	mu       sync.Mutex
	d        Decision
	identity *Identity
	hits     int // credentials that a cache knew
	misses   int // and those that none knew
}

func (o *observation) decision() Decision {
	o.mu.Lock()
	defer o.mu.Unlock()
	d := o.d
	if o.identity != nil {
		d.Identity = *o.identity
	}
	d.Cached = o.hits > 0 && o.misses == 0
	d.Duration = time.Since(o.began)
	return d
}

// each calls f for o and those around it.
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
