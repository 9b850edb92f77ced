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
		old: "if !strings.Contains(s, \" \") && s != \"\" &&", new: "if s != \"\" &&",
	},
	{
		part: "idp", name: "Map may set the expiry", file: "middleware/idp/identity.go",
		old: "id.Client, id.User, id.Scopes = changed.Client, changed.User, changed.Scopes", new: "*id = changed",
	},
	{
		part: "idp", name: "a bound token is a Bearer token", file: "middleware/idp/rules.go",
		old: "if c.Has(\"cnf\") {", new: "if c.Has(\"cnf\") && c.Has(\"jkt\") {",
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
}
