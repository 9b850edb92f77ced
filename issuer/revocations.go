package issuer

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// revocations are what the issuer knows to be revoked, so that a signed token is judged
// without asking the store.
type revocations struct {
	following chan struct{} // a place for one follower
	cursor    store.Cursor
	began     time.Time                 // when the last good reading did
	fresh     atomic.Pointer[time.Time] // until when what is known may be relied on

	mu      sync.RWMutex
	revoked revokedSet // tokens, families and sessions
	clients versions
	users   versions
	unsure  map[subject]time.Time // revoked then, and the new version was not read since
	purged  time.Time
	longest time.Duration // that an access token lives
}

// versions are those of clients or users, by their IDs: older tokens are revoked.
type versions map[string]uint64

// versions returns those of a kind.
func (r *revocations) versions(kind store.Kind) versions {
	if kind == store.KindUser {
		return r.users
	}
	return r.clients
}

type subject struct {
	kind store.Kind
	id   string
}

func newRevocations(longest time.Duration) revocations {
	return revocations{
		following: make(chan struct{}, 1), longest: longest,
		revoked: newRevokedSet(), clients: versions{}, users: versions{}, unsure: map[subject]time.Time{},
	}
}

// apply makes changes known here and to the subscribers.
func (i *Issuer) apply(changes []store.Change) {
	if len(changes) == 0 {
		return
	}
	i.revocations.apply(changes, time.Now())
	rs := make([]middleware.Revocation, len(changes))
	for n, c := range changes {
		rs[n] = middleware.Revocation{Kind: middleware.Kind(c.Kind), ID: c.ID}
	}
	i.sinks.Forget(rs...)
}

// The kinds are numbered alike, or this does not compile.
var _ = [1]struct{}{}[middleware.KindSigningKey-middleware.Kind(store.KindSigningKey)]

// Subscribe implements [middleware.Source]: caches in front of the issuer follow its
// revocations. Unless [Issuer.Run] runs, they answer for half a minute, as the
// issuer itself does.
func (i *Issuer) Subscribe(s middleware.Sink) (cancel func()) { return i.sinks.Subscribe(s) }

func (r *revocations) apply(changes []store.Change, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range changes {
		switch c.Kind {
		case store.KindToken, store.KindFamily:
			r.revoked.add(c.Kind, c.ID, r.remembered(c.Until, now), now)
		case store.KindSession:
			r.revoked.add(c.Kind, c.ID, c.Until, now)
		case store.KindClient, store.KindUser:
			known := r.versions(c.Kind)
			known[c.ID] = max(known[c.ID], c.Version)
		}
	}
	if now.Sub(r.purged) > time.Minute {
		r.purged = now
		r.revoked.purge(now)
	}
}

// remembered returns until when the revocation of a token or family is remembered:
// never less than the life of a token that is made now. A program that writes a
// revocation into the store itself may give too early an end, such as the present.
// Refresh tokens need no memory, since the store deletes them.
func (r *revocations) remembered(until, now time.Time) time.Time {
	if least := now.Add(r.longest); !until.IsZero() && until.Before(least) {
		return least
	}
	return until
}

// noteTTL notes that an access token lives for that long.
func (r *revocations) noteTTL(ttl time.Duration) {
	r.mu.RLock()
	known := ttl <= r.longest
	r.mu.RUnlock()
	if known {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.longest = max(r.longest, ttl)
}

// isStale reports whether the store was last heard of too long ago, by one of
// the clocks: the monotonic one stands still while the machine sleeps.
func (r *revocations) isStale(now time.Time) bool {
	fresh := r.fresh.Load()
	return fresh == nil || now.After(*fresh) || now.Round(0).After(fresh.Round(0))
}

// version returns the version of a client or user that tokens must have: the
// record's own, or a later one that the issuer has heard of. Users from a table
// of one's own have none but that.
func (r *revocations) version(kind store.Kind, id string, recorded uint64) uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return max(recorded, r.versions(kind)[id])
}

