package idp

import (
	"cmp"
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/internal/deadline"
)

// RemoteKeysConfig configures [RemoteKeys]. The zero value is ready to use.
type RemoteKeysConfig struct {
	// Refresh is the time between fetches of the set, and thus the time for which a
	// withdrawn key still works. If 0, it is five minutes. At least a second.
	Refresh time.Duration

	// MaxAge is the time for which a set is used if it cannot be fetched again. If 0,
	// it is 24 hours, or Refresh if that is longer. At least Refresh.
	MaxAge time.Duration

	// Cooldown is the shortest time between two fetches for keys that the set lacks.
	// If 0, it is ten seconds. At least a second.
	Cooldown time.Duration

	// Timeout bounds one fetch. If 0, it is five seconds. At least a millisecond.
	Timeout time.Duration

	// AllowEmptyStart makes [OpenRemoteKeys] return before the first fetch. Every
	// token is AUTH-8 until a fetch succeeds.
	AllowEmptyStart bool

	// Client fetches the set. Its CheckRedirect is ignored. If nil, a client with the
	// settings of [http.DefaultTransport] is used.
	Client *http.Client

	// Log receives failed fetches and the reasons for which keys are skipped. If nil,
	// it is [slog.Default].
	Log *slog.Logger
}

const (
	defaultRefresh  = 5 * time.Minute
	defaultMaxAge   = 24 * time.Hour
	defaultCooldown = 10 * time.Second
	defaultTimeout  = 5 * time.Second
	minFetchTimeout = time.Millisecond
	retryRefresh    = 10 * time.Second // after a failed fetch
	searchTimeout   = 2 * time.Second  // for a request whose key the set lacks
)

// RemoteKeys are the keys that an issuer publishes at a URL (RFC 7517 section 5),
// such as the jwks_uri of its metadata (RFC 8414). Tokens are verified with the set
// that was fetched last, without waiting for the network.
//
// If the set lacks a token's kid, the set is fetched again, so that the first token
// with a new key is accepted. Such a token waits for at most two seconds. All
// requests that wait share one fetch. [RemoteKeysConfig.Cooldown] limits these
// fetches, because clients can invent kids. During the cooldown such kids are unknown
// keys (AUTH-10). Tokens with known kids never wait. If the last fetch failed, an
// unknown kid is a failure of the server (AUTH-8), not of the token. A single key
// without a kid verifies tokens with any kid; the key that replaces it is found only
// by the next refresh.
//
// If a set cannot be fetched, is not JSON, is larger than 1 MiB or has no key that
// verifies tokens, the last good set is used until MaxAge. A single key is skipped if
// it is malformed, not for signatures, too weak (see [StaticKeys]), an RSA key of more
// than 8192 bits, private or symmetric. It is also skipped if an earlier key has its
// kid, or if it has no kid and is not the only key. A key without alg is for ES256,
// ES384, ES512 or EdDSA by its curve, or for RS256.
//
// RemoteKeys are a [middleware.Source]: a [middleware.Cache] around a [JWT] with these keys forgets the
// tokens of a key that is withdrawn or replaced. RemoteKeys are safe for concurrent
// use.
type RemoteKeys struct {
	url     string
	lists   bool // see openKeys
	cfg     RemoteKeysConfig
	client  *http.Client
	limiter *rate.Limiter
	ended   <-chan struct{} // closed when no more fetches begin
	cancel  context.CancelFunc
	done    chan struct{} // closed when the goroutine has ended
	sinks   middleware.Sinks
	state   atomic.Pointer[keySet]

	mu    sync.Mutex
	fetch *keyFetch     // requested or under way
	wake  chan struct{} // holds an element when a fetch was requested

	logged  string // the last skipped keys in the log; used only by the fetching goroutine
	fetches atomic.Uint64
	failed  atomic.Uint64
}

// A keySet is the set that was fetched last. It must not be changed.
type keySet struct {
	keys    staticKeys
	list    keyList // the same keys in a form that keeps several keys of one kid
	skipped int
	good    time.Time         // when the fetch of keys began
	until   deadline.Deadline // when the set becomes too old
	err     error             // of the last fetch since, or nil
}

// A keyFetch is one fetch, shared by all requests that wait for it.
type keyFetch struct {
	begun bool // guarded by mu
	done  chan struct{}
}

