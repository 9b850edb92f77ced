package middleware

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
)

// RemoteKeysConfig configures [RemoteKeys]. The zero value is ready to use.
type RemoteKeysConfig struct {
	// Refresh is how often the set is fetched, and thus how long a key that was
	// withdrawn is still used. If 0, it is five minutes. At least a second.
	Refresh time.Duration

	// MaxAge is how long a set is relied upon when it cannot be fetched again.
	// If 0, it is 24 hours. At least Refresh.
	MaxAge time.Duration

	// Cooldown is the least time between two fetches for the sake of keys that
	// the set does not have. If 0, it is ten seconds. At least a second.
	Cooldown time.Duration

	// Timeout is how long one fetch may take. If 0, it is five seconds.
	Timeout time.Duration

	// AllowEmptyStart has [OpenRemoteKeys] return before the first fetch. Until
	// one succeeds, every token is AUTH-8.
	AllowEmptyStart bool

	// Client fetches the set. Its CheckRedirect is not used. If nil, it is a
	// client with the settings of [http.DefaultTransport].
	Client *http.Client

	// Log receives failed fetches, and which keys of the set are not used. If
	// nil, it is [slog.Default].
	Log *slog.Logger
}

const (
	defaultRefresh  = 5 * time.Minute
	defaultMaxAge   = 24 * time.Hour
	defaultCooldown = 10 * time.Second
	defaultTimeout  = 5 * time.Second
	retryRefresh    = 10 * time.Second // after a fetch that failed
	searchTimeout   = 2 * time.Second  // of a request for a key that is not known
)

// RemoteKeys are the keys that an issuer publishes at a URL (RFC 7517 section
// 5), such as the jwks_uri of its metadata (RFC 8414). Tokens are verified with
// what was fetched last, without asking anybody.
//
// A token whose kid is not in the set has it fetched, once for all requests that
// wait for it and for at most two seconds, so that a new key works from its
// first token on. [RemoteKeysConfig.Cooldown] bounds what made-up kids can
// cause; until it is over they are unknown keys (AUTH-10), and no key that is
// known waits for them. Where the set could not be fetched, a kid that it does
// not have is a failure of ours and not the token's: AUTH-8. A key without a kid
// that is alone verifies tokens of any kid: what takes its place is known with the
// next refresh.
//
// A set that cannot be fetched, is not JSON, is larger than 1 MiB or has no key
// that verifies tokens changes nothing: the last good one is used until MaxAge.
// A single key is skipped if it is malformed, not for signatures, too weak (see
// [CheckKey]), private or symmetric, if an earlier key has its kid, and if it has
// no kid and is not alone. A key without alg is for ES256, ES384, ES512 or EdDSA
// by its curve, or for RS256.
//
// RemoteKeys are a [Source]: a [Cache] around their [JWT] forgets the tokens of
// a key that is withdrawn or replaced. Their methods may be called concurrently.
type RemoteKeys struct {
	url     string
	cfg     RemoteKeysConfig
	client  *http.Client
	limiter *rate.Limiter
	ended   <-chan struct{} // nothing is fetched any more
	cancel  context.CancelFunc
	done    chan struct{} // closed when nothing runs any more
	sinks   Sinks
	state   atomic.Pointer[keySet]

	mu    sync.Mutex
	fetch *keyFetch     // asked for or under way
	wake  chan struct{} // has an element when a fetch was asked for

	logged  string // which keys are not used; of the fetching goroutine
	fetches atomic.Uint64
	failed  atomic.Uint64
}

// A keySet is what was fetched last. It is not changed.
type keySet struct {
	keys    staticKeys
	skipped int
	good    time.Time // when the fetch of keys began
	until   limit     // of relying on them
	err     error     // of the fetches since
}

// A keyFetch is one fetch, for all who wait for it.
type keyFetch struct {
	begun bool // guarded by mu
	done  chan struct{}
}

