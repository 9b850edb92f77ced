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
	// refuses the request as ours (AUTH-8); the function's error too. Both may
	// be called concurrently.
	Counter(day int, issuer, client string) (add func(n int64) error, err error)
}

type usageWrapper struct{ meter Meter }

// counted is what one Usage wrapper does for one request: add to a counter. One
// that stands in no other is remembered by its identity.
type counted struct {
	wrapper *usageWrapper
	day     int
	add     func(n int64) error
	outer   *counted
}

// Usage counts one use of m by the request's client before the handler runs, on
// the UTC day on which the request was admitted. It stands behind the wrappers
// that refuse: only admitted requests count, whatever the handler then answers.
// What Usage returns counts a request once, however often it stands in its way;
// two calls of Usage count twice, for one product too.
//
// A request that nobody authenticated is a fault in wiring, and is not counted.
// It panics if m is nil.
func Usage(m Meter) Wrapper {
	if m == nil {
		panic("middleware: Usage: nil Meter")
	}
	u := &usageWrapper{m}
	return func(next http.Handler) http.Handler {
		notNil("Usage", next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, r := join(r)
			if err := u.count(s); err != nil {
				ew, _ := s.writer()
				ew.Resource(w, r, "", err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func (w *usageWrapper) count(s *state) (err error) {
	id := s.identity.Load()
	if id == nil {
		return errorsx.Fault(errors.New("middleware: Usage: no wrapper has authenticated the request"))
	}
	outer := s.usage.Load()
	for u := outer; u != nil; u = u.outer {
		if u.wrapper == w {
			return nil
		}
	}
	defer errorsx.Recovered("middleware: the meter", &err)
	c, err := w.counter(id, Day(s.now))
	if err == nil {
		err = c.add(1)
	}
	if err != nil {
		return &errorsx.Error{Code: errorsx.Internal, Client: id.Client, Err: fmt.Errorf("middleware: Usage: %w", err)}
	}
	if outer != nil {
		c = &counted{wrapper: w, day: c.day, add: c.add, outer: outer}
	}
	s.usage.Store(c)
	return nil
}

// counter returns the meter's counter for an identity, which remembers it.
func (w *usageWrapper) counter(id *Identity, day int) (*counted, error) {
	memory := id.remembered()
	if memory != nil {
		if c := memory.counted.Load(); c != nil && c.wrapper == w && c.day == day {
			return c, nil
		}
	}
	add, err := w.meter.Counter(day, id.Issuer, id.Client)
	if err != nil {
		return nil, err
	}
	c := &counted{wrapper: w, day: day, add: add}
	if memory != nil {
		memory.counted.Store(c)
	}
	return c, nil
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
	if s == nil || s.usage.Load() == nil {
		return errors.New("middleware: AddUsage: no Usage wrapper counts this request")
	}
	return s.usage.Load().add(n)
}
