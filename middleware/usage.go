package middleware

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware/internal/wiring"
)

// A Meter counts the uses of one product. A meter.Product is a Meter.
type Meter interface {
	// Counter returns a function that adds n uses by a client of issuer on a day. day
	// is the number of days since 1 January 1970 UTC. If Counter or add returns an
	// error, the request fails with AUTH-8, unless AllowUncounted is set. An add that
	// returns an error must have added nothing. Both functions must be safe for
	// concurrent use.
	Counter(day int, issuer, client string) (add func(n int64) error, err error)
}

// UsageConfig configures [Usage]. The zero value counts every admitted request.
type UsageConfig struct {
	// CountStatus, if not nil, reports whether a request counts, by the status of its
	// answer. The request is counted when the header is written, before the client
	// sees it. An outer wrapper that replaces the answer, such as
	// [http.TimeoutHandler], does not undo that. A handler that writes nothing counts
	// as 200, and one that takes over the connection as 101. Informational responses
	// (1xx) are not counted. Uses added by [AddUsage] count with any status.
	//
	// Some frameworks, such as echo, answer an error that a handler returns only after
	// their middleware has ended. A Usage inside of such a framework then counts 200,
	// unless an adapter writes the answer in time.
	CountStatus func(status int) bool

	// AllowUncounted admits requests for which no counter is available. If it is not
	// set, such requests are AUTH-8.
	AllowUncounted bool
}

type usageWrapper struct {
	meter Meter
	cfg   UsageConfig
}

// counted is the counter that a Usage wrapper uses for one request. The identity's
// memo keeps it, unless the wrapper is inside of another Usage.
type counted struct {
	wrapper *usageWrapper
	day     int
	add     func(n int64) error
	lost    bool // no counter was available, and AllowUncounted is set
	outer   *counted

	// openedBy is set if the request was admitted without a credential. It is the
	// wrapper that did so. An inner wrapper that needs a credential refuses by writer,
	// the one of openedBy.
	openedBy *guard
	writer   *errorsx.Writer
}

// Usage counts one use of m by the request's client before the handler runs, on the
// UTC day on which the request was admitted. Usage belongs inside of all other
// wrappers, so that it counts only admitted requests. It counts them whatever the
// handler answers, unless CountStatus is set. One wrapper counts a request once, even
// if the request passes it several times. The wrappers of two calls of Usage count
// twice, even for the same product. Requests that a handler derives from the one that
// it serves, such as the parts of a batch, belong to that request: within the same
// wrapper they are not counted again. Call [AddUsage] for them.
//
// A request that was admitted without a credential, because of AllowAnonymous, is
// served and not counted. It is a fault in wiring (AUTH-8) if no wrapper has
// authenticated the request, if the identity has no client or no issuer, or if an
// inner wrapper changes the client. A refusal by an inner wrapper, such as Scope, is
// counted. cfg may be nil. Usage panics if m is nil.
func Usage(m Meter, cfg *UsageConfig) Wrapper {
	if wiring.IsNil(m) {
		panic("middleware: Usage: nil Meter")
	}
	if cfg == nil {
		cfg = &UsageConfig{}
	}
	u := &usageWrapper{m, *cfg}
	return func(next http.Handler) http.Handler {
		notNil("Usage", next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, r := join(r)
			c, err := u.count(s)
			switch {
			case err != nil:
				(*errorsx.Writer)(nil).Refuse(w, r, "", err)
			case c != nil && !c.lost && u.cfg.CountStatus != nil:
				u.serveByStatus(w, r, next, s, c)
			default:
				next.ServeHTTP(w, r)
			}

			// The handler of an outer Usage may still call AddUsage for its own
			// product.
			if c != nil && c.outer != nil {
				s.usage.Store(c.outer)
			}
		})
	}
}

