package issuer

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

// hashing bounds the cores and the memory that all password hashing of the
// process takes together. Where there are two cores, one is left for the requests
// that need no hash.
var hashing = newLimiter(max(1, runtime.GOMAXPROCS(0)-1))

// ballast keeps the garbage collector from running every few hashes, of which the
// memory is more than all else that a small process has: each run holds up the
// requests beside. It is never written to, and so takes addresses and no memory;
// what hashes leave behind may grow to as much before it is collected, if GOGC is
// 100. It takes no more than an eighth of the memory that there is.
var ballast = sync.OnceValue(func() []byte { return make([]byte, min(256<<20, memoryLimit()/8)) })

// memoryLimit is how many bytes the process may take, as far as it has been told: by
// GOMEMLIMIT, or by the container that it runs in (Linux, cgroup v2).
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

// limiter runs what is queued one after the other, in a goroutine for each core
// that lasts while there is something to run. The goroutines of the requests do
// not take turns at it: the scheduler would move the hashing to another thread
// with every turn, and what runs there would wait.
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
	done chan struct{} // told once when it has run
}

func (j *job) start() {
	defer errorsx.Recovered("issuer: hashing", &j.err)
	j.run()
}

const (
	maxWaiting = 256
	maxWait    = 30 * time.Second
)

// newLimiter makes all jobs at once. Their channels belong to no bubble of
// testing/synctest, whose clock therefore stands still while a password is hashed.
func newLimiter(cores int) *limiter {
	l := &limiter{cores: cores}
	for range cores + maxWaiting {
		l.free = append(l.free, &job{done: make(chan struct{}, 1)})
	}
	return l
}

// do runs f when it is its turn. Where too many wait, or one would wait too long
// or to its context's deadline, it refuses with AUTH-13 instead. A panic of f is
// an error.
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
	<-j.done // its turn has come
	return j.err
}

// enqueue returns nil where too many wait already.
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

// dequeue reports false where the job's turn has come.
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

// next returns nil where nothing is queued, and counts the goroutine as ended.
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
