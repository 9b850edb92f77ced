package issuer

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/authtier/authtier/issuer/internal/form"
	"github.com/authtier/authtier/store"
)

// IntrospectScope is the scope that allows a client to introspect the access tokens of
// other clients.
const IntrospectScope = "introspect"

// introspection is the response of RFC 7662 section 2.2. For a token that is not active
// it is {"active":false}.
type introspection struct {
	Active    bool   `json:"active"`
	Scope     string `json:"scope,omitempty"`
	Client    string `json:"client_id,omitempty"`
	Username  string `json:"username,omitempty"`
	TokenType string `json:"token_type,omitempty"`
	Expires   int64  `json:"exp,omitempty"`
	Issued    int64  `json:"iat,omitempty"`
	Subject   string `json:"sub,omitempty"`
	Audience  string `json:"aud,omitempty"`
	Issuer    string `json:"iss,omitempty"`
	ID        string `json:"jti,omitempty"`
}

// IntrospectHandler returns the introspection endpoint (RFC 7662). A client may
// introspect its own access tokens, and with the scope [IntrospectScope] also those of
// other clients.
//
// A refresh token is active only for its own client, and only if the request has
// token_type_hint=refresh_token. Many resource servers check only the member active,
// and would otherwise accept a refresh token as an access token.
func (i *Issuer) IntrospectHandler() http.Handler {
	i.mustExist("IntrospectHandler")
	return newEndpoint(i, i.introspect, "token", "token_type_hint")
}

func (i *Issuer) introspect(w http.ResponseWriter, r *http.Request, client *store.Client, params form.Params) error {
	if params.Get("token") == "" {
		return form.Missing("token")
	}
	t, err := i.inspectAny(r.Context(), params.Get("token"))
	if err := unlessRefused(err); err != nil {
		return err
	}

	var answer introspection
	if err == nil && mayIntrospect(client, t, params.Get("token_type_hint")) {
		answer = i.describe(t)
	}
	form.WriteJSON(w, http.StatusOK, answer)
	return nil
}

// mayIntrospect reports whether the client may learn that t is active.
func mayIntrospect(client *store.Client, t *store.Token, hint string) bool {
	own := t.Client == client.ID
	if t.Refresh {
		return own && hint == "refresh_token"
	}
	return own || slices.Contains(client.Scopes, IntrospectScope)
}

// describe returns the response for an active token.
func (i *Issuer) describe(t *store.Token) introspection {
	typ := "bearer"
	if t.Refresh {
		typ = "refresh_token" // a type that no resource server accepts
	}
	return introspection{
		Active: true, Scope: t.Scopes, Client: t.Client, Username: t.User, TokenType: typ,
		Expires: t.Expires.Unix(), Issued: t.Issued.Unix(), Subject: cmp.Or(t.User, t.Client),
		Audience: t.Audience, Issuer: i.url, ID: t.ID,
	}
}
