package issuer

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer/internal/form"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// RevokeHandler returns the revocation endpoint (RFC 7009). [Issuer.RevokeToken]
// says which other tokens end with a token. The response is 200 with the body {},
// also for a token that is unknown, already revoked or another client's. If the
// store fails, it is AUTH-8.
func (i *Issuer) RevokeHandler(cfg HTTPConfig) http.Handler {
	return newEndpoint(i, cfg, i.revoke, "token", "token_type_hint")
}

func (i *Issuer) revoke(w http.ResponseWriter, r *http.Request, client *store.Client, params form.Params) error {
	if params.Get("token") == "" {
		return form.Missing("token")
	}
	if err := i.RevokeToken(context.WithoutCancel(r.Context()), client.ID, params.Get("token")); err != nil {
		return &errorsx.Error{Code: errorsx.Internal, Err: fmt.Errorf("issuer: revocation: %w", err)}
	}
	form.WriteJSON(w, http.StatusOK, struct{}{}) // some clients parse the body of every response
	return nil
}

// RevokeToken revokes a token of that client, and does nothing with any other. A
// refresh token takes its whole family with it, also one that was used or has
// expired: who lost the answer to a rotation can still log out. A client's own
// access token does the same, so that what was minted with it ends too. A user's
// access token goes alone (RFC 7009 section 2.1). A client that has revoked ten
// thousand tokens which have not expired yet loses all that it has.
func (i *Issuer) RevokeToken(ctx context.Context, client, token string) error {
	t, err := i.revocable(ctx, token)
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
	return i.revokeFor(ctx, client, c)
}

// RevokeClient revokes all tokens of a client, access and refresh tokens. They are
// refused here and by the caches in front when RevokeClient returns, and by others
// on the same store within a second. An unknown client is no error.
//
// The client's secrets and API keys stay valid, and the client can get new tokens
// with them. To end those, disable the client ([store.Admin]), or revoke its keys
// and secrets with [Issuer.RevokeAPIKey] and [Issuer.RevokeSecret].
func (i *Issuer) RevokeClient(ctx context.Context, id string) error {
	if err := i.Revoke(ctx, store.Change{Kind: store.KindClient, ID: id}); err != nil {
		return fmt.Errorf("issuer: RevokeClient: %w", err)
	}
	return nil
}

// RevokeUser revokes all tokens and sessions of a user, and the API keys that the
// user owns, as soon as RevokeClient revokes tokens. The keys are deleted and can
// never be created again. An unknown user is no error.
//
// The user's password stays valid, and the user can log in again. To prevent that,
// disable the user or set another password ([store.Admin]). Tokens that a client
// got with an API key of the user are the client's own and stay valid.
func (i *Issuer) RevokeUser(ctx context.Context, login string) error {
	if err := i.Revoke(ctx, store.Change{Kind: store.KindUser, ID: login}); err != nil {
		return fmt.Errorf("issuer: RevokeUser: %w", err)
	}
	return nil
}

// RevokeSession ends a session, by its ID ([store.Session].ID, and the TokenID of
// the identities that it proves), as soon as RevokeClient revokes tokens. An unknown
// session is no error.
//
// The user's other sessions, tokens and password stay valid.
func (i *Issuer) RevokeSession(ctx context.Context, id string) error {
	c := store.Change{Kind: store.KindSession, ID: id, Until: time.Now().Add(middleware.MaxLifetime)}
	if err := i.Revoke(ctx, c); err != nil {
		return fmt.Errorf("issuer: RevokeSession: %w", err)
	}
	return nil
}

// revocable returns a token that there is something to revoke of.
func (i *Issuer) revocable(ctx context.Context, token string) (*store.Token, error) {
	if signed(token) {
		return i.Inspect(ctx, token)
	}
	return i.opaque(ctx, token)
}
