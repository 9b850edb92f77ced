package idp

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authtier/authtier/middleware"
)

// A trusted issuer is a Config that is in use.
type trusted struct {
	cfg    Config
	types  []string // the accepted types, in the form in which they are compared
	static keyList
	finder Keys // the program's own Keys, if they are neither static nor of a storage
	stored *storedKeys
	sinks  middleware.Sinks
	known  atomic.Pointer[knownHeader] // the header of the last genuine token

	// checking limits the signature checks at once, for an issuer with Own: a cache does
	// not limit validations that ask a store. It is nil for any other.
	checking chan struct{}

	dropped  atomic.Uint64 // elements that were no scope tokens
	admitted atomic.Bool   // whether a token was ever accepted

	mu      sync.Mutex
	remote  *remoteKeys // nil if no set is read, or not yet
	opening error       // why the last attempt to find the set failed
	closed  bool
	retry   *time.Timer
	cancel  func() // ends the subscription to finder, or nil
}

// newTrusted returns the issuer of cfg, neither checked nor opened yet.
func newTrusted(cfg Config) *trusted {
	t := &trusted{cfg: cfg.withDefaults()}
	if cfg.Own != nil {
		t.checking = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1))
	}
	for _, typ := range t.cfg.Types {
		t.types = append(t.types, mediaType(typ))
	}
	switch ks := cfg.Keys.(type) {
	case nil:
	case staticKeys:
		t.static = ks.list
	case *storedKeys:
		t.stored = ks
	default:
		t.finder = ks
	}
	return t
}

// open finds and reads the key set.
func (t *trusted) open(ctx context.Context) error {
	if t.finder != nil || t.static != nil && t.cfg.JWKSURL == "" {
		if source, ok := t.finder.(middleware.Source); ok {
			t.cancel = source.Subscribe(&t.sinks)
			return nil
		}
		// Nothing withdraws these keys.
		t.sinks.FreshUntil(time.Now().Add(forever))
		return nil
	}
	err := t.find(ctx)
	if err != nil && t.cfg.AllowEmptyStart {
		t.tryAgain()
		return nil
	}
	return err
}

// find finds the key set and begins to read it.
func (t *trusted) find(ctx context.Context) error {
	cfg := keyConfig{refresh: t.cfg.Refresh, maxStale: t.cfg.MaxStale, emptyStart: t.cfg.AllowEmptyStart, log: t.cfg.Log}
	if t.stored != nil {
		cfg.read, cfg.name = t.stored.read, "keyfunc"
	} else {
		url, err := t.jwksURL(ctx)
		if err != nil {
			t.failed(err)
			return err
		}
		cfg.read, cfg.name = fetchKeys(t.cfg.HTTPClient, url), url
	}

	remote, err := openKeys(ctx, cfg)
	if err != nil {
		t.failed(err)
		return err
	}

	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		remote.close()
		return nil
	}
	t.remote, t.opening = remote, nil
	remote.sinks.Subscribe(&t.sinks)
	return nil
}

// jwksURL returns the configured URL of the key set, or the one in the metadata.
func (t *trusted) jwksURL(ctx context.Context) (string, error) {
	if t.cfg.JWKSURL != "" {
		return t.cfg.JWKSURL, nil
	}
	return t.cfg.discover(ctx, keySetURL)
}

func (t *trusted) failed(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.opening = err
}

// tryAgain looks for the key set again until it is found. Only an issuer with
// AllowEmptyStart starts without it.
func (t *trusted) tryAgain() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	t.retry = time.AfterFunc(retryRefresh, func() {
		if t.find(context.Background()) != nil {
			t.tryAgain()
		}
	})
}

// close stops everything that open has started.
func (t *trusted) close() {
	t.mu.Lock()
	remote, cancel := t.remote, t.cancel
	t.closed = true
	if t.retry != nil {
		t.retry.Stop()
	}
	t.mu.Unlock()

	if remote != nil {
		remote.close()
	}
	if cancel != nil {
		cancel()
	}
	t.sinks.FreshUntil(time.Time{})
}

func (t *trusted) isClosed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.closed
}

// offline reports whether a token with that kid is judged without asking another
// service.
func (t *trusted) offline(kid string) bool {
	return t.cfg.Own == nil && (kid == "" && t.finder == nil || t.knows(kid))
}

// knows reports whether the keys for kid are at hand.
func (t *trusted) knows(kid string) bool {
	if t.finder != nil {
		offline, ok := t.finder.(OfflineKeys)
		return ok && offline.Knows(kid)
	}
	t.mu.Lock()
	remote := t.remote
	t.mu.Unlock()
	return t.static.has(kid) || remote == nil || remote.state.Load().list.has(kid)
}

func (t *trusted) stats() IssuerStats {
	t.mu.Lock()
	remote, opening := t.remote, t.opening
	t.mu.Unlock()

	s := IssuerStats{Issuer: t.cfg.Issuers[0], Keys: len(t.static), Err: opening, DroppedScopes: t.dropped.Load()}
	if remote != nil {
		set := remote.state.Load()
		s.Keys += len(set.list)
		s.Skipped, s.Good, s.Err = set.skipped, set.good, set.err
		s.Reads, s.Failures = remote.fetches.Load(), remote.failed.Load()
	}
	return s
}
