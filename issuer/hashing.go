package issuer

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authtier/authtier/errorsx"
)

// hashing bounds the cores and the memory that all password hashing of the
// process takes together. One core is left for the requests that need no hash.
var hashing = &limiter{slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1))}

// ballast keeps the garbage collector from running for each hash, of which the
// memory is more than all else that a small process has: the requests beside took
// five times as long. It is never written to, and so takes addresses and no
// memory; what hashes leave behind may grow to as much before it is collected.
var ballast = sync.OnceValue(func() []byte { return make([]byte, 64<<20) })

type limiter struct {
	slots   chan struct{}
	waiting atomic.Int64
}

const (
	maxWaiting = 256
	maxWait    = 30 * time.Second
)

// do runs f in one of the slots. Where too many wait, or one would wait too long
// or to its context's deadline, it refuses with AUTH-13 instead.
func (l *limiter) do(ctx context.Context, f func()) error {
	overloaded := &errorsx.Error{
		Code: errorsx.TooManyRequests, RetryAfter: time.Second,
		Err: errors.New("issuer: too many passwords to hash"),
	}
	defer l.waiting.Add(-1)
	if l.waiting.Add(1) > maxWaiting {
		return overloaded
	}
	wait := maxWait
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline)*9/10)
	}
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	select {
	case l.slots <- struct{}{}:
	case <-timeout.C:
		return overloaded
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-l.slots }()
	ballast()
	f()
	return nil
}
