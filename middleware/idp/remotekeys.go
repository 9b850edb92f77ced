package idp

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/internal/deadline"
)

const (
	defaultRefresh  = 5 * time.Minute
	defaultMaxStale = 24 * time.Hour
	cooldown        = 10 * time.Second // between two fetches for keys that the set lacks
	fetchTimeout    = 5 * time.Second
	retryRefresh    = 10 * time.Second // after a failed fetch
	searchTimeout   = 2 * time.Second  // for a request whose key the set lacks
	maxWaiting      = 128              // requests at once whose key the set lacks
)

var errClosed = errors.New("idp: the verifier is closed")

// remoteKeys are the keys of a set that changes. Tokens are verified with the set that
// was read last, without waiting for the network.
//
// If the set lacks a token's kid, it is read again, so that the first token with a new
// key is accepted. Such a token waits for at most searchTimeout, and all requests that
// wait share one read. The cooldown limits these reads, because clients can invent kids.
// If the last read failed, an unknown kid is a failure of the server and not of the
// token.
//
// A set that cannot be read, or has no key that verifies tokens, is an error. The last
// good set is then used until maxStale.
type remoteKeys struct {
	cfg     keyConfig
	limiter *rate.Limiter
	ended   <-chan struct{} // closed when no more reads begin
	cancel  context.CancelFunc
	done    chan struct{} // closed when the goroutine has ended
	sinks   middleware.Sinks
	state   atomic.Pointer[keySet]

	mu    sync.Mutex
	fetch *keyFetch     // requested or under way
	wake  chan struct{} // holds an element when a read was requested
	queue chan struct{} // holds an element for each request that waits for a read

	logged  string // the last skipped keys in the log; used only by the reading goroutine
	fetches atomic.Uint64
	failed  atomic.Uint64
}

// A keyConfig says where the keys are and how often they are read.
type keyConfig struct {
	read              readKeys
	name              string // of the place, for the log
	refresh, maxStale time.Duration
	emptyStart        bool
	log               *slog.Logger
}

// readKeys reads a set: its keys, and the reasons for which others are skipped. kid is
// the ID of a key that a token has asked for, or "".
type readKeys func(ctx context.Context, kid string) (keys keyList, skipped []error, err error)

// A keySet is the set that was read last. It must not be changed.
type keySet struct {
	list    keyList
	skipped int
	good    time.Time         // when the last good read began
	until   deadline.Deadline // when the set becomes too old
	err     error             // of the last read since, or nil
}

// A keyFetch is one read, shared by all requests that wait for it.
type keyFetch struct {
	kid   string // of the first token that has asked for it, or ""
	begun bool   // guarded by mu
	done  chan struct{}
}

// openKeys reads the set and keeps it up to date in a goroutine until close. ctx bounds
// only the first read. It returns an error if that fails, unless emptyStart is set.
func openKeys(ctx context.Context, cfg keyConfig) (*remoteKeys, error) {
	r := &remoteKeys{
		cfg:     cfg,
		limiter: rate.NewLimiter(rate.Every(cooldown), 1),
		wake:    make(chan struct{}, 1),
		queue:   make(chan struct{}, maxWaiting),
		done:    make(chan struct{}),
	}

	// ctx bounds only the first read. Later ones keep its values, but not its end.
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r.ended, r.cancel = running.Done(), cancel
	r.state.Store(&keySet{err: errors.New("no key set was read yet")})

	if cfg.emptyStart {
		r.requestFetch("")
	} else if r.refresh(ctx); r.state.Load().err != nil {
		cancel()
		return nil, r.state.Load().err
	}

	go func() {
		defer close(r.done)
		r.run(running)
		// From now on no cache may use the identities that it remembers.
		r.sinks.FreshUntil(time.Time{})
	}()
	return r, nil
}

// close stops the reading and waits until its goroutine has ended.
func (r *remoteKeys) close() {
	r.cancel()
	<-r.done
}

// find returns the current list of keys. If it lacks the kid, the set is read first.
func (r *remoteKeys) find(ctx context.Context, kid string) (keyList, error) {
	select {
	case <-r.ended:
		return nil, errClosed
	default:
	}

	s, has := r.state.Load(), func(s *keySet) bool { return s.list.has(kid) }
	if kid != "" && !has(s) {
		var err error
		if s, err = r.search(ctx, kid, has); err != nil {
			return nil, errors.Join(errors.New("idp: an unknown key"), err)
		}
	}

	switch {
	case s.until.Passed(time.Now()):
		return nil, errors.Join(errors.New("idp: the key set is too old"), s.err)
	// The set may lack the key only because the read failed.
	case kid != "" && !has(s) && s.err != nil:
		return nil, errors.Join(errors.New("idp: an unknown key, and the set could not be read"), s.err)
	}
	return s.list, nil
}

func (r *remoteKeys) log() *slog.Logger { return cmp.Or(r.cfg.log, slog.Default()) }