// of reports whether a token is revoked, by itself or with its family, client
// or user; and if not, whether it may be: its client or user was revoked, and the
// version that newer tokens have is not known yet.
func (r *revocations) of(t *store.Token) (revoked, unsure bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	revoked = r.revoked.has(store.KindToken, t.ID) || r.revoked.has(store.KindFamily, t.Family) ||
		r.clients[t.Client] > t.ClientVersion || t.User != "" && r.users[t.User] > t.UserVersion
	_, unsure = r.unsure[subject{store.KindClient, t.Client}]
	if !unsure && t.User != "" {
		_, unsure = r.unsure[subject{store.KindUser, t.User}]
	}
	return revoked, unsure
}

// revoke revokes what the changes name, in the store and then here: when it
// returns, this issuer refuses it. Until the store is read again, all tokens of a
// revoked client or user are AUTH-8; if it can be written and not read, that is an
// error too. ctx is a lasting one.
func (i *Issuer) revoke(ctx context.Context, cs ...store.Change) error {
	if i.closed.Load() {
		return errClosed
	}
	cs = i.revocations.beyond(cs)
	if err := i.db.Revoke(ctx, cs...); err != nil {
		return err
	}
	i.revocations.doubt(cs)
	i.apply(cs)
	return i.follow(ctx)
}

// beyond returns changes that raise clients and users beyond the versions that
// are known of them, which a store that went back in time has not.
func (r *revocations) beyond(cs []store.Change) []store.Change {
	r.mu.RLock()
	defer r.mu.RUnlock()
	cs = slices.Clone(cs)
	for n, c := range cs {
		if c.Kind == store.KindClient || c.Kind == store.KindUser {
			cs[n].Version = max(c.Version, r.versions(c.Kind)[c.ID])
		}
	}
	return cs
}

// doubt notes the clients and users whose new versions are not read yet.
func (r *revocations) doubt(cs []store.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range cs {
		if c.Kind == store.KindClient || c.Kind == store.KindUser {
			r.unsure[subject{c.Kind, c.ID}] = time.Now()
		}
	}
}

// believe ends the doubts from before a good reading began.
func (r *revocations) believe(began time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.unsure, func(_ subject, since time.Time) bool { return since.Before(began) })
}

// forgotten returns the changes by which a store learns again of versions that
// are higher than those it has.
func (r *revocations) forgotten(snapshot []store.Change) (cs []store.Change) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	has := map[subject]uint64{}
	for _, c := range snapshot {
		has[subject{c.Kind, c.ID}] = c.Version
	}
	for _, kind := range []store.Kind{store.KindClient, store.KindUser} {
		for id, version := range r.versions(kind) {
			if version > max(1, has[subject{kind, id}]) {
				cs = append(cs, store.Change{Kind: kind, ID: id, Version: version})
			}
		}
	}
	return cs
}

// revokeFor revokes a token or family for a client. A client that has revoked very
// many loses all of its tokens instead.
func (i *Issuer) revokeFor(ctx context.Context, client string, c store.Change) error {
	r := &i.revocations
	r.mu.RLock()
	tooMany := r.revoked.byClient[client] >= maxRevoked
	r.mu.RUnlock()
	if !tooMany {
		err := i.revoke(ctx, c)
		r.mu.Lock()
		r.revoked.charge(c.Kind, c.ID, client)
		r.mu.Unlock()
		return err
	}
	if err := i.revoke(ctx, store.Change{Kind: store.KindClient, ID: client}); err != nil {
		return err
	}
	r.mu.Lock()
	r.revoked.drop(client)
	r.mu.Unlock()
	return nil
}

// checkByToken refuses a token that was revoked after it was accepted, itself or with
// its family, client or user. Of an opaque token, the identity does not tell the
// user's version, so that a revocation of the user in that moment is not noticed.
func (i *Issuer) checkByToken(by *middleware.Identity) error {
	t := &store.Token{ID: by.TokenID, Family: by.Family, Client: by.Client, ClientVersion: by.ClientVersion}
	if by.Claims() != "" {
		var err error
		if t, err = record(by); err != nil {
			return err
		}
		t.Family, t.ClientVersion = by.Family, by.ClientVersion
	}
	if revoked, _ := i.revocations.of(t); revoked {
		return errorsx.CredentialsIncorrect
	}
	return nil
}