// count returns the request's counter and counts the request, unless CountStatus must
// decide. It returns nil for a request that this wrapper has already counted.
func (w *usageWrapper) count(s *state) (*counted, error) {
	id := s.identity.Load()
	if id == nil || id.Client == "" || id.Issuer == "" {
		return nil, s.nobodyToBill()
	}
	s.marks |= judged

	// The counter of an anonymous request belongs to no Usage, so it is not an outer
	// one.
	outer := s.usage.Load()
	if outer != nil && outer.openedBy != nil {
		outer = nil
	}
	for u := outer; u != nil; u = u.outer {
		if u.wrapper == w {
			return nil, nil
		}
	}

	c, failed := w.counter(id, dayOf(s.now))
	if failed != nil && !w.cfg.AllowUncounted {
		return nil, failed
	}
	// Without a counter of its own, AddUsage would add to the outer wrapper's
	// product.
	if failed != nil {
		c = &counted{wrapper: w, add: func(int64) error { return failed }, lost: true}
	}
	if outer != nil {
		c = &counted{wrapper: w, day: c.day, add: c.add, lost: c.lost, outer: outer}
	}
	s.usage.Store(c)
	return c, nil
}

// nobodyToBill returns nil for a request that was admitted without a credential. Such
// a request is served and not counted. In all other cases it returns a fault in
// wiring.
func (s *state) nobodyToBill() error {
	_, err := s.authenticated("Usage")
	switch {
	case errors.Is(err, errorsx.CredentialsMissing):
		s.marks |= judged | counting
		return nil
	case err != nil:
		return err
	}
	return errorsx.Fault(errors.New("middleware: Usage: the identity has no client or no issuer, so that nobody could be billed"))
}

// counter returns the meter's counter for an identity and counts one use, unless
// CountStatus must decide. The identity remembers the counter. If a remembered
// counter returns an error, it may have ended, so counter asks the meter for another
// one.
func (w *usageWrapper) counter(id *Identity, day int) (c *counted, err error) {
	defer errorsx.Recovered("middleware: the meter", &err)
	memory := id.remembered()
	if memory != nil {
		// A remembered counter that fails may only have ended, so its error is
		// ignored.
		if c := memory.counted.Load(); c != nil && c.wrapper == w && c.day == day && w.first(c) == nil {
			return c, nil
		}
	}

	add, err := w.meter.Counter(day, id.Issuer, id.Client)
	c = &counted{wrapper: w, day: day, add: add}
	if err == nil {
		err = w.first(c)
	}
	if err != nil {
		return nil, &errorsx.Error{Code: errorsx.Internal, Client: id.Client, Err: fmt.Errorf("middleware: Usage: %w", err)}
	}

	if memory != nil {
		memory.counted.Store(c)
	}
	return c, nil
}

// first counts the request itself, unless CountStatus must decide.
func (w *usageWrapper) first(c *counted) error {
	if w.cfg.CountStatus != nil {
		return nil
	}
	return c.add(1)
}

// dayOf returns the UTC day of t, as the number of days since 1 January 1970.
func dayOf(t time.Time) int {
	const seconds = 24 * 60 * 60
	return int((t.Unix() - (t.Unix()%seconds+seconds)%seconds) / seconds)
}

// AddUsage adds n further uses, such as the records of an answer, to the product of
// the innermost [Usage] around the handler that ctx belongs to. For a request that
// was admitted without a credential it counts nothing and returns nil. AddUsage
// returns an error if n is not positive, if no Usage counts the request, or if the
// meter cannot count.
func AddUsage(ctx context.Context, n int64) error {
	if n <= 0 {
		return fmt.Errorf("middleware: AddUsage: %d is not a positive quantity", n)
	}
	s := stateOf(ctx)
	var c *counted
	if s != nil {
		c = s.usage.Load()
	}
	if c == nil || c.openedBy != nil && !s.has(counting) {
		return errors.New("middleware: AddUsage: no Usage wrapper counts this request")
	}
	return c.add(n)
}
