package issuer

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/store"
)

// Refresh exchanges a refresh token of the client for new tokens (RFC 6749
// section 6). Scope, if not empty, narrows the new access token; the new refresh
// token keeps what was granted. The old one works no more, unless it is refused:
// a refusal consumes nothing.
//
// A token that was used before ends its family, whatever else is asked, and is
// refused with [errorsx.UnknownToken]; so is another client's, which ends
// nothing.
func (i *Issuer) Refresh(ctx context.Context, client, token, scope string) (*Tokens, error) {
	c, err := i.client(ctx, client)
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
	granted := strings.Fields(old.Scopes)
	still := slices.DeleteFunc(slices.Clone(granted), func(s string) bool { return !slices.Contains(client.Scopes, s) })
	scopes, err := i.grantedScopes(scope, still, still)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	access := *old
	access.ID, access.Refresh, access.Scopes = rand.Text(), false, scopes
	access.Issued = now.Truncate(time.Second)
	access.Expires = earlier(access.Issued.Add(i.cfg.AccessTTL), old.FamilyEnds)
	if user != nil {
		access.UserVersion = user.Version
	}
	if i.cfg.AllowRefreshReuse {
		made, err := i.newPair(access, old.Scopes, false).deliver(i, func(records []store.Token) error {
			return i.cfg.Store.PutTokens(ctx, records...)
		})
		if err == nil {
			made.RefreshToken = token
		}
		return made, err
	}
	return i.newPair(access, old.Scopes, true).deliver(i, func(records []store.Token) error {
		return i.rotate(ctx, old, records)
	})
}

// refreshRecord returns a refresh token of the client that is good for one use.
func (i *Issuer) refreshRecord(ctx context.Context, client *store.Client, token string) (*store.Token, error) {
	if signed(token) {
		_, err := i.Inspect(ctx, token)
		if err == nil || errors.Is(err, errorsx.TokenExpired) {
			err = errorsx.WrongTokenType
		}
		return nil, err
	}
	t, err := i.opaque(ctx, token)
	switch {
	case err != nil:
		return nil, err
	case t.Client != client.ID:
		return nil, errorsx.UnknownToken
	case !t.Refresh:
		return nil, errorsx.WrongTokenType
	case t.Used:
		if err := i.rotate(ctx, t, nil); err != nil {
			return nil, err
		}
		return nil, revoked(t)
	case t.ClientVersion < client.Version:
		return nil, revoked(t)
	}
	return t, i.judge(t, time.Now())
}

// refreshUser returns the user that the token speaks for, or nil if it speaks
// for none. Who was disabled or changed meanwhile has lost the token.
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
	case u.Version != t.UserVersion:
		return nil, revoked(t)
	}
	return u, nil
}

// rotate lets the store decide who is first.
func (i *Issuer) rotate(ctx context.Context, old *store.Token, next []store.Token) error {
	err := i.cfg.Store.Rotate(ctx, old.Digest, old.Client, time.Now(), next...)
	switch {
	case errors.Is(err, store.ErrReused):
		if ferr := i.follow(ctx); ferr != nil {
			return &errorsx.Error{Code: errorsx.Internal, Err: ferr}
		}
		return &errorsx.Error{Code: errorsx.UnknownToken, Client: old.Client, Err: err}
	case errors.Is(err, store.ErrNotFound):
		return &errorsx.Error{Code: errorsx.UnknownToken, Client: old.Client, Err: err}
	case err != nil:
		return &errorsx.Error{Code: errorsx.Internal, Err: err}
	}
	return nil
}
