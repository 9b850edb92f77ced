package middleware

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/authtier/authtier/errorsx"
)

// run fetches the set when it is time to, and when it is asked for.
func (r *RemoteKeys) run(ctx context.Context) {
	timer := time.NewTimer(r.cfg.Refresh)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-r.wake:
		}
		r.refresh(ctx)
		next := r.cfg.Refresh
		if r.state.Load().err != nil {
			next = min(next, retryRefresh)
		}
		timer.Reset(next)
	}
}

// search has the set fetched for a key that it does not have, and returns it.
// While the cooldown lasts, it returns the set as it is.
func (r *RemoteKeys) search(ctx context.Context, kid string) (*keySet, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, searchTimeout, errors.New("the set is not fetched in time"))
	defer cancel()
	for {
		f, late := r.join()
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
		// A fetch that had begun before the request may have missed the key.
		if s := r.state.Load(); !late || s.has(kid) {
			return s, nil
		}
	}
}

// join returns the fetch that is asked for or under way, late if it has begun.
// Where there is none, it asks for one if that is allowed, or returns nil.
func (r *RemoteKeys) join() (f *keyFetch, late bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fetch == nil && r.limiter.Allow() {
		r.ask()
	}
	if r.fetch == nil {
		return nil, false
	}
	return r.fetch, r.fetch.begun
}

// ask asks for a fetch. It is called with mu held, or before others know r.
func (r *RemoteKeys) ask() {
	r.fetch = &keyFetch{done: make(chan struct{})}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// refresh fetches the set, for all who have asked until now.
func (r *RemoteKeys) refresh(ctx context.Context) {
	r.mu.Lock()
	select {
	case <-r.wake:
	default:
	}
	if r.fetch == nil {
		r.fetch = &keyFetch{done: make(chan struct{})}
	}
	f := r.fetch
	f.begun = true
	r.mu.Unlock()

	began := time.Now()
	keys, skipped, err := r.get(ctx)
	r.fetches.Add(1)
	if err != nil {
		r.failed.Add(1)
		r.keep(ctx, err)
	} else {
		r.replace(ctx, &keySet{keys: keys, skipped: len(skipped), good: began}, skipped)
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	r.fetch = nil
	close(f.done)
}

// get asks the issuer.
func (r *RemoteKeys) get(ctx context.Context) (keys staticKeys, skipped []error, err error) {
	defer errorsx.Recovered("middleware: RemoteKeys: the client", &err)
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	body, err := remoteBody(r.client, req)
	if err != nil {
		return nil, nil, err
	}
	return parseKeySet(body)
}

// keep goes on with the set as it is, after a fetch that failed.
func (r *RemoteKeys) keep(ctx context.Context, err error) {
	s := *r.state.Load()
	s.err = err
	r.state.Store(&s)
	if ctx.Err() == nil {
		r.log().LogAttrs(ctx, slog.LevelError, "authtier: the key set could not be fetched",
			slog.String("url", r.url), slog.Time("good", s.good), slog.Any("cause", err))
	}
	r.sinks.FreshUntil(s.until.monotonic) // told again, for who takes together what several say
}

// replace uses s from now on. What was validated with a key that is gone is
// forgotten before s makes anybody fresh.
func (r *RemoteKeys) replace(ctx context.Context, s *keySet, skipped []error) {
	until := s.good.Add(r.cfg.MaxAge)
	s.until = limit{until, until.Round(0)}
	old := r.state.Swap(s)
	if gone := old.keys.without(s.keys); len(gone) > 0 {
		r.sinks.Forget(gone...)
	}
	r.sinks.FreshUntil(until)
	why := errors.Join(skipped...)
	if text := errorText(why); text != r.logged {
		r.logged = text
		if why != nil {
			r.log().LogAttrs(ctx, slog.LevelWarn, "authtier: keys of the set are not used", slog.String("url", r.url), slog.Any("cause", why))
		}
	}
}

func (r *RemoteKeys) log() *slog.Logger { return cmp.Or(r.cfg.Log, slog.Default()) }

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// without returns what revokes the tokens of keys that are not in others, or not
// as they were. A key without ID has signed tokens with any kid.
func (ks staticKeys) without(others staticKeys) []Revocation {
	var gone []Revocation
	for kid, k := range ks {
		switch now, ok := others[kid]; {
		case ok && now.is(k.alg, k.key()):
		case kid == "":
			gone = append(gone, Revocation{Kind: KindEverything})
		default:
			gone = append(gone, Revocation{Kind: KindSigningKey, ID: kid})
		}
	}
	return gone
}
