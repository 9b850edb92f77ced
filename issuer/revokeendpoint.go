package issuer

import (
	"context"
	"fmt"
	"net/http"

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
