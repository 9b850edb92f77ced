package main

// presetFaults are in the rules for single identity providers.
var presetFaults = []fault{
	{
		part: "presets", name: "strangers' repositories are accepted", file: "middleware/idp/presets_ci.go",
		old: "return c.fault(\"repository_id\", words(\"one of the configured repositories or owners\"))", new: "return nil", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "strangers' service accounts are accepted", file: "middleware/idp/presets.go",
		old: "if !slices.Contains(own, c.Text(\"azp\")) {", new: "if c.Text(\"azp\") == \"\" {", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "an application's token without scopes and roles is accepted", file: "middleware/idp/presets_entra.go",
		old: "if !isFilled(c, \"scp\") && !isFilled(c, \"roles\") {", new: "if false {", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "a person with a service account's name is a machine", file: "middleware/idp/presets_keycloak.go",
		old: "if c.part != inAnswer || !hasServiceAccountName", new: "if c.part == inAnswer || !hasServiceAccountName", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "an ID token of Entra without a mark passes", file: "middleware/idp/presets_entra.go",
		old: "accessMarks: []string{\"azp\", \"appid\"},", new: "accessMarks: nil,", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "an access token of Entra needs azp, also in version 1", file: "middleware/idp/presets_entra.go",
		old: "accessMarks: []string{\"azp\", \"appid\"},", new: "accessMarks: []string{\"azp\", \"azp\"},", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "an empty scp is not a stranger's", file: "middleware/idp/presets_entra.go",
		old: "if !isFilled(c, \"scp\") && !isFilled(c, \"roles\") {", new: "if !c.Has(\"scp\") && !isFilled(c, \"roles\") {", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "an empty role is not a stranger's", file: "middleware/idp/presets_entra.go",
		old: "if !isFilled(c, \"scp\") && !isFilled(c, \"roles\") {", new: "if !isFilled(c, \"scp\") && !c.Has(\"roles\") {", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "a machine of Entra with an empty scp is a person", file: "middleware/idp/presets_entra.go",
		old: "!isFilled(c, \"scp\") && c.Text(\"oid\") != \"\"", new: "!c.Has(\"scp\") && c.Text(\"oid\") != \"\"", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "an empty scp hides the roles", file: "middleware/idp/identity.go",
		old: "only != \"\" && isFilled(c, only)", new: "only != \"\" && c.Has(only)", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "roles that the program lists are not read", file: "middleware/idp/config.go",
		old: "cfg.preset.absent = nil", new: "_ = cfg.preset.absent", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "Entra's refusal of an application does not say what to do", file: "middleware/idp/presets_entra.go",
		old: "; assign an app role to the client, or write a Config of your own with Clients", new: "", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "a missing oid has no hint", file: "middleware/idp/presets_entra.go",
		old: "userHint:    \"in Entra, the client must ask for the scope profile, which adds oid\",", new: "", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "Entra's tenants may be domains", file: "middleware/idp/tenants.go",
		old: "cfg.preset.guids && !isGUID(tenant)", new: "cfg.preset.guids && tenant == \"\"", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "a configured tenant in capitals is another one", file: "middleware/idp/config.go",
		old: "cfg.Tenants = lower(cfg.Tenants)", new: "_ = lower", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "a tenant in capitals in a token is another one", file: "middleware/idp/tenants.go",
		old: "tenant = strings.ToLower(tenant)", new: "_ = strings.ToLower", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "a tenant that is not listed is accepted", file: "middleware/idp/tenants.go",
		old: "return tenant, tenant != \"\" && t.accepts(tenant)", new: "return tenant, tenant != \"\"", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "a tenant that is not listed is accepted in an answer", file: "middleware/idp/introspectionanswer.go",
		old: "case tenant != \"\" && t.accepts(tenant):", new: "case tenant != \"\" && iss != \"\":", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "another tenant is called another issuer", file: "middleware/idp/open.go",
		old: "if tenant := t.anyTenant(r.issuer()); tenant != \"\" {", new: "if tenant := t.anyTenant(r.issuer()); tenant == \"-\" {", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "a service account whose client ID has capitals is a person", file: "middleware/idp/presets_keycloak.go",
		old: "return strings.EqualFold(c.Text(\"preferred_username\"), \"service-account-\"+keycloakClient(c))", new: "return strings.Compare(c.Text(\"preferred_username\"), \"service-account-\"+keycloakClient(c)) == 0", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "the older claim clientId is not known", file: "middleware/idp/presets_keycloak.go",
		old: " && c.Text(\"clientId\") != client {", new: " {", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "a service account without a name is a person", file: "middleware/idp/presets_keycloak.go",
		old: "nameless := c.part != inAnswer &&", new: "nameless := c.part == \"\" &&", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "an answer without a name is a service account's", file: "middleware/idp/presets_keycloak.go",
		old: "nameless := c.part != inAnswer &&", new: "nameless := c.part != \"\" &&", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "a name alone makes a service account", file: "middleware/idp/presets_keycloak.go",
		old: "if client == \"\" || c.Text(\"client_id\") != client && c.Text(\"clientId\") != client {", new: "if client == \"\" {", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "clientHost is not known", file: "middleware/idp/presets_keycloak.go",
		old: "return c.Has(\"clientHost\") || c.Has(\"clientAddress\")", new: "return c.Has(\"clientAddress\")", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "clientAddress is not known", file: "middleware/idp/presets_keycloak.go",
		old: "return c.Has(\"clientHost\") || c.Has(\"clientAddress\")", new: "return c.Has(\"clientHost\")", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "the hint for sub leaves out lightweight tokens", file: "middleware/idp/presets_keycloak.go",
		old: ", and let its mapper add sub to lightweight access tokens too if the client has them", new: "", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "strangers' clients are accepted at Zitadel", file: "middleware/idp/presets.go",
		old: "if !slices.Contains(own, c.Text(\"client_id\")) {", new: "if c.Text(\"client_id\") == \"\" {", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "Zitadel needs no clients", file: "middleware/idp/presets.go",
		old: ", none(\"Zitadel: no clients\", own)...)", new: ")", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "an app client of Cognito may have any audience", file: "middleware/idp/presets.go",
		old: "Clients: clients,\n\t\tpreset: preset{faults: faults, kind", new: "Clients: clients, anyAudience: true,\n\t\tpreset: preset{faults: faults, kind", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "Okta's org authorization server is accepted", file: "middleware/idp/presets.go",
		old: "issuer != \"\" && server == \"\"", new: "issuer == \"\" && server == \"\"", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "a domain may be a URL", file: "middleware/idp/presets.go",
		old: "strings.ContainsAny(domain, \"/ \")", new: "strings.ContainsAny(domain, \" \")", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "the error for http does not name AllowHTTP", file: "middleware/idp/remote.go",
		old: "case isNamed:", new: "case isNamed && cfg.AllowHTTP:", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "http needs no AllowHTTP", file: "middleware/idp/remote.go",
		old: "case isNamed && cfg.AllowHTTP:", new: "case isNamed:", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "http by AllowHTTP needs no host", file: "middleware/idp/remote.go",
		old: "u.Hostname() == \"\" || u.User != nil || u.Fragment != \"\" {\n", new: "u.User != nil || u.Fragment != \"\" {\n", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "a token that is too large has no cause", file: "middleware/bearer.go",
		old: "len(h[b.header][0]) > b.most {", new: "len(h[b.header][0]) > maxTokenBytes {", tests: "./middleware/idp ./middleware/idp/idptest",
	},
}