// OpenRemoteKeys fetches the key set at url, which is https, or http on loopback,
// and keeps it up to date in one goroutine until Close. ctx bounds the first fetch
// alone. Redirects to other hosts are not followed. It returns an error for a config
// out of range, and if the first fetch fails, unless AllowEmptyStart is set. c may be
// nil.
func OpenRemoteKeys(ctx context.Context, url string, c *RemoteKeysConfig) (*RemoteKeys, error) {
	var cfg RemoteKeysConfig
	if c != nil {
		cfg = *c
	}
	cfg.Refresh = cmp.Or(cfg.Refresh, defaultRefresh)
	cfg.MaxAge = cmp.Or(cfg.MaxAge, max(defaultMaxAge, cfg.Refresh))
	cfg.Cooldown = cmp.Or(cfg.Cooldown, defaultCooldown)
	cfg.Timeout = cmp.Or(cfg.Timeout, defaultTimeout)
	if err := errors.Join(remoteURL(url), cfg.check()); err != nil {
		return nil, fmt.Errorf("middleware: OpenRemoteKeys: %w", err)
	}
	r := &RemoteKeys{
		url: url, cfg: cfg, client: remoteClient(cfg.Client, sameHost),
		limiter: rate.NewLimiter(rate.Every(cfg.Cooldown), 1),
		wake:    make(chan struct{}, 1),
		done:    make(chan struct{}),
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r.ended, r.cancel = running.Done(), cancel
	r.state.Store(&keySet{err: errors.New("no key set was fetched yet")})
	if cfg.AllowEmptyStart {
		r.ask()
	} else if r.refresh(ctx); r.state.Load().err != nil {
		cancel()
		return nil, fmt.Errorf("middleware: OpenRemoteKeys: %w", r.state.Load().err)
	}
	go func() {
		defer close(r.done)
		r.run(running)
		r.sinks.FreshUntil(time.Time{}) // what caches remember is not relied upon any more
	}()
	return r, nil
}

// Close ends the fetching and waits for its end. From then on every token is
// AUTH-8, also one that a [Cache] remembers. It returns nil.
func (r *RemoteKeys) Close() error {
	r.cancel()
	<-r.done
	return nil
}

func (cfg RemoteKeysConfig) check() error {
	var errs []error
	if cfg.Refresh < time.Second {
		errs = append(errs, fmt.Errorf("refresh is %v, expected at least 1s", cfg.Refresh))
	}
	if cfg.MaxAge < cfg.Refresh {
		errs = append(errs, fmt.Errorf("max age is %v, expected at least refresh, %v", cfg.MaxAge, cfg.Refresh))
	}
	if cfg.Cooldown < time.Second {
		errs = append(errs, fmt.Errorf("cooldown is %v, expected at least 1s", cfg.Cooldown))
	}
	if cfg.Timeout < 0 {
		errs = append(errs, fmt.Errorf("timeout is %v", cfg.Timeout))
	}
	return errors.Join(errs...)
}

// Key implements [Keys].
func (r *RemoteKeys) Key(ctx context.Context, kid, alg string) (crypto.PublicKey, error) {
	select {
	case <-r.ended:
		return nil, errors.New("middleware: RemoteKeys: closed")
	default:
	}

	s := r.state.Load()
	if kid != "" && !s.has(kid) {
		var err error
		if s, err = r.search(ctx, kid); err != nil {
			return nil, fmt.Errorf("middleware: RemoteKeys: an unknown key: %w", err)
		}
	}
	switch {
	case s.until.past(time.Now()):
		return nil, errors.Join(errors.New("middleware: RemoteKeys: the key set is too old"), s.err)
	case !s.has(kid) && s.err != nil:
		return nil, fmt.Errorf("middleware: RemoteKeys: an unknown key, and the set could not be fetched: %w", s.err)
	}
	return s.keys.Key(ctx, kid, alg)
}

// Knows implements [LocalKeys]. A key without a kid is not looked for.
func (r *RemoteKeys) Knows(kid string) bool { return kid == "" || r.state.Load().has(kid) }

func (s *keySet) has(kid string) bool {
	_, ok := s.keys[kid]
	_, alone := s.keys[""]
	return ok || alone
}

// Subscribe implements [Source]: s is told of keys that are withdrawn or
// replaced, and until when the set is relied upon.
func (r *RemoteKeys) Subscribe(s Sink) (cancel func()) { return r.sinks.Subscribe(s) }

// RemoteKeysStats say how a key set is.
type RemoteKeysStats struct {
	Keys     int       // that verify tokens
	Skipped  int       // of the same set
	Good     time.Time // when the last good fetch began; zero if there was none
	Err      error     // of the fetch after it, or nil
	Fetches  uint64
	Failures uint64
}

// Stats returns how the set is now.
func (r *RemoteKeys) Stats() RemoteKeysStats {
	s := r.state.Load()
	return RemoteKeysStats{
		Keys: len(s.keys), Skipped: s.skipped, Good: s.good, Err: s.err, Fetches: r.fetches.Load(), Failures: r.failed.Load(),
	}
}