// OpenRemoteKeys fetches the key set at url and keeps it up to date in a goroutine
// until Close. url must be https, or http on loopback. ctx bounds only the first
// fetch. Redirects to other hosts are not followed. c may be nil.
//
// It returns an error that names every fault if ctx is nil, or if url or a field of c
// is invalid. It also returns an error if the first fetch fails, unless AllowEmptyStart
// is set.
func OpenRemoteKeys(ctx context.Context, url string, c *RemoteKeysConfig) (*RemoteKeys, error) {
	var cfg RemoteKeysConfig
	if c != nil {
		cfg = *c
	}
	cfg.Refresh = cmp.Or(cfg.Refresh, defaultRefresh)
	cfg.MaxAge = cmp.Or(cfg.MaxAge, max(defaultMaxAge, cfg.Refresh))
	cfg.Cooldown = cmp.Or(cfg.Cooldown, defaultCooldown)
	cfg.Timeout = cmp.Or(cfg.Timeout, defaultTimeout)
	errs := []error{remoteURL(url), cfg.check()}
	if ctx == nil {
		errs = append(errs, errors.New("nil Context"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("idp: OpenRemoteKeys: %w", err)
	}

	return openKeys(ctx, url, cfg, false)
}

// openKeys opens keys whose configuration is checked. If lists is set, they are used
// through find alone, and revocations name keys as a keyList does.
func openKeys(ctx context.Context, url string, cfg RemoteKeysConfig, lists bool) (*RemoteKeys, error) {
	r := &RemoteKeys{
		lists: lists,
		url:   url, cfg: cfg, client: remoteClient(cfg.Client, sameHost),
		limiter: rate.NewLimiter(rate.Every(cfg.Cooldown), 1),
		wake:    make(chan struct{}, 1),
		done:    make(chan struct{}),
	}

	// ctx bounds only the first fetch. Later ones keep its values, but not its end.
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r.ended, r.cancel = running.Done(), cancel
	r.state.Store(&keySet{err: errors.New("no key set was fetched yet")})

	if cfg.AllowEmptyStart {
		r.requestFetch()
	} else if r.refresh(ctx); r.state.Load().err != nil {
		cancel()
		return nil, fmt.Errorf("idp: OpenRemoteKeys: %w", r.state.Load().err)
	}

	go func() {
		defer close(r.done)
		r.run(running)
		// From now on no cache may use the identities that it remembers.
		r.sinks.FreshUntil(time.Time{})
	}()
	return r, nil
}

// Close stops the fetching and waits until its goroutine has ended. From then on
// every token is AUTH-8, even one that a [middleware.Cache] remembers. Close always returns nil.
func (r *RemoteKeys) Close() error {
	r.cancel()
	<-r.done
	return nil
}

func (cfg RemoteKeysConfig) check() error {
	var errs []error
	if cfg.Refresh < time.Second {
		errs = append(errs, fmt.Errorf("the Refresh is %v, expected at least 1s", cfg.Refresh))
	}
	if cfg.MaxAge < cfg.Refresh {
		errs = append(errs, fmt.Errorf("the MaxAge is %v, expected at least the Refresh, %v", cfg.MaxAge, cfg.Refresh))
	}
	if cfg.Cooldown < time.Second {
		errs = append(errs, fmt.Errorf("the Cooldown is %v, expected at least 1s", cfg.Cooldown))
	}
	if cfg.Timeout < minFetchTimeout {
		errs = append(errs, fmt.Errorf("the Timeout is %v, expected at least %v: a number without a unit is nanoseconds", cfg.Timeout, minFetchTimeout))
	}
	return errors.Join(errs...)
}

// Key implements [Keys].
func (r *RemoteKeys) Key(ctx context.Context, kid, alg string) (crypto.PublicKey, error) {
	select {
	case <-r.ended:
		return nil, errors.New("idp: RemoteKeys: closed")
	default:
	}

	s := r.state.Load()
	if kid != "" && !s.has(kid) {
		var err error
		if s, err = r.search(ctx, func(s *keySet) bool { return s.has(kid) }); err != nil {
			return nil, fmt.Errorf("idp: RemoteKeys: an unknown key: %w", err)
		}
	}

	switch {
	case s.until.Passed(time.Now()):
		return nil, errors.Join(errors.New("idp: RemoteKeys: the key set is too old"), s.err)
	// The set may lack the key only because the fetch failed.
	case !s.has(kid) && s.err != nil:
		return nil, fmt.Errorf("idp: RemoteKeys: an unknown key, and the set could not be fetched: %w", s.err)
	}
	return s.keys.Key(ctx, kid, alg)
}

// find returns the current list of keys. If it lacks the kid, the set is fetched first.
func (r *RemoteKeys) find(ctx context.Context, kid string) (keyList, error) {
	select {
	case <-r.ended:
		return nil, errors.New("idp: the verifier is closed")
	default:
	}

	s, has := r.state.Load(), func(s *keySet) bool { return s.list.has(kid) }
	if kid != "" && !has(s) {
		var err error
		if s, err = r.search(ctx, has); err != nil {
			return nil, fmt.Errorf("idp: an unknown key: %w", err)
		}
	}

	switch {
	case s.until.Passed(time.Now()):
		return nil, errors.Join(errors.New("idp: the key set is too old"), s.err)
	// The set may lack the key only because the fetch failed.
	case kid != "" && !has(s) && s.err != nil:
		return nil, fmt.Errorf("idp: an unknown key, and the set could not be fetched: %w", s.err)
	}
	return s.list, nil
}

// Knows implements [OfflineKeys]. The set is never fetched for a token without a kid.
func (r *RemoteKeys) Knows(kid string) bool { return kid == "" || r.state.Load().has(kid) }

func (s *keySet) has(kid string) bool {
	_, ok := s.keys[kid]
	_, alone := s.keys[""]
	return ok || alone
}

// Subscribe implements [middleware.Source]. s learns of keys that are withdrawn or replaced, and
// of the time until which the set is used.
func (r *RemoteKeys) Subscribe(s middleware.Sink) (cancel func()) { return r.sinks.Subscribe(s) }

// RemoteKeysStats describe the state of a key set.
type RemoteKeysStats struct {
	Keys     int       // keys of the set that verify tokens
	Skipped  int       // skipped keys of the same set
	Good     time.Time // when the last good fetch began; zero if there was none
	Err      error     // of the last fetch, if it failed
	Fetches  uint64    // fetches so far
	Failures uint64    // failed fetches so far
}

// Stats returns the current state of the set.
func (r *RemoteKeys) Stats() RemoteKeysStats {
	s := r.state.Load()
	return RemoteKeysStats{
		Keys: len(s.keys), Skipped: s.skipped, Good: s.good, Err: s.err, Fetches: r.fetches.Load(), Failures: r.failed.Load(),
	}
}
