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

// revocations is everything that the issuer knows to be revoked. With it, signed tokens
// are validated without the store.
type revocations struct {
	following chan struct{} // holds one element while a follow runs
	cursor    store.Cursor
	began     time.Time                 // when the last successful read began
	fresh     atomic.Pointer[time.Time] // until when this state may be relied on

	mu      sync.RWMutex
	revoked revokedSet // tokens, families and sessions
	clients versions
	users   versions
	since   map[subject]time.Time // when a revocation after the first read was applied
	unsure  map[subject]time.Time // when revoked, for those whose new version was not read since
	purged  time.Time
	longest time.Duration // lifetime of an access token
}

// versions maps the IDs of clients or users to their versions. Tokens of an older
// version are revoked.
type versions map[string]uint64

// versions returns the versions of a kind, client or user.
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
		revoked: newRevokedSet(), clients: versions{}, users: versions{}, since: map[subject]time.Time{}, unsure: map[subject]time.Time{},
	}
}

// apply applies changes to the issuer and tells its subscribers about them.
func (i *Issuer) apply(changes []store.Change) {
	if len(changes) == 0 {
		return
	}
	i.revocations.apply(changes, time.Now())
	rs := make([]middleware.Revocation, len(changes))
	for n, c := range changes {
		rs[n] = revocationOf(c)
	}
	i.sinks.Forget(rs...)
}

// revocationOf returns the revocation of the identities that c ends.
func revocationOf(c store.Change) middleware.Revocation {
	switch c.Kind {
	case store.KindToken, store.KindSession:
		return middleware.Revocation{TokenID: c.ID}
	case store.KindFamily:
		return middleware.Revocation{Family: c.ID}
	case store.KindAPIKey:
		return middleware.Revocation{APIKeyID: c.ID}
	case store.KindClient:
		return middleware.Revocation{Client: c.ID}
	case store.KindUser:
		return middleware.Revocation{User: c.ID}
	case store.KindSigningKey:
		return middleware.Revocation{SigningKeyID: c.ID}
	}
	// A later version may have written a kind that this version does not know.
	return middleware.Revocation{Everything: true}
}

// Subscribe implements [middleware.Source]: s learns of all revocations that the issuer
// learns of. If [Issuer.Run] does not run, caches in front of the issuer answer for
// half a minute only, as the issuer itself does.
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
			// Nobody knows when the revocations of the first read were made.
			if c.Version > known[c.ID] && r.fresh.Load() != nil {
				r.since[subject{c.Kind, c.ID}] = now
			}
			known[c.ID] = max(known[c.ID], c.Version)
		}
	}
	if now.Sub(r.purged) > time.Minute {
		r.purged = now
		r.revoked.purge(now)
	}
}

// remembered returns until when the revocation of a token or family is remembered. This
// is at least the lifetime of a token that is made now. A program that writes a
// revocation to the store itself may give too early an end. Refresh tokens need not be
// remembered, because the store deletes them.
func (r *revocations) remembered(until, now time.Time) time.Time {
	if least := now.Add(r.longest); !until.IsZero() && until.Before(least) {
		return least
	}
	return until
}

// noteTTL notes that an access token with that lifetime is made.
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

// isStale reports whether the last successful read of the store is too long ago, by the
// monotonic or by the wall clock. The monotonic clock stands still while the machine
// sleeps.
func (r *revocations) isStale(now time.Time) bool {
	fresh := r.fresh.Load()
	return fresh == nil || now.After(*fresh) || now.Round(0).After(fresh.Round(0))
}

// version returns the version that tokens of a client or user must have. It is the
// recorded one, or a later one that the issuer has read. Users from a table outside the
// store have only the latter.
func (r *revocations) version(kind store.Kind, id string, recorded uint64) uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return max(recorded, r.versions(kind)[id])
}

// of reports whether a token is revoked, individually or with its family, client or
// user. unsure reports that its client or user was revoked and the new version is not
// known yet, so that the token may be revoked.
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

// revoke makes the changes, first in the store and then here. When it returns, this
// issuer refuses what they name. Until the store is read again, all tokens of a revoked
// client or user are refused with AUTH-8. A store that can be written but not read is
// an error too. ctx must come from lasting.
func (i *Issuer) revoke(ctx context.Context, cs ...store.Change) error {
	if i.closed.Load() {
		return errClosed
	}
	cs = i.revocations.beyond(cs)
	if err := i.db.Revoke(ctx, cs...); err != nil {
		return err
	}

	// The store has chosen new versions, which are not known until it is read.
	i.revocations.doubt(cs)
	i.apply(cs)
	return i.follow(ctx)
}

// beyond returns the changes with the versions that are known of clients and users, so
// that the store raises them beyond these. A store that was restored from an earlier
// copy does not know them.
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

// doubt notes the clients and users whose new versions were not read yet.
func (r *revocations) doubt(cs []store.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range cs {
		if c.Kind == store.KindClient || c.Kind == store.KindUser {
			r.unsure[subject{c.Kind, c.ID}] = time.Now()
		}
	}
}

// believe forgets the doubts from before a successful read began.
func (r *revocations) believe(began time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.unsure, func(_ subject, since time.Time) bool { return since.Before(began) })
}

// forgotten returns changes that tell the store the versions that are higher here than
// in its snapshot.
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

// revokeFor revokes a token or family for a client. If the client has revoked too many,
// all of its tokens are revoked instead.
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

// checkByToken refuses a token that was revoked after it was accepted, individually or
// with its family, client or user. The identity of an opaque token does not hold the
// user's version, so a revocation of the user in that time is not noticed.
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
