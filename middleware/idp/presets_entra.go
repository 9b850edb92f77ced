package idp

import (
	"slices"
	"strings"
)

// Entra accepts the access tokens of Microsoft Entra ID for an application. audience is
// its application ID, or its App ID URI. tenants are the IDs of the tenants whose tokens
// are accepted: GUIDs, not domains. [EntraAnyTenant] accepts the tokens of every tenant.
//
// Tokens of version 2 carry the application ID as their audience. Tokens of version 1
// carry the application ID or the App ID URI, so append both to Audience. A new
// single-tenant API gets tokens of version 1 by default.
//
// The user is oid, which names the person in their tenant; the name for display is name.
// The client is azp or appid. The scopes are scp, and in a token without scp the roles of
// the application. If the program sets Scopes itself, every claim in it is read. A token
// with neither scp nor roles is refused, because any application of the tenant can get
// one.
//
// In a national cloud, replace Issuers and JWKSURL with those of that cloud. For Entra
// External ID and Azure AD B2C, write a Config of your own.
//
// See https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference.
func Entra(audience string, tenants ...string) Config {
	cfg := EntraAnyTenant(audience)
	cfg.AllowAnyTenant, cfg.Tenants = false, tenants
	cfg.preset.faults = append(missing("Entra", "audience", audience), none("Entra: no tenants", tenants)...)
	return cfg
}

// EntraAnyTenant is like [Entra], and accepts the tokens of every tenant. The names of
// users and clients of two tenants never merge, because the identity's Issuer names the
// tenant.
func EntraAnyTenant(audience string) Config {
	return Config{
		Issuers:  []string{"https://login.microsoftonline.com/{tenantid}/v2.0", "https://sts.windows.net/{tenantid}/"},
		Audience: []string{audience}, JWKSURL: "https://login.microsoftonline.com/common/discovery/v2.0/keys",
		User: "oid", AllowAnyTenant: true,
		preset: preset{
			faults: missing("EntraAnyTenant", "audience", audience),
			scopes: []string{"scp", "roles"}, absent: map[string]string{"roles": "scp"},
			// Version 2 has azp in every access token, and version 1 has appid.
			accessMarks: []string{"azp", "appid"},
			guids:       true,
			userHint:    "in Entra, the client must ask for the scope profile, which adds oid",
			machine: func(c Claims) bool {
				return c.Text("idtyp") == "app" || !isFilled(c, "scp") && c.Text("oid") != "" && c.Text("oid") == c.Text("sub")
			},
			refuse: func(c Claims, _ string) error {
				if !isFilled(c, "scp") && !isFilled(c, "roles") {
					return c.fault("scp", words("scopes, or roles in a token of an application: any application of the tenant gets a token with neither; assign an app role to the client, or write a Config of your own with Clients"))
				}
				return nil
			},
		},
	}
}

// isFilled reports whether a claim for scopes has an element that is not empty.
func isFilled(c Claims, name string) bool {
	return slices.ContainsFunc(scopesIn(c, name), func(s string) bool { return s != "" })
}

// isGUID reports whether s has the form of a GUID: 32 hexadecimal digits in groups of 8,
// 4, 4, 4 and 12.
func isGUID(s string) bool {
	for i := range len(s) {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if !strings.ContainsRune("0123456789abcdefABCDEF", rune(s[i])) {
				return false
			}
		}
	}
	return len(s) == 36
}
