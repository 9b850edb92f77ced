package idp

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware/internal/deadline"
)

// run fetches the set at regular intervals and when a fetch is requested, until ctx
// is done.
func (r *remoteKeys) run(ctx context.Context) {
	timer := time.NewTimer(r.cfg.refresh)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-r.wake:
		}

		r.refresh(ctx)

		next := r.cfg.refresh
		if r.state.Load().err != nil {
			next = min(next, retryRefresh)
		}
		timer.Reset(next)
	}
}

// search waits for a fetch of the set, because it lacks a key, and returns the new
// set. During the cooldown it returns the current set.
func (r *remoteKeys) search(ctx context.Context, kid string, has func(*keySet) bool) (*keySet, error) {
	// Invented kids must not take all the places in which a cache waits for validators.
	select {
	case r.queue <- struct{}{}:
		defer func() { <-r.queue }()
	default:
		return nil, errors.New("too many tokens wait for their keys")
	}

	ctx, cancel := context.WithTimeoutCause(ctx, searchTimeout, errors.New("the set is not fetched in time"))
	defer cancel()
	for {
		f, late := r.join(kid)
		if f == nil {
			return r.state.Load(), nil
		}

		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-r.ended:
			return nil, errors.New("the set is not kept up to date any more")
		}

		// A fetch that had begun before this request may have missed the key.
		if s := r.state.Load(); !late || has(s) {
			return s, nil
		}
	}
}

// join returns the requested or running fetch, and whether it has begun. If there is
// none, it requests one. It returns nil if the cooldown forbids that.
func (r *remoteKeys) join(kid string) (f *keyFetch, late bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fetch == nil && r.limiter.Allow() {
		r.requestFetch(kid)
	}

	if r.fetch == nil {
		return nil, false
	}
	return r.fetch, r.fetch.begun
}

// requestFetch requests a fetch. The caller holds mu, or r is not yet shared.
func (r *remoteKeys) requestFetch(kid string) {
	r.fetch = &keyFetch{kid: kid, done: make(chan struct{})}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// refresh fetches the set, for all requests that have asked until now.
func (r *remoteKeys) refresh(ctx context.Context) {
	r.mu.Lock()
	// This fetch serves the pending request too, so the request is taken back.
	select {
	case <-r.wake:
	default:
	}

	if r.fetch == nil {
		r.fetch = &keyFetch{done: make(chan struct{})}
	}
	f, kid := r.fetch, r.fetch.kid
	f.begun = true
	r.mu.Unlock()

	began := time.Now()
	s, skipped, err := r.get(ctx, kid)
	r.fetches.Add(1)
	if err != nil {
		r.failed.Add(1)
		r.keep(ctx, err)
	} else {
		s.skipped, s.good = len(skipped), began
		r.replace(ctx, s, skipped)
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	r.fetch = nil
	close(f.done)
}

// get reads the set. kid is the ID of a key that a token has asked for, or "".
func (r *remoteKeys) get(ctx context.Context, kid string) (s *keySet, skipped []error, err error) {
	defer errorsx.Recovered("idp: reading the keys", &err)
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	list, skipped, err := r.cfg.read(ctx, kid)
	return &keySet{list: list}, skipped, err
}

// fetchKeys returns a function that fetches the set at url. Redirects to other hosts are
// not followed.
func fetchKeys(client *http.Client, url string) readKeys {
	client = remoteClient(client, sameHost)
	return func(ctx context.Context, _ string) (keyList, []error, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, nil, err
		}
		req.Header.Set("Accept", "application/jwk-set+json, application/json")

		body, err := remoteBody(client, req)
		if err != nil {
			return nil, nil, err
		}
		return parseKeySet(body)
	}
}

// keep records a failed fetch and keeps the current set.
func (r *remoteKeys) keep(ctx context.Context, err error) {
	s := *r.state.Load()
	s.err = err
	r.state.Store(&s)

	if ctx.Err() == nil {
		r.log().LogAttrs(ctx, slog.LevelError, "authtier: the key set could not be read",
			slog.String("keys", r.cfg.name), slog.Time("good", s.good), slog.Any("cause", err))
	}

	// Nothing has changed, but the report lets subscribers notice a set that became too old.
	r.sinks.FreshUntil(s.until.Time())
}

// replace makes s the current set. It revokes the tokens of removed keys before it
// reports s as fresh. Otherwise a cache that was no longer fresh could admit such a
// token in between.
func (r *remoteKeys) replace(ctx context.Context, s *keySet, skipped []error) {
	until := s.good.Add(r.cfg.maxStale)
	s.until = deadline.At(until)

	old := r.state.Swap(s)
	if gone := old.list.without(s.list); len(gone) > 0 {
		r.sinks.Forget(gone...)
	}
	r.sinks.FreshUntil(until)

	why := errors.Join(skipped...)
	// The same problem is logged once, not with every refresh.
	if text := errorText(why); text != r.logged {
		r.logged = text
		if why != nil {
			r.log().LogAttrs(ctx, slog.LevelWarn, "authtier: keys of the set are not used", slog.String("keys", r.cfg.name), slog.Any("cause", why))
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
