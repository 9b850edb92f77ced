package idp

import (
	"cmp"
	"strings"
)

// Keycloak accepts the access tokens of a Keycloak realm. realm is its URL, such as
// "https://sso.example.com/realms/main". The audience is the one that a client's audience
// mapper adds.
//
// Without such a mapper, the tokens of a default realm have the audience "account". Then
// pass "account", and set Clients to the clients whose tokens are accepted. If the realm
// sends no audience at all, pass "" and set Clients. The default client scope "roles"
// adds the IDs of all clients in which the user has roles to the audience. So a token that
// another client requested can have your audience too; if that matters, set Clients.
//
// The user is sub, which the client scope "basic" adds. The scopes are scope. Roles are
// at the pointers "/realm_access/roles" and "/resource_access/CLIENT/roles", which Scopes
// may list too. The name for display is preferred_username; people can change it.
//
// The token of a service account is recognized by the claims that the client scope
// "service_account" adds: client_id, clientHost and clientAddress. A lightweight access
// token of a service account has none of them, unless their mappers add them to
// lightweight access tokens, and cannot be told from a person's. For such tokens, set
// ClientToken to a function that reports a token without sid as a client's own, or use
// [OpenIntrospection]. The answer of an introspection has client_id for people too, so a
// service account is recognized there only by clientHost or clientAddress.
//
// See https://www.keycloak.org/docs/latest/server_admin/#_protocol-mappers.
func Keycloak(realm, audience string) Config {
	cfg := Config{
		Issuers: []string{realm},
		preset: preset{
			faults: missing("Keycloak", "realm", realm),
			kind:   "typ", kinds: []string{"Bearer"},
			userHint: "in Keycloak, give the client the client scope \"basic\", which adds sub, and let its mapper add sub to lightweight access tokens too if the client has them",
			machine:  isServiceAccount,
			refuse:   refuseServiceAccountName,
		},
	}
	if audience != "" {
		cfg.Audience = []string{audience}
	}
	return cfg
}

// isServiceAccount reports whether a token belongs to a service account of Keycloak. A
// person can choose any name, but not the claim with the client's ID, which the scope of
// service accounts adds. Introspection adds that claim to every answer, so a missing name
// proves nothing there.
func isServiceAccount(c Claims) bool {
	client := keycloakClient(c)
	if client == "" || c.Text("client_id") != client && c.Text("clientId") != client {
		return false
	}
	nameless := c.part != inAnswer && c.Text("preferred_username") == ""
	return nameless || hasServiceAccountName(c) || hasServiceAccountAddress(c)
}

// refuseServiceAccountName returns the fault of an answer in which only the name is that
// of a service account.
func refuseServiceAccountName(c Claims, _ string) error {
	if c.part != inAnswer || !hasServiceAccountName(c) || hasServiceAccountAddress(c) {
		return nil
	}
	return c.fault("clientAddress", words("the member that the client scope \"service_account\" adds, since people can choose the name of a service account"))
}

// keycloakClient returns the client that requested the token.
func keycloakClient(c Claims) string { return cmp.Or(c.Text("azp"), c.Text("client_id")) }

// hasServiceAccountName reports whether the name for display is that of the client's
// service account. Keycloak converts the names of users to lower case.
func hasServiceAccountName(c Claims) bool {
	return strings.EqualFold(c.Text("preferred_username"), "service-account-"+keycloakClient(c))
}

// hasServiceAccountAddress reports whether the token has a claim with the address from
// which a service account requested it.
func hasServiceAccountAddress(c Claims) bool { return c.Has("clientHost") || c.Has("clientAddress") }
