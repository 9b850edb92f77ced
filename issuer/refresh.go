package issuer

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/store"
)

// Refresh exchanges a refresh token of the client for new tokens (RFC 6749 section 6).
// If scope is not empty, it narrows the new access token. If it is empty, the access
// token gets the granted scopes, without those that the client or the user may no
// longer have. The new refresh token keeps all granted scopes.
//
// Refresh uses the old token up, unless [Config].AllowRefreshReuse is set. A refusal
// consumes nothing.
//
// A token that was used before ends its family, unless it is within its grace
// ([Config].AllowRefreshGrace). The other arguments do not change that. The token is
// refused with [errorsx.UnknownToken]. A token of another client is refused with the
// same error, but does not end its family.
func (i *Issuer) Refresh(ctx context.Context, client, token, scope string) (*Tokens, error) {
	c, err := i.client(ctx, client, nil)
	if err != nil {
		return nil, err
	}
	return i.refresh(ctx, c, token, scope)
}

func (i *Issuer) refresh(ctx context.Context, client *store.Client, token, scope string) (*Tokens, error) {
	old, err := i.refreshRecord(ctx, client, token)
	if err != nil {
		return nil, err
	}

	user, err := i.refreshUser(ctx, old)
	if err != nil {
		return nil, err
	}

	// The client or the user may have lost scopes since the grant.
	still := slices.DeleteFunc(strings.Fields(old.Scopes), func(s string) bool { return !slices.Contains(client.Scopes, s) })
	still = limited(still, user)
	scopes, err := grantedScopes(scope, still, still)
	if err != nil {
		return nil, err
	}

	access := *old
	access.ID, access.Refresh, access.Scopes = rand.Text(), false, scopes
	access.Issued = time.Now().Truncate(time.Second)
	access.Expires = earlier(access.Issued.Add(i.cfg.AccessTTL), old.FamilyEnds)

	tokens, records, err := i.make(access, old.Scopes, !i.cfg.AllowRefreshReuse)
	if err != nil {
		return nil, err
	}

	if i.cfg.AllowRefreshReuse {
		tokens.RefreshToken = token
		err = i.put(ctx, records)
	} else {
		err = i.rotate(ctx, old, records)
	}
	if err != nil {
		return nil, err
	}
	return tokens, nil
}

// refreshRecord returns the record of a refresh token of the client that may be used
// once more. The record looks unused.
func (i *Issuer) refreshRecord(ctx context.Context, client *store.Client, token string) (*store.Token, error) {
	if signed(token) {
		return i.InspectRefresh(ctx, token)
	}
	t, err := i.opaque(ctx, token)
	now := time.Now()
	switch {
	case err != nil:
		return nil, err
	case t.Client != client.ID:
		return nil, errorsx.UnknownToken
	case !t.Refresh:
		return nil, errorsx.WrongTokenType
	case t.Used && !t.InGrace(now, i.cfg.AllowRefreshGrace):
		// The store ends the family of a used token.
		if err := i.rotate(ctx, t, nil); err != nil {
			return nil, err
		}
		return nil, revoked(t)
	case t.ClientVersion < client.Version:
		return nil, revoked(t)
	}

	// checkToken refuses used tokens. Whether this one is within its grace is for the
	// store to decide.
	t.Used, t.UsedAt = false, time.Time{}
	return t, i.checkToken(t, now)
}

// refreshUser returns the user of a refresh token, or nil for a client's own token. It
// refuses the token if the user was disabled or revoked since.
func (i *Issuer) refreshUser(ctx context.Context, t *store.Token) (*store.User, error) {
	if t.User == "" {
		return nil, nil
	}
	u, err := i.user(ctx, t.User)
	switch {
	case errors.Is(err, errorsx.CredentialsIncorrect):
		return nil, revoked(t)
	case err != nil:
		return nil, err
	case u.Version > t.UserVersion:
		return nil, revoked(t)
	}
	return u, nil
}

// rotate replaces the old token by next in the store. The store decides whether the old
// one was used before, and whether it is within its grace.
func (i *Issuer) rotate(ctx context.Context, old *store.Token, next []store.Token) error {
	err := i.db.RotateRefreshToken(ctx, old.Digest, old.Client, time.Now(), i.cfg.AllowRefreshGrace, next...)
	switch {
	case errors.Is(err, store.ErrReused):
		i.apply([]store.Change{{Kind: store.KindFamily, ID: old.Family, Until: old.FamilyEnds}})
		return &errorsx.Error{Code: errorsx.UnknownToken, Client: old.Client, Err: err}
	case errors.Is(err, store.ErrNotFound):
		return &errorsx.Error{Code: errorsx.UnknownToken, Client: old.Client, Err: err}
	case err != nil:
		return fmt.Errorf("issuer: rotation: %w", err)
	}
	return nil
}
