package middleware

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authtier/authtier/errorsx"
)

const (
	maxChecksQueue = 1024

	// After floodFailures failed checks within floodSpan, one core is kept free for
	// floodSpan.
	floodFailures = 100
	floodSpan     = time.Second
)

// checks limits how many signatures are checked at once. Checks may use every core.
// While many of them fail, as in a flood of forged tokens, one core is kept free for
// requests whose credentials are remembered.
//
// A check has failed unless its token was admitted and remembered. A success changes
// nothing: otherwise a flood could hide behind a few good tokens.
type checks struct {
	places chan struct{} // holds an element for each check, and one for a core that is kept free
	queued atomic.Int64  // requests that wait for a place
	start  time.Time

	mu       sync.Mutex
	failures [floodFailures]time.Duration // the times of the last failures since start, as a ring
	failed   int                          // failures so far
	keeping  bool                         // one place is taken so that a core stays free
	until    time.Duration                // the end of keeping
}

func newChecks() *checks {
	return &checks{places: make(chan struct{}, runtime.GOMAXPROCS(0)), start: time.Now()}
}

// enter waits for a place to check a signature. It refuses with AUTH-13 if too many
// requests wait already. The caller must give the place back by leave.
func (c *checks) enter(ctx context.Context) error {
	// A free place needs neither a timer nor the queue.
	select {
	case c.places <- struct{}{}:
		return nil
	default:
	}

	defer c.queued.Add(-1)
	if c.queued.Add(1) > maxChecksQueue {
		return &errorsx.Error{
			Code: errorsx.TooManyRequests, RetryAfter: time.Second,
			Err: errors.New("middleware: Cache: too many signatures to check"),
		}
	}

	timeout := time.NewTimer(flightTimeout)
	defer timeout.Stop()
	select {
	case c.places <- struct{}{}:
		return nil
	case <-timeout.C:
		return &errorsx.Error{Code: errorsx.Internal, Err: errors.New("middleware: Cache: too many signatures to check")}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// leave gives a place back. If the check failed, the place may stay taken for a while
// to keep a core free.
func (c *checks) leave(failed bool) {
	if failed && c.keeps() {
		return
	}
	<-c.places
}

// keeps counts a failure. It reports whether the place of the failed check stays taken
// from now on.
func (c *checks) keeps() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Since(c.start)
	c.failures[c.failed%floodFailures] = now
	c.failed++

	oldest := c.failures[c.failed%floodFailures] // of the last floodFailures, this one included
	if c.failed < floodFailures || now-oldest >= floodSpan {
		return false
	}

	c.until = now + floodSpan
	// A single core cannot be kept free, because then nothing would be checked.
	if c.keeping || cap(c.places) == 1 {
		return false
	}
	c.keeping = true
	time.AfterFunc(floodSpan, c.expire)
	return true
}

// expire ends the keeping of a core, or waits on if failures have extended it.
func (c *checks) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if rest := c.until - time.Since(c.start); rest > 0 {
		time.AfterFunc(rest, c.expire)
		return
	}
	c.keeping = false
	<-c.places
}
