package main

// idpFaults are in the rules for the tokens of identity providers.
var idpFaults = []fault{
	{
		part: "idp", name: "iss is compared without its last slash", file: "middleware/idp/open.go",
		old: "if t := v.exact[iss]; t != nil {", new: "if t := v.exact[strings.TrimSuffix(iss, \"/\")]; t != nil {",
	},
	{
		part: "idp", name: "a client takes the place of an audience that is there", file: "middleware/idp/rules.go",
		old: "case len(t.cfg.Audience) == 0:\n", new: "case len(t.cfg.Audience) == 0 && listed:\n\t\treturn nil\n\tcase len(t.cfg.Audience) == 0:\n",
	},
	{
		part: "idp", name: "no audience is any audience", file: "middleware/idp/rules.go",
		old: "case len(aud) == 0 && len(t.cfg.Clients) == 0:\n\t\treturn c.fault(\"aud\", anyOf(t.cfg.Audience)).see(\"Audience\")", new: "case len(aud) == 0 && len(t.cfg.Clients) == 0:\n\t\treturn nil",
	},
	{
		part: "idp", name: "both audience and client need not fit", file: "middleware/idp/rules.go",
		old: "case len(t.cfg.Clients) > 0 && !listed:", new: "case false:",
	},
	{
		part: "idp", name: "strangers' repositories are accepted", file: "middleware/idp/presets_ci.go",
		old: "return c.fault(\"repository_id\", words(\"one of the configured repositories or owners\"))", new: "return nil",
	},
	{
		part: "idp", name: "strangers' service accounts are accepted", file: "middleware/idp/presets.go",
		old: "if !slices.Contains(own, c.Text(\"azp\")) {", new: "if c.Text(\"azp\") == \"\" {",
	},
	{
		part: "idp", name: "an application's token without scopes and roles is accepted", file: "middleware/idp/presets_ci.go",
		old: "if !c.Has(\"scp\") && len(c.List(\"roles\")) == 0 {", new: "if false {",
	},
	{
		part: "idp", name: "ID tokens pass", file: "middleware/idp/rules.go",
		old: "if isID != \"\" && !t.cfg.AllowIDTokens {", new: "if isID == \"typ\" && !t.cfg.AllowIDTokens {",
	},
	{
		part: "idp", name: "refresh tokens pass where ID tokens do", file: "middleware/idp/rules.go",
		old: "s == \"Refresh\" || s == \"Logout\"", new: "!t.cfg.AllowIDTokens && (s == \"Refresh\" || s == \"Logout\")",
	},
	{
		part: "idp", name: "the provider's kinds are not looked at", file: "middleware/idp/rules.go",
		old: "!slices.Contains(p.kinds, c.Text(p.kind))", new: "c.Text(p.kind) == \"\" && !slices.Contains(p.kinds, c.Text(p.kind))",
	},
	{
		part: "idp", name: "a tenant may be a path", file: "middleware/idp/tenants.go",
		old: "if isTenant(tenant) && (", new: "if tenant != \"\" && (",
	},
	{
		part: "idp", name: "tid is not compared with iss", file: "middleware/idp/tenants.go",
		old: "if tenant != \"\" && c.Text(t.cfg.TenantClaim) != tenant {", new: "if false {",
	},
	{
		part: "idp", name: "a key verifies tokens of any tenant", file: "middleware/idp/tenants.go",
		old: "return errors.New(\"the key verifies tokens of another tenant only\")", new: "return errors.Join()",
	},
	{
		part: "idp", name: "tenants share an issuer's name", file: "middleware/idp/identity.go",
		old: "return strings.Clone(r.issuer())", new: "return t.cfg.Issuers[0]",
	},
	{
		part: "idp", name: "exp has a leeway", file: "middleware/idp/rules.go",
		old: "if !now.Before(times.expires) {", new: "if !now.Before(times.expires.Add(t.cfg.Leeway)) {",
	},
	{
		part: "idp", name: "a lifetime without iat has no bound", file: "middleware/idp/rules.go",
		old: "\tfrom := now\n", new: "\tfrom := ts.expires\n",
	},
	{
		part: "idp", name: "clients may differ", file: "middleware/idp/rules.go",
		old: "case s != \"\" && client != \"\" && s != client:", new: "case false:",
	},
	{
		part: "idp", name: "a machine is a person", file: "middleware/idp/identity.go",
		old: "machine := client != \"\" && sub == client || p.machine != nil && p.machine(c) ||", new: "machine := client != \"\" && sub == client && p.machine == nil ||",
	},
	{
		part: "idp", name: "roles are split", file: "middleware/idp/identity.go",
		old: "if name == \"scope\" || name == \"scp\" {", new: "if name != \"\" {",
	},
	{
		part: "idp", name: "elements of lists are split", file: "middleware/idp/identity.go",
		old: "case s != \"\" && !strings.Contains(s, \" \") &&", new: "case s != \"\" &&",
	},
	{
		part: "idp", name: "Map may set the expiry", file: "middleware/idp/identity.go",
		old: "id.Client, id.User, id.Scopes = changed.Client, changed.User, changed.Scopes", new: "*id = changed",
	},
	{
		part: "idp", name: "a bound token is a Bearer token", file: "middleware/idp/identity.go",
		old: "if c.Has(\"cnf\") {", new: "if c.Has(\"jkt\") {",
	},
	{
		part: "idp", name: "metadata may name another issuer", file: "middleware/idp/discovery.go",
		old: "case document.Issuer != issuer:", new: "case document.Issuer == \"\":",
	},
	{
		part: "idp", name: "keys of a document over https may be http", file: "middleware/idp/discovery.go",
		old: "if strings.HasPrefix(place, \"https:\") && !strings.HasPrefix(document.JWKSURI, \"https:\") {", new: "if false {",
	},
	{
		part: "idp", name: "an RSA key without alg is for PSS", file: "middleware/idp/jwk.go",
		old: "algs = []string{\"RS256\", \"RS384\", \"RS512\"}", new: "algs = []string{\"RS256\", \"RS384\", \"RS512\", \"PS256\"}",
	},
	{
		part: "idp", name: "a withdrawal forgets by the kid alone", file: "middleware/idp/keylist.go",
		old: "func(o verifyKey) bool { return o.id == k.id }) {\n\t\t\tgone", new: "func(o verifyKey) bool { return o.kid == k.kid }) {\n\t\t\tgone",
	},
	{
		part: "idp", name: "any number of keys is tried", file: "middleware/idp/keylist.go",
		old: "case len(fit) > maxCandidates:", new: "case false:",
	},
	{
		part: "idp", name: "a wrapper without ConfirmKey admits bound tokens", file: "middleware/guard.go",
		old: "if g.confirmKey == nil {\n\t\treturn &errorsx.Error{\n\t\t\tCode: errorsx.UnknownToken", new: "if g.confirmKey == nil && id.Client == \"\" {\n\t\treturn &errorsx.Error{\n\t\t\tCode: errorsx.UnknownToken", tests: "./middleware/idp",
	},
	{
		part: "idp", name: "ConfirmKey is asked after the route's own checks", file: "middleware/guard.go",
		old: "if id.extras != nil && id.extras.boundToKey {", new: "if id.extras != nil && id.extras.boundToKey && g.check == nil {", tests: "./middleware/idp",
	},
	{
		part: "idp", name: "dropped scopes are not told", file: "middleware/idp/identity.go",
		old: "if len(dropped) > 0 {", new: "if len(dropped) > 100 {",
	},
	{
		part: "idp", name: "an own token may lack its client", file: "middleware/idp/own.go",
		old: "{\"client_id\", true}", new: "{\"client_id\", false}",
	},
	{
		part: "idp", name: "an own login that equals a client is a machine", file: "middleware/idp/identity.go",
		old: "\tif p.own {\n", new: "\tif p.own && c.Text(\"username\") != client {\n",
	},
	{
		part: "idp", name: "the provider's scopes count at the own issuer", file: "middleware/idp/identity.go",
		old: "id.User, id.Scopes = \"\", \"\"", new: "id.User = \"\"", tests: "./issuer",
	},
	{
		part: "idp", name: "the own issuer is not asked for its client", file: "middleware/idp/identity.go",
		old: "if err := t.checkActive(ctx, &result, at.issued); err != nil {", new: "if err := t.checkActive(ctx, &result, at.issued); err != nil && result.Client == \"\" {", tests: "./issuer",
	},
	{
		part: "idp", name: "a cache does not hear of the own issuer", file: "middleware/idp/open.go",
		old: "\t\tif t.cfg.Own != nil {\n", new: "\t\tif t.cfg.Own != nil && t.cfg.Map == nil {\n", tests: "./issuer",
	},
	{
		part: "idp", name: "a provider's token survives a revocation", file: "issuer/active.go",
		old: "if at, ok := r.since[s]; ok && !t.After(at) {", new: "if at, ok := r.since[s]; ok && at.IsZero() {", tests: "./issuer",
	},
	{
		part: "idp", name: "symmetric keys of keyfunc verify", file: "middleware/idp/keyfunc.go",
		old: "if !ks.allowHMAC {", new: "if !ks.allowHMAC && j.Alg == \"\" {",
	},
	{
		part: "idp", name: "encryption keys of keyfunc verify", file: "middleware/idp/keyfunc.go",
		old: "Use: m.USE.String(), ", new: "",
	},
	{
		part: "idp", name: "golang-jwt gets the keys of any issuer", file: "middleware/idp/keyfunc.go",
		old: "if issuer == nil {", new: "if issuer = v.issuers[0]; issuer == nil {",
	},
}
