package issuer

import (
	"context"
	"errors"
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
	purged    time.Time

	mu       sync.RWMutex
	revoked  map[subject]time.Time // until when it must be remembered
	versions map[subject]uint64    // of clients and users: older tokens are revoked
}

type subject struct {
	kind store.Kind
	id   string
}

// follow brings the issuer up to date with the store's changes. What is known to
// be revoked stays so if the store forgets it.
func (i *Issuer) follow(ctx context.Context) error {
	l := &i.live
	l.following.Lock()
	defer l.following.Unlock()
	changes, cursor, err := i.cfg.Store.Since(ctx, l.cursor)
	if errors.Is(err, store.ErrNotFound) {
		changes, cursor, err = i.cfg.Store.Snapshot(ctx)
	}
	if err != nil {
		return err
	}
	l.apply(changes, time.Now())
	l.cursor = cursor
	return nil
}

func (l *live) apply(changes []store.Change, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.revoked == nil {
		l.revoked, l.versions = map[subject]time.Time{}, map[subject]uint64{}
	}
	for _, c := range changes {
		s := subject{c.Kind, c.ID}
		switch c.Kind {
		case store.KindToken, store.KindFamily:
			l.revoked[s] = c.Until
		case store.KindClient, store.KindUser:
			l.versions[s] = max(l.versions[s], c.Version)
		}
	}
	if now.Sub(l.purged) > time.Minute {
		l.purged = now
		maps.DeleteFunc(l.revoked, func(_ subject, until time.Time) bool {
			return !until.IsZero() && until.Before(now)
		})
	}
}

// isRevoked reports whether a token is revoked, by itself or with its family,
// client or user.
func (l *live) isRevoked(t *store.Token) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	_, token := l.revoked[subject{store.KindToken, t.ID}]
	_, family := l.revoked[subject{store.KindFamily, t.Family}]
	return token || family ||
		l.versions[subject{store.KindClient, t.Client}] > t.ClientVersion ||
		t.User != "" && l.versions[subject{store.KindUser, t.User}] > t.UserVersion
}

// Revoke revokes what the changes name, in the store and then here: when it
// returns, this issuer refuses it. A token or family revoked without Until is
// remembered for ever.
func (i *Issuer) Revoke(ctx context.Context, cs ...store.Change) error {
	if err := i.cfg.Store.Revoke(ctx, cs...); err != nil {
		return err
	}
	return i.follow(ctx)
}

// RevokeToken revokes the token, if it is a live one of that client, and does
// nothing otherwise. A refresh token takes its whole family with it, and so does
// a client's own access token: what it minted ends too. A user's access token
// goes alone (RFC 7009 section 2.1).
func (i *Issuer) RevokeToken(ctx context.Context, client, token string) error {
	t, err := i.Inspect(ctx, token)
	if err != nil {
		return unlessRefused(err)
	}
	if t.Client != client {
		return nil
	}
	c := store.Change{Kind: store.KindToken, ID: t.ID, Until: t.Expires}
	if t.Refresh || t.User == "" {
		c = store.Change{Kind: store.KindFamily, ID: t.Family, Until: t.FamilyEnds}
	}
	return i.Revoke(ctx, c)
}

// tokenClaims are the claims of a signed access token (RFC 9068 section 2.2),
// and the private ones by which it is revoked with others.
type tokenClaims struct {
	Issuer        string `json:"iss"`
	Subject       string `json:"sub"`
	Audience      string `json:"aud"`
	Expires       int64  `json:"exp"`
	Issued        int64  `json:"iat"`
	ID            string `json:"jti"`
	Client        string `json:"client_id"`
	Scope         string `json:"scope,omitempty"`
	User          string `json:"username,omitempty"`
	Family        string `json:"family"` // mw.FamilyClaim
	FamilyEnds    int64  `json:"family_ends,omitempty"`
	ClientVersion uint64 `json:"client_version"`
	UserVersion   uint64 `json:"user_version,omitempty"`
}

// record returns what the store would say of a signed token, were it there.
func record(id *mw.Identity) (*store.Token, error) {
	var c tokenClaims
	if err := id.DecodeClaims(&c); err != nil {
		return nil, err
	}
	t := &store.Token{
		ID: c.ID, Family: c.Family, Client: c.Client, User: c.User, Audience: c.Audience, Scopes: c.Scope,
		ClientVersion: c.ClientVersion, UserVersion: c.UserVersion,
		Issued: time.Unix(c.Issued, 0), Expires: time.Unix(c.Expires, 0), FamilyEnds: time.Unix(c.Expires, 0),
	}
	if c.FamilyEnds != 0 {
		t.FamilyEnds = time.Unix(c.FamilyEnds, 0)
	}
	return t, nil
}
