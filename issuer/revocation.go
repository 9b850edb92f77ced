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
// tokens there; [Issuer.RevokeToken] says which other tokens end with one. The response is 200 with the body {},
// also for a token that is unknown, already revoked or another client's. If the
// store fails, it is AUTH-8.
func (i *Issuer) RevokeHandler() http.Handler {
	return newEndpoint(i, i.serveRevocation, "token", "token_type_hint")
}

func (i *Issuer) serveRevocation(w http.ResponseWriter, r *http.Request, client *store.Client, params form.Params) error {
	if params.Get("token") == "" {
		return form.Missing("token")
	}
	if err := i.revokeOwn(r.Context(), client.ID, params.Get("token")); err != nil {
		return &errorsx.Error{Code: errorsx.Internal, Err: fmt.Errorf("issuer: revocation: %w", err)}
	}
	form.WriteJSON(w, http.StatusOK, struct{}{}) // some clients parse the body of every response
	return nil
}

// revokeOwn revokes a token if it is the client's, and does nothing otherwise.
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

// RevokeToken revokes a token of this issuer, whichever client it belongs to. A
// refresh token takes its whole family with it. That one may be used or expired, so
// that a user can log out who lost the answer to a rotation. A client's own access
// token takes its family too, so that the tokens minted with it end. A user's access
// token goes alone (RFC 7009 section 2.1). A client of which ten thousand tokens are
// revoked that have not expired yet loses all of its tokens.
//
// Anything that is no live token of this issuer is [store.ErrNotFound]: a token that
// is expired or was revoked before, another issuer's, and a token's ID.
//
// Like all methods that revoke, it goes on when ctx ends, because a revocation
// must take effect also if the request that asked for it is gone. The store has
// five seconds.
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

// revocable returns a token that there is something to revoke of.
func (i *Issuer) revocable(ctx context.Context, token string) (*store.Token, error) {
	if signed(token) {
		return i.InspectAccess(ctx, token)
	}
	return i.opaque(ctx, token)
}

// revokeRecord revokes a token, or the family that goes with it.
func (i *Issuer) revokeRecord(ctx context.Context, t *store.Token) error {
	c := store.Change{Kind: store.KindToken, ID: t.ID, Until: t.Expires}
	if t.Refresh || t.User == "" {
		c = store.Change{Kind: store.KindFamily, ID: t.Family, Until: t.FamilyEnds}
	}
	return i.revokeFor(ctx, t.Client, c)
}

// RevokeClient revokes all tokens of a client, access and refresh tokens. They are
// refused here and by the caches in front when RevokeClient returns, and by others
// on the same store within a second. It goes on when ctx ends, as
// [Issuer.RevokeToken] does. A client that does not exist is [store.ErrNotFound].
//
// Call it after a client's Scopes are narrowed: an access token keeps the scopes
// that it was made with until it expires.
//
// The client's secrets and API keys stay valid, and the client can get new tokens
// with them. To end those, disable the client ([store.Admin]), or revoke its keys
// and secrets with [Issuer.RevokeAPIKey] and [Issuer.RevokeSecret].
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

// RevokeUser revokes all tokens and sessions of a user, and the API keys that the
// user owns, as soon as RevokeClient revokes tokens. The keys are deleted and can
// never be created again.
//
// A user who does not exist is [store.ErrNotFound]. With [Config].Users, which may
// have deleted the user already, it is no error: whatever the login names is
// revoked.
//
// The user's password stays valid, and the user can log in again. To prevent that,
// disable the user or set another password ([store.Admin]). Tokens that a client
// got with an API key of the user are the client's own and stay valid.
func (i *Issuer) RevokeUser(ctx context.Context, login string) error {
	ctx, cancel := lasting(ctx)
	defer cancel()
	u, err := i.users.User(ctx, login)
	changes := []store.Change{{Kind: store.KindUser, ID: login}}
	if err == nil && u.Login != login { // a table of one's own that knows several spellings
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

// ifMissing returns the error of a look-up if it says that there is no such record.
// A store that cannot be read may still take a revocation.
func ifMissing[T any](_ T, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

// revokeTimeout is how long the store may take to revoke.
const revokeTimeout = 5 * time.Second

// lasting returns a context for a revocation, which goes on when ctx ends.
func lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
}
