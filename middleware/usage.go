package middleware

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/authtier/authtier/errorsx"
)

// A Meter counts the uses of one product. A meter.Product is one.
type Meter interface {
	// Counter returns the function that adds to what the client of that issuer
	// has used on the day, counted in days since 1 January 1970 UTC. An error
	// refuses the request as ours (AUTH-8); the function's error too, with which
	// it has added nothing. Both may be called concurrently.
	Counter(day int, issuer, client string) (add func(n int64) error, err error)
}

// UsageConfig configures [Usage]. The zero value counts every admitted request.
type UsageConfig struct {
	// CountStatus, if not nil, says by the status of the answer which requests
	// count. They are counted when the header is written, so that what a client
	// saw is counted, unless a wrapper outside replaces the answer, such as
	// [http.TimeoutHandler]. A handler that writes nothing answers 200, one that takes
	// over the connection 101. Informational responses (1xx) are not counted. What
	// [AddUsage] adds counts with any status.
	CountStatus func(status int) bool

	// AllowUncounted admits requests for which no counter is available. If it is not
	// set, they are AUTH-8.
	AllowUncounted bool
}

type usageWrapper struct {
	meter Meter
	cfg   UsageConfig
}

// counted is the counter that one Usage wrapper uses for one request. The identity
// remembers it, unless that wrapper stands in another one.
type counted struct {
	wrapper *usageWrapper
	day     int
	add     func(n int64) error
	lost    bool // no counter was available, and that is allowed
	outer   *counted

	// openedBy is not nil if this is nobody's counter: that of a request which
	// that wrapper let in without a credential.
	openedBy *guard
}

// Usage counts one use of m by the request's client before the handler runs, on
// the UTC day on which the request was admitted. It stands behind the wrappers
// that refuse: only admitted requests count, whatever the handler then answers.
// What Usage returns counts a request once, however often it stands in its way;
// two calls of Usage count twice, for one product too.
//
// A request that a wrapper let in without a credential, because of AllowAnonymous,
// is served and not counted. A request that no wrapper looked at is a fault in
// wiring: AUTH-8. So are an identity without a client or an issuer, and a wrapper
// inside that changes the client. A refusal by a wrapper inside, such as Scope, is
// counted: Usage belongs innermost. cfg may be nil. Usage panics if m is nil.
func Usage(m Meter, cfg *UsageConfig) Wrapper {
	if isNil(m) {
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
				(*errorsx.Writer)(nil).Resource(w, r, "", err)
			case c != nil && !c.lost && cfg.CountStatus != nil:
				u.serveByStatus(w, r, next, s, c)
			default:
				next.ServeHTTP(w, r)
			}
			if c != nil && c.outer != nil { // for what the outer one's handler adds afterwards
				s.usage.Store(c.outer)
			}
		})
	}
}

// count finds the request's counter, and counts unless that is for the status to
// decide. It returns nil for a request that the wrapper has counted already.
func (w *usageWrapper) count(s *state) (*counted, error) {
	id := s.identity.Load()
	if id == nil || id.Client == "" || id.Issuer == "" {
		return nil, s.nobodyToBill()
	}
	s.marks |= judged

	outer := s.usage.Load()
	if outer != nil && outer.openedBy != nil {
		outer = nil
	}
	for u := outer; u != nil; u = u.outer {
		if u.wrapper == w {
			return nil, nil
		}
	}
	c, failed := w.counter(id, Day(s.now))
	if failed != nil && !w.cfg.AllowUncounted {
		return nil, failed
	}
	if failed != nil { // AddUsage must not add to the outer wrapper's product
		c = &counted{wrapper: w, add: func(int64) error { return failed }, lost: true}
	}
	if outer != nil {
		c = &counted{wrapper: w, day: c.day, add: c.add, lost: c.lost, outer: outer}
	}
	s.usage.Store(c)
	return c, nil
}

// nobodyToBill returns nil for a request that a wrapper let in without a credential:
// it is served and not counted. In all other cases it is a fault in wiring.
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

// counter returns the meter's counter for an identity, which remembers it, and
// counts one use unless that is for the status to decide. A counter that is
// remembered may have come to its end: then there is another one, or an error.
func (w *usageWrapper) counter(id *Identity, day int) (c *counted, err error) {
	defer errorsx.Recovered("middleware: the meter", &err)
	memory := id.remembered()
	if memory != nil {
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

// first counts the request itself, where the status does not matter.
func (w *usageWrapper) first(c *counted) error {
	if w.cfg.CountStatus != nil {
		return nil
	}
	return c.add(1)
}

// Day returns the UTC day of t, in days since 1 January 1970.
func Day(t time.Time) int {
	const seconds = 24 * 60 * 60
	return int((t.Unix() - (t.Unix()%seconds+seconds)%seconds) / seconds)
}

// AddUsage adds n further uses, such as the records of an answer, to the
// product of the innermost [Usage] around the handler that ctx belongs to. It
// returns an error if n is not positive, if there is no Usage, or if the meter
// cannot count.
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
