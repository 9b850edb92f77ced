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
// SDK leaves it to the program to tell a wrong token from a failure of the server.
func requireBearerToken(tokens middleware.Validator, metadataURL string, next http.Handler) http.Handler {
	verify := func(ctx context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
		id, err := tokens.Validate(ctx, middleware.Credential{Scheme: middleware.SchemeBearer, Secret: token})
		switch {
		case err == nil:
		case errorsx.From(err).Code.IsServerError():
			return nil, err
		default:
			return nil, fmt.Errorf("%w: %s", auth.ErrInvalidToken, errorsx.From(err).Code)
		}
		return &auth.TokenInfo{Scopes: strings.Fields(string(id.Scopes)), Expiration: id.Expires, UserID: id.Client}, nil
	}
	return auth.RequireBearerToken(verify, &auth.RequireBearerTokenOptions{ResourceMetadataURL: metadataURL, Scopes: []string{"tools"}})(next)
}
