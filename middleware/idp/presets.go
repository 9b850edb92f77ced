package idp

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// missing returns an error for each argument that is empty. args are pairs of a name and
// a value.
func missing(function string, args ...string) (errs []error) {
	for n := 0; n+1 < len(args); n += 2 {
		if args[n+1] == "" {
			errs = append(errs, fmt.Errorf("%s: no %s", function, args[n]))
		}
	}
	return errs
}

// domainFault returns an error if a domain is missing, or if it is a URL or has a path.
func domainFault(function, name, domain string) []error {
	if strings.ContainsAny(domain, "/ ") {
		return []error{fmt.Errorf("%s: the %s is %q, expected a domain without a scheme and a path, such as \"id.example.com\"", function, name, domain)}
	}
	return missing(function, name, domain)
}

// Auth0 accepts the access tokens of an Auth0 tenant for the API with that identifier,
// which Auth0 calls the audience. domain is the tenant's domain, such as
// "example.eu.auth0.com", or its custom domain.
//
// The user is sub, such as "auth0|65f0". The scopes are scope. With RBAC, Auth0 also
// sends permissions; to use them, set Scopes to []string{"scope", "permissions"}.
//
// See https://auth0.com/docs/secure/tokens/access-tokens.
func Auth0(domain, audience string) Config {
	return Config{
		Issuers: []string{"https://" + domain + "/"}, Audience: []string{audience},
		preset: preset{
			faults: append(domainFault("Auth0", "domain", domain), missing("Auth0", "audience", audience)...),
			// A person's sub always contains a bar, so no person has such a sub.
			machine: func(c Claims) bool {
				sub, party := c.Text("sub"), c.Text("azp")
				if party == "" {
					party = c.Text("client_id")
				}
				return party != "" && sub == party+"@clients"
			},
		},
	}
}

// Okta accepts the access tokens of a custom authorization server of Okta. issuer is its
// issuer URI, such as "https://example.okta.com/oauth2/default". The org authorization
// server, whose issuer has no such path, makes access tokens for Okta's own APIs only.
//
// The user is uid, Okta's own ID of the person; sub is the login, which can change. The
// client is cid and the scopes are scp.
//
// See https://developer.okta.com/docs/api/openapi/okta-oauth/guides/overview/.
func Okta(issuer, audience string) Config {
	faults := missing("Okta", "issuer", issuer, "audience", audience)
	if _, server, _ := strings.Cut(issuer, "/oauth2/"); issuer != "" && server == "" {
		faults = append(faults, fmt.Errorf("Okta: the issuer %q is the org authorization server, whose access tokens are for Okta itself: use a custom authorization server, such as .../oauth2/default, or OpenIntrospection with a Config of your own", issuer))
	}
	return Config{
		Issuers: []string{issuer}, Audience: []string{audience}, User: "uid",
		preset: preset{faults: faults},
	}
}

// Cognito accepts the access tokens of an Amazon Cognito user pool in a region, such as
// "eu-central-1". They have no audience: clients lists the app clients whose tokens are
// accepted. A token that an app client requested for a resource (resource binding) has
// that resource as its audience. To accept such tokens, set Audience too; those without
// an audience are then still accepted.
//
// The user is sub. The scopes are scope. Groups are in "cognito:groups".
//
// See https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html.
func Cognito(region, userPool string, clients ...string) Config {
	faults := missing("Cognito", "region", region, "userPool", userPool)
	if len(clients) == 0 {
		faults = append(faults, errors.New("Cognito: no clients"))
	}
	return Config{
		Issuers: []string{"https://cognito-idp." + region + ".amazonaws.com/" + userPool}, Clients: clients,
		preset: preset{faults: faults, kind: "token_use", kinds: []string{"access"}},
	}
}

// Google accepts Google's ID tokens: its APIs receive these, and no others. clients lists the
// OAuth client IDs of your applications. A token of a service account is accepted only if
// the account's own numeric ID is in clients too: any service account can ask for any
// audience.
//
// The user is sub. There are no scopes.
//
// See https://developers.google.com/identity/openid-connect/openid-connect.
func Google(clients ...string) Config {
	var faults []error
	if len(clients) == 0 {
		faults = append(faults, errors.New("Google: no clients"))
	}
	own := slices.Clone(clients)
	return Config{
		Issuers: []string{"https://accounts.google.com", "accounts.google.com"}, Audience: clients,
		JWKSURL: "https://www.googleapis.com/oauth2/v3/certs", AllowIDTokens: true, Client: "azp", Scopes: []string{},
		preset: preset{
			faults:  faults,
			machine: func(c Claims) bool { return c.Text("azp") != "" && c.Text("azp") == c.Text("sub") },
			refuse: func(c Claims, client string) error {
				if !slices.Contains(own, c.Text("azp")) {
					return c.fault("azp", anyOf(own))
				}
				return nil
			},
		},
	}
}

