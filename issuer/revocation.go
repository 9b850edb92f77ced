package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer/internal/form"
	"github.com/authtier/authtier/store"
)

// RevokeHandler returns the revocation endpoint (RFC 7009). A client revokes its own
// tokens there; [Issuer.RevokeToken] says which other tokens are revoked with one.
//
// The response is 200 with the body {}, also for a token that is unknown, already
// revoked or another client's. If the store fails, the request is refused with AUTH-8.
func (i *Issuer) RevokeHandler() http.Handler {
	i.mustExist("RevokeHandler")
	return newEndpoint(i, i.serveRevocation, "token", "token_type_hint")
}

func (i *Issuer) serveRevocation(w http.ResponseWriter, r *http.Request, client *store.Client, params form.Params) error {
	if params.Get("token") == "" {
		return form.Missing("token")
	}
	if err := i.revokeOwn(r.Context(), client.ID, params.Get("token")); err != nil {
		return &errorsx.Error{Code: errorsx.Internal, Err: fmt.Errorf("issuer: revocation: %w", err)}
	}

	// Some clients parse the body of every response.
	form.WriteJSON(w, http.StatusOK, struct{}{})
	return nil
}

// revokeOwn revokes a token of the client. It does nothing if the token is another
// client's.
func (i *Issuer) revokeOwn(ctx context.Context, client, token string) error {
	ctx, cancel := lasting(ctx)
	defer cancel()
	t, err := i.revocable(ctx, token)
	switch {
	case err != nil:
		return unlessRefused(err)
	case t.Client != client:
		return nil
	}
	return i.revokeRecord(ctx, t)
}

// RevokeToken revokes a token of this issuer, whichever client it belongs to.
//
// A refresh token is revoked with its whole family. It may be used or expired already,
// so that a user can still log out after the answer to a rotation was lost. A client's
// own access token is revoked with its family too, which are the tokens minted with it.
// A user's access token is revoked alone (RFC 7009 section 2.1).
//
// The issuer remembers at most 10,000 revocations of unexpired tokens for each client.
// At the next one, it revokes all tokens of that client.
//
// RevokeToken returns [store.ErrNotFound] if token is no live token of this issuer: for
// example, if it has expired, was revoked before, is another issuer's, or is a token's
// ID.
//
// Like all methods that revoke, RevokeToken goes on when ctx ends, because a revocation
// must take effect even if the connection that asked for it is gone. The store has five
// seconds.
func (i *Issuer) RevokeToken(ctx context.Context, token string) error {
	ctx, cancel := lasting(ctx)
	defer cancel()
	t, err := i.revocable(ctx, token)
	switch {
	case err == nil:
		err = i.revokeRecord(ctx, t)
	case unlessRefused(err) == nil:
		err = fmt.Errorf("%w: no live token of this issuer (%v)", store.ErrNotFound, err)
	}
	if err != nil {
		return fmt.Errorf("issuer: RevokeToken: %w", err)
	}
	return nil
}

// revocable returns the record of a token that can be revoked. An opaque token may be
// used or expired.
func (i *Issuer) revocable(ctx context.Context, token string) (*store.Token, error) {
	if signed(token) {
		return i.InspectAccess(ctx, token)
	}
	return i.opaque(ctx, token)
}

// revokeRecord revokes a token, or its family if it is a refresh token or a client's
// own.
func (i *Issuer) revokeRecord(ctx context.Context, t *store.Token) error {
	c := store.Change{Kind: store.KindToken, ID: t.ID, Until: t.Expires}
	if t.Refresh || t.User == "" {
		c = store.Change{Kind: store.KindFamily, ID: t.Family, Until: t.FamilyEnds}
	}
	return i.revokeFor(ctx, t.Client, c)
}

// RevokeClient revokes all access and refresh tokens of a client. When it returns, this
// issuer and the caches in front of it refuse them. Others on the same store do so
// within a second. Like [Issuer.RevokeToken], it goes on when ctx ends. It returns
// [store.ErrNotFound] if the client does not exist.
//
// Call it after you remove scopes from a client: an access token keeps its scopes until
// it expires.
//
// The client's secrets and API keys stay valid, and the client can get new tokens with
// them. To prevent that, disable the client ([store.Admin]), or revoke them with
// [Issuer.RevokeAPIKey] and [Issuer.RevokeSecret].
func (i *Issuer) RevokeClient(ctx context.Context, id string) error {
	ctx, cancel := lasting(ctx)
	defer cancel()
	err := ifMissing(i.db.Client(ctx, id))
	if err == nil {
		err = i.revoke(ctx, store.Change{Kind: store.KindClient, ID: id})
	}
	if err != nil {
		return fmt.Errorf("issuer: RevokeClient: %w", err)
	}
	return nil
}

// RevokeUser revokes all tokens and sessions of a user, and the API keys that the user
// owns. It takes effect as soon as RevokeClient does. The keys are deleted and can
// never be created again.
//
// RevokeUser returns [store.ErrNotFound] if the user does not exist. With
// [Config].Users, which may have deleted the user already, it does not: it revokes
// everything that belongs to that login.
//
// The user's password stays valid, and the user can log in again. To prevent that,
// disable the user or set another password ([store.Admin]). Tokens that a client got
// with an API key of the user are the client's own and stay valid.
func (i *Issuer) RevokeUser(ctx context.Context, login string) error {
	ctx, cancel := lasting(ctx)
	defer cancel()
	u, err := i.users.User(ctx, login)
	changes := []store.Change{{Kind: store.KindUser, ID: login}}
	// A table outside the store may find the user by several spellings of the login.
	if err == nil && u.Login != login {
		changes = append(changes, store.Change{Kind: store.KindUser, ID: u.Login})
	}

	if err = ifMissing(u, err); err == nil || i.ownUsers() {
		err = i.revoke(ctx, changes...)
	}
	if err != nil {
		return fmt.Errorf("issuer: RevokeUser: %w", err)
	}
	return nil
}

// ifMissing returns the error of a look-up if it is [store.ErrNotFound], and nil
// otherwise. A store that cannot be read may still be able to store a revocation.
func ifMissing[T any](_ T, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

// revokeTimeout is how long the store may take to revoke.
const revokeTimeout = 5 * time.Second

// lasting returns the context of a revocation. It does not end with ctx.
func lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
}
