package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// requireBearerToken guards next with the SDK's own middleware and the same validator. The
// SDK leaves it to the program to tell a wrong token from a failure of the server. Check
// judges the token as a wrapper does: a token that is bound to a key, for example, needs a
// proof.
func requireBearerToken(tokens middleware.Validator, metadataURL string, next http.Handler) http.Handler {
	bearer := middleware.Bearer(tokens, nil)
	verify := func(_ context.Context, _ string, r *http.Request) (*auth.TokenInfo, error) {
		id, err := middleware.Check(r, bearer)
		switch {
		case err == nil:
		case errorsx.From(err).Code.IsServerError():
			return nil, err
		default:
			return nil, fmt.Errorf("%w: %s", auth.ErrInvalidToken, errorsx.From(err).Code)
		}
		// A session of the SDK belongs to a UserID, so it must name issuer, client and user.
		owner := fmt.Sprintf("%q %q %q", id.Issuer, id.Client, id.User)
		return &auth.TokenInfo{Scopes: strings.Fields(string(id.Scopes)), Expiration: id.Expires, UserID: owner}, nil
	}
	return auth.RequireBearerToken(verify, &auth.RequireBearerTokenOptions{ResourceMetadataURL: metadataURL, Scopes: []string{"tools"}})(next)
}
