package issuer

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	mw "github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// live is what the issuer knows to be revoked, so that a signed token is judged
// without asking the store.
type live struct {
	following sync.Mutex // one follower at a time
	cursor    store.Cursor

	mu       sync.RWMutex
	revoked  map[subject]time.Time // until when it must be remembered
	versions map[subject]uint64    // of clients and users: older tokens are revoked
	unsure   map[subject]bool      // revoked, but the new version could not be read
	purged   time.Time
}

type subject struct {
	kind store.Kind
	id   string
}

const (
	pollEvery   = 400 * time.Millisecond
	pollTimeout = 2 * time.Second
)

// Run follows the store's changes until ctx ends, and returns its cause. It
// brings in what others revoke; what this issuer revokes it knows at once.
func (i *Issuer) Run(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for failing := false; ; {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		err := i.follow(ctx)
		if failed := err != nil; failed != failing {
			failing = failed
			i.log(ctx, failing, err)
		}
	}
}

// log tells of the first failure to follow the store, and of the recovery.
func (i *Issuer) log(ctx context.Context, failing bool, err error) {
	log := i.cfg.Log
	if log == nil {
		log = slog.Default()
	}
	if failing {
		log.ErrorContext(ctx, "authtier: revocations cannot be read", "issuer", i.cfg.Issuer, "cause", err)
	} else {
		log.InfoContext(ctx, "authtier: revocations are read again", "issuer", i.cfg.Issuer)
	}
}

// staleAfter is how long caches may answer after the store was last heard of.
const staleAfter = 30 * time.Second

// follow brings the issuer and its subscribers up to date with the store's
// changes. What is known to be revoked stays so if the store forgets it. It does
// not end with a request that it is for.
func (i *Issuer) follow(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pollTimeout)
	defer cancel()
	l := &i.live
	l.following.Lock()
	defer l.following.Unlock()
	began := time.Now()
	changes, cursor, err := i.cfg.Store.Since(ctx, l.cursor)
	lost := errors.Is(err, store.ErrNotFound)
	if lost {
		changes, cursor, err = i.cfg.Store.Snapshot(ctx)
	}
	if err != nil {
		return err
	}
	if lost {
		i.live.apply(changes, time.Now())
		i.sinks.Forget(mw.Revocation{Kind: mw.KindEverything})
	} else {
		i.apply(changes)
	}
	l.cursor = cursor
	i.sinks.FreshUntil(began.Add(staleAfter))
	return nil
}

// apply makes changes known here and to the subscribers.
func (i *Issuer) apply(changes []store.Change) {
	if len(changes) == 0 {
		return
	}
	i.live.apply(changes, time.Now())
	rs := make([]mw.Revocation, len(changes))
	for n, c := range changes {
		rs[n] = mw.Revocation{Kind: mw.Kind(c.Kind), ID: c.ID} // numbered alike
	}
	i.sinks.Forget(rs...)
}

// Subscribe implements [mw.Source]: caches in front of the issuer follow its
// revocations. Unless [Issuer.Run] runs, they answer for half a minute.
func (i *Issuer) Subscribe(s mw.Sink) (cancel func()) { return i.sinks.Subscribe(s) }

func (l *live) apply(changes []store.Change, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.revoked == nil {
		l.revoked, l.versions, l.unsure = map[subject]time.Time{}, map[subject]uint64{}, map[subject]bool{}
	}
	for _, c := range changes {
		s := subject{c.Kind, c.ID}
		switch c.Kind {
		case store.KindToken, store.KindFamily, store.KindSession:
			l.remember(s, c.Until, now)
		case store.KindClient, store.KindUser:
			l.versions[s] = max(l.versions[s], c.Version)
			delete(l.unsure, s)
		}
	}
	if now.Sub(l.purged) > time.Minute {
		l.purged = now
		maps.DeleteFunc(l.revoked, func(_ subject, until time.Time) bool { return !until.IsZero() && over(now, until) })
	}
}

// remember enters a revocation, and never shortens one. The zero time is for
// ever.
func (l *live) remember(s subject, until, now time.Time) {
	old, known := l.revoked[s]
	switch {
	case known && (old.IsZero() || !until.IsZero() && until.Before(old)):
	case until.IsZero():
		l.revoked[s] = until
	default:
		l.revoked[s] = now.Add(until.Sub(now)) // on both clocks
	}
}

// over reports whether a revocation need not be remembered any more: well after
// its end, by the monotonic clock and by the wall clock, which may step.
func over(now, until time.Time) bool {
	until = until.Add(time.Hour)
	return now.After(until) && now.Round(0).After(until.Round(0))
}

// IsRevoked reports whether the issuer has heard that a token, a family or a
// session, by its ID, is revoked.
func (i *Issuer) IsRevoked(kind store.Kind, id string) bool {
	i.live.mu.RLock()
	defer i.live.mu.RUnlock()
	_, revoked := i.live.revoked[subject{kind, id}]
	return revoked
}

// version returns the version of a client or user that tokens must have: the
// record's own, or a later one that the issuer has heard of. Users from a table
// of one's own have none but that.
func (l *live) version(kind store.Kind, id string, recorded uint64) uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return max(recorded, l.versions[subject{kind, id}])
}

// judge reports whether a token is revoked, by itself or with its family, client
// or user; and if not, whether it may be: its client or user was revoked, and the
// version that newer tokens have is not known yet.
func (l *live) judge(t *store.Token) (revoked, unsure bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	client, user := subject{store.KindClient, t.Client}, subject{store.KindUser, t.User}
	_, token := l.revoked[subject{store.KindToken, t.ID}]
	_, family := l.revoked[subject{store.KindFamily, t.Family}]
	revoked = token || family || l.versions[client] > t.ClientVersion || t.User != "" && l.versions[user] > t.UserVersion
	return revoked, l.unsure[client] || t.User != "" && l.unsure[user]
}

// Revoke revokes what the changes name, in the store and then here: when it
// returns, this issuer refuses it. If the store could be written and not read,
// which is an error too, all tokens of a revoked client or user are AUTH-8 until
// it can. A token or family revoked without Until is remembered for ever.
//
// To revoke a client or user is to revoke the tokens and sessions that hang on
// them. Secrets, API keys and passwords work on: replace or revoke them first.
func (i *Issuer) Revoke(ctx context.Context, cs ...store.Change) error {
	if err := i.cfg.Store.Revoke(ctx, cs...); err != nil {
		return err
	}
	i.apply(cs)
	err := i.follow(ctx)
	if err != nil {
		i.live.doubt(cs)
	}
	return err
}

// doubt notes the clients and users whose new versions could not be read.
func (l *live) doubt(cs []store.Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range cs {
		if c.Kind == store.KindClient || c.Kind == store.KindUser {
			l.unsure[subject{c.Kind, c.ID}] = true
		}
	}
}
