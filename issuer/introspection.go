package issuer

import (
	"net/http"
	"slices"

	"github.com/authtier/authtier/issuer/internal/form"
	"github.com/authtier/authtier/store"
)

// IntrospectScope is the scope of a client that may introspect the tokens of
// others.
const IntrospectScope = "introspect"

// introspection is an answer of RFC 7662 section 2.2. What is not live is
// {"active":false} and nothing more.
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

// IntrospectHandler returns the introspection endpoint (RFC 7662). A client
// introspects its own tokens, and others' with the scope [IntrospectScope].
func (i *Issuer) IntrospectHandler(cfg HTTPConfig) http.Handler {
	return newEndpoint(i, cfg, i.introspect, "token", "token_type_hint")
}

func (i *Issuer) introspect(w http.ResponseWriter, r *http.Request, client *store.Client, params form.Params) error {
	if params.Get("token") == "" {
		return form.Missing("token")
	}
	t, err := i.Inspect(r.Context(), params.Get("token"))
	if err := unlessRefused(err); err != nil {
		return err
	}
	var answer introspection
	if err == nil && (t.Client == client.ID || slices.Contains(client.Scopes, IntrospectScope)) {
		answer = introspection{
			Active: true, Scope: t.Scopes, Client: t.Client, Username: t.User, TokenType: "bearer",
			Expires: t.Expires.Unix(), Issued: t.Issued.Unix(), Subject: t.User,
			Audience: t.Audience, Issuer: i.cfg.Issuer, ID: t.ID,
		}
		if t.Refresh {
			answer.TokenType = "refresh_token" // it is none to access resources with
		}
		if t.User == "" {
			answer.Subject = t.Client
		}
	}
	form.WriteJSON(w, http.StatusOK, answer)
	return nil
}
