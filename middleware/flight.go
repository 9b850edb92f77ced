package middleware

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authtier/authtier/errorsx"
)

// A flight is one call of the validator. All requests that wait for the same
// credential share it. It continues even if the request that started it ends.
type flight struct {
	deadline time.Time
	done     chan struct{} // closed when the fields below are set
	id       *Identity
	err      error
	number   uint64
}

// fly joins the flight for a credential, or starts one, and returns its result.
func (c *Cache) fly(ctx context.Context, k cacheKey, cred Credential) (*Identity, uint64, error) {
	f, err := c.board(ctx, k, cred)
	if err != nil {
		return nil, 0, err
	}

	timeout := time.NewTimer(time.Until(f.deadline))
	defer timeout.Stop()
	select {
	case <-f.done:
		return f.id, f.number, f.err
	case <-ctx.Done():
		return nil, 0, context.Cause(ctx)
	case <-timeout.C:
		c.leave(k, f)
		return nil, 0, &errorsx.Error{Code: errorsx.Internal, Err: errors.New("middleware: Cache: the validator does not answer")}
	}
}

// board returns the flight for a credential, and starts one if there is none. It
// returns AUTH-8 if too many flights are under way.
func (c *Cache) board(ctx context.Context, k cacheKey, cred Credential) (*flight, error) {
	s := c.shard(&k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.inFlight[k]; f != nil {
		return f, nil
	}

	select {
	case c.flying <- struct{}{}:
	default:
		return nil, &errorsx.Error{Code: errorsx.Internal, Err: errors.New("middleware: Cache: too many validations under way")}
	}

	f := &flight{deadline: time.Now().Add(flightTimeout), done: make(chan struct{})}
	s.inFlight[k] = f
	s.stats.Flights++

	// The flight must not end with the request that starts it: others may wait for
	// it.
	go func() {
		defer func() { <-c.flying }()
		ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), f.deadline)
		defer cancel()
		defer func() {
			// No caller recovers in this goroutine, so every panic must end here,
			// http.ErrAbortHandler included. Neither an identity nor an error means
			// that the validator called runtime.Goexit.
			if p := recover(); p != nil || f.id == nil && f.err == nil {
				f.id, f.err = nil, errorsx.Fault(fmt.Errorf("middleware: the validator ended with %v", p))
			}
			c.leave(k, f)
			close(f.done)
		}()
		f.id, f.number, f.err = c.validate(ctx, k, cred, true)
	}()
	return f, nil
}

// leave removes a flight from the table, so that the next request starts another one.
func (c *Cache) leave(k cacheKey, f *flight) {
	s := c.shard(&k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inFlight[k] == f {
		delete(s.inFlight, k)
	}
}
