package password

import (
	"context"
	"errors"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/authtier/authtier/errorsx"
)

// hashing limits the cores and the memory of all password hashing in the process. If
// there are two cores or more, one is left for requests that need no hash.
var hashing = newLimiter(max(1, runtime.GOMAXPROCS(0)-1))

// ballast keeps the garbage collector from running every few hashes, because each run
// delays other requests. The memory of a hash is more than everything else in a small
// process. With ballast, garbage may grow to its size before it is collected, if GOGC
// is 100.
//
// ballast is never written to, and so takes address space but no memory. It is at most
// an eighth of the memory limit.
var ballast = sync.OnceValue(func() []byte { return make([]byte, min(256<<20, memoryLimit()/8)) })

// memoryLimit returns how many bytes the process may use, by GOMEMLIMIT or the
// container that it runs in (Linux, cgroup v2).
func memoryLimit() int64 {
	limit := debug.SetMemoryLimit(-1)
	told, err := os.ReadFile("/sys/fs/cgroup/memory.max")
	if err != nil {
		return limit
	}
	if bytes, err := strconv.ParseInt(strings.TrimSpace(string(told)), 10, 64); err == nil {
		limit = min(limit, bytes)
	}
	return limit
}

// limiter runs queued jobs, in at most one goroutine for each core. A goroutine lasts
// until the queue is empty. The goroutines of requests do not hash themselves: with
// every turn the scheduler would move the hashing to another thread, and the other
// goroutines of that thread would wait.
type limiter struct {
	cores int

	mu      sync.Mutex
	running int // goroutines, at most cores
	queue   []*job
	free    []*job
}

type job struct {
	run  func()
	err  error         // of a run that panicked
	done chan struct{} // receives one value after the run
}

func (j *job) start() {
	defer errorsx.Recovered("issuer: hashing", &j.err)
	j.run()
}

const (
	maxWaiting = 256
	maxWait    = 30 * time.Second
)

// newLimiter creates all jobs at once. Their channels then belong to no bubble of
// testing/synctest, so that its clock stands still while a password is hashed.
func newLimiter(cores int) *limiter {
	l := &limiter{cores: cores}
	for range cores + maxWaiting {
		l.free = append(l.free, &job{done: make(chan struct{}, 1)})
	}
	return l
}

// Do runs f, which hashes a password, when its turn among all hashing of the process
// comes. It returns [errorsx.TooManyRequests] if too many wait, or if the wait gets too
// long or comes near the deadline of ctx. If ctx ends first, the error is its cause. If
// f panics, Do returns a fault.
func Do(ctx context.Context, f func()) error { return hashing.do(ctx, f) }

// do runs f when its turn comes. It refuses with AUTH-13 if too many wait, or if the
// wait gets too long or comes near the deadline of ctx. If f panics, do returns an
// error.
func (l *limiter) do(ctx context.Context, f func()) error {
	overloaded := &errorsx.Error{
		Code: errorsx.TooManyRequests, RetryAfter: time.Second,
		Err: errors.New("issuer: too many passwords to hash"),
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}

	j := l.enqueue(f)
	if j == nil {
		return overloaded
	}
	defer l.release(j)

	// The answer must still reach the client before the deadline.
	wait := maxWait
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline)/10*9)
	}
	timeout := time.NewTimer(wait)
	defer timeout.Stop()

	select {
	case <-j.done:
		return j.err
	case <-timeout.C:
		if l.dequeue(j) {
			return overloaded
		}
	case <-ctx.Done():
		if l.dequeue(j) {
			return context.Cause(ctx)
		}
	}

	// Its turn came before it could leave the queue.
	<-j.done
	return j.err
}

// enqueue returns nil if too many jobs wait already.
func (l *limiter) enqueue(f func()) *job {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := len(l.free) - 1
	if last < 0 {
		return nil
	}

	j := l.free[last]
	l.free = l.free[:last]
	j.run = f
	l.queue = append(l.queue, j)

	// If all cores are busy, one of the running goroutines takes the job.
	if l.running < l.cores {
		l.running++
		go l.work()
	}
	return j
}

func (l *limiter) release(j *job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	j.run, j.err = nil, nil
	l.free = append(l.free, j)
}

// dequeue removes j from the queue. It returns false if j runs or has run.
func (l *limiter) dequeue(j *job) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.queue, j)
	if i >= 0 {
		l.queue = slices.Delete(l.queue, i, i+1)
	}
	return i >= 0
}

func (l *limiter) work() {
	ballast()
	for j := l.next(); j != nil; j = l.next() {
		j.start()
		j.done <- struct{}{}
	}
}

// next returns the next job. If there is none, it returns nil and counts the goroutine
// as ended.
func (l *limiter) next() *job {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		l.running--
		return nil
	}
	j := l.queue[0]
	l.queue = slices.Delete(l.queue, 0, 1)
	return j
}
