package issuer

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer/internal/form"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// TokenHandler returns the token endpoint (RFC 6749 section 3.2). Clients authenticate
// with Basic or in the body, or by an API key if [Config].BehindAPIKey is set.
//
// Parameters are read from the body, which is a form or JSON. A known parameter that is
// repeated is refused; an unknown one is ignored. grant_type may be in the query if the
// body has none.
//
// [Issuer.Register] adds this handler at the path that the metadata names. Call
// TokenHandler only if a program serves no other endpoint of the issuer, or serves this
// one at another path.
func (i *Issuer) TokenHandler() http.Handler {
	i.mustExist("TokenHandler")
	return newEndpoint(i, i.serveToken, "grant_type", "username", "password", "refresh_token", "scope")
}

func (i *Issuer) serveToken(w http.ResponseWriter, r *http.Request, client *store.Client, params form.Params) error {
	grant, err := i.grantType(r, params)
	if err != nil {
		return err
	}
	if !slices.Contains(client.Grants, grant) {
		return &errorsx.Error{
			Code: errorsx.InvalidParameter, OAuthError: "unauthorized_client", Client: client.ID,
			Message: "Invalid \"grant_type\" parameter: the client may not use it",
		}
	}

	var tokens *Tokens
	switch grant {
	case store.GrantClientCredentials:
		tokens, err = i.mint(r.Context(), client, nil, Grant{Scope: params.Get("scope")})
	case store.GrantPassword:
		tokens, err = i.passwordGrant(r, client, params)
	case store.GrantRefreshToken:
		if params.Get("refresh_token") == "" {
			return form.Missing("refresh_token")
		}
		// A second use must end the family even if the connection is gone.
		tokens, err = i.refresh(context.WithoutCancel(r.Context()), client, params.Get("refresh_token"), params.Get("scope"))
	}

	if err != nil {
		return err
	}
	form.WriteJSON(w, http.StatusOK, tokens)
	return nil
}

func (i *Issuer) grantType(r *http.Request, params form.Params) (string, error) {
	grant := params.Get("grant_type")
	if grant == "" {
		query, err := form.Query(r, "grant_type")
		if err != nil {
			return "", err
		}
		grant = query.Get("grant_type")
	}
	switch {
	case grant == "":
		return "", form.Missing("grant_type")
	case !slices.Contains(i.grants(), grant):
		return "", &errorsx.Error{
			Code: errorsx.InvalidParameter, OAuthError: "unsupported_grant_type",
			Message: "Invalid \"grant_type\" parameter: expected one of " + strings.Join(i.grants(), ", "),
		}
	}
	return grant, nil
}

// grants returns the grant types that the endpoint supports.
func (i *Issuer) grants() []string {
	if i.cfg.AllowPassword {
		return []string{store.GrantClientCredentials, store.GrantPassword, store.GrantRefreshToken}
	}
	return []string{store.GrantClientCredentials, store.GrantRefreshToken}
}

func (i *Issuer) passwordGrant(r *http.Request, client *store.Client, params form.Params) (*Tokens, error) {
	for _, name := range []string{"username", "password"} {
		if params.Get(name) == "" {
			return nil, form.Missing(name)
		}
	}

	user, err := i.AuthenticateUser(r.Context(), middleware.Credential{
		Scheme: middleware.SchemeBasic, Username: params.Get("username"), Secret: params.Get("password"),
	}.WithRequest(r))
	// The client is authenticated. Wrong credentials of the user are an invalid grant
	// (RFC 6749 section 5.2).
	if errors.Is(err, errorsx.CredentialsIncorrect) {
		return nil, &errorsx.Error{Code: errorsx.CredentialsIncorrect, OAuthError: "invalid_grant", Client: client.ID}
	}
	if err != nil {
		return nil, err
	}

	refresh := slices.Contains(client.Grants, store.GrantRefreshToken)
	return i.mint(r.Context(), client, user, Grant{Scope: params.Get("scope"), Refresh: refresh})
}