// Firebase accepts the ID tokens of a Firebase project: its back ends receive these, and
// no others. The user is sub. There are no scopes.
//
// See https://firebase.google.com/docs/auth/admin/verify-id-tokens.
func Firebase(project string) Config {
	return Config{
		Issuers: []string{"https://securetoken.google.com/" + project}, Audience: []string{project},
		JWKSURL:       "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com",
		AllowIDTokens: true, Scopes: []string{},
		preset: preset{faults: missing("Firebase", "project", project)},
	}
}

// Supabase accepts the access tokens of a Supabase project, whose URL is such as
// "https://abc.supabase.co". A project that still signs with its shared secret needs Keys
// too: StaticKeys of one HS256 key without ID.
//
// The user is sub. There are no scopes; the role of the database is in role. A project may
// allow anonymous sign-in, whose tokens have is_anonymous; let Map refuse them if they must
// not count as people.
//
// See https://supabase.com/docs/guides/auth/jwts.
func Supabase(projectURL string) Config {
	issuer := strings.TrimSuffix(projectURL, "/") + "/auth/v1"
	return Config{
		Issuers: []string{issuer}, Audience: []string{"authenticated"}, JWKSURL: issuer + "/.well-known/jwks.json",
		preset: preset{faults: missing("Supabase", "projectURL", projectURL)},
	}
}

// Clerk accepts the session tokens of a Clerk application. issuer is its Frontend API
// URL. origins lists the origins of the pages whose tokens are accepted: the claim azp of
// Clerk is an origin, and is the identity's Client.
//
// The user is sub. A session that is not complete yet is refused. There are no scopes.
//
// See https://clerk.com/docs/guides/sessions/session-tokens.
func Clerk(issuer string, origins ...string) Config {
	faults := missing("Clerk", "issuer", issuer)
	if len(origins) == 0 {
		faults = append(faults, errors.New("Clerk: no origins"))
	}
	return Config{
		Issuers: []string{issuer}, Clients: origins, JWKSURL: strings.TrimSuffix(issuer, "/") + "/.well-known/jwks.json",
		preset: preset{
			faults:  faults,
			machine: func(c Claims) bool { return strings.HasPrefix(c.Text("sub"), "mch_") },
			refuse: func(c Claims, _ string) error {
				if c.Text("sts") == "pending" {
					return c.fault("sts", words("a complete session"))
				}
				return nil
			},
		},
	}
}

// Hydra accepts the JWT access tokens of an Ory Hydra. The user is sub, the client is
// client_id, and the scopes are scp or scope.
//
// See https://www.ory.com/docs/oauth2-oidc/jwt-access-token.
func Hydra(issuer, audience string) Config {
	return Config{
		Issuers: []string{issuer}, Audience: []string{audience},
		preset: preset{faults: missing("Hydra", "issuer", issuer, "audience", audience)},
	}
}

// Zitadel accepts the JWT access tokens of a Zitadel instance. audience is the ID of the
// project. Any service user of the instance can get a token for any project, so the
// tokens are also limited to clients: client_id must be one of them.
//
// Zitadel does not mark the tokens of service users. Therefore no token has a user until
// User is set to a claim that only people have, such as one that an action adds.
//
// See https://zitadel.com/docs/apis/openidoauth/claims.
func Zitadel(issuer, audience string, clients ...string) Config {
	own := slices.Clone(clients)
	return Config{
		Issuers: []string{issuer}, Audience: []string{audience}, Client: "client_id",
		preset: preset{
			noUser: true,
			faults: append(missing("Zitadel", "issuer", issuer, "audience", audience), none("Zitadel: no clients", own)...),
			refuse: func(c Claims, _ string) error {
				if !slices.Contains(own, c.Text("client_id")) {
					return c.fault("client_id", anyOf(own))
				}
				return nil
			},
		},
	}
}
