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
		part: "idp", name: "ID tokens pass", file: "middleware/idp/marks.go",
		old: "if isID != \"\" && !t.cfg.AllowIDTokens {", new: "if isID == \"typ\" && !t.cfg.AllowIDTokens {",
	},
	{
		part: "idp", name: "refresh tokens pass where ID tokens do", file: "middleware/idp/marks.go",
		old: "case slices.Contains(otherMarks, mark):", new: "case !t.cfg.AllowIDTokens && slices.Contains(otherMarks, mark):",
	},
	{
		part: "idp", name: "the provider's kinds are not looked at", file: "middleware/idp/marks.go",
		old: "!slices.Contains(p.kinds, c.Text(p.kind))", new: "c.Text(p.kind) == \"\" && !slices.Contains(p.kinds, c.Text(p.kind))", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "idp", name: "a tenant may be a path", file: "middleware/idp/tenants.go",
		old: "isTenant(tenant) {\n\t\t\treturn tenant", new: "tenant != \"\" {\n\t\t\treturn tenant",
	},
	{
		part: "idp", name: "tid is not compared with iss", file: "middleware/idp/tenants.go",
		old: "if tenant != \"\" && c.Text(t.cfg.TenantClaim) != tenant {", new: "if false {",
	},
	{
		part: "idp", name: "a key verifies tokens of any tenant", file: "middleware/idp/tenants.go",
		old: "return errors.New(\"the key verifies tokens of another tenant only\")", new: "return errors.Join()", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "idp", name: "tenants share an issuer's name", file: "middleware/idp/identity.go",
		old: "if _, matches := t.tenant(iss); matches {", new: "if _, matches := t.tenant(iss); matches && iss == \"\" {", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "idp", name: "exp has a leeway", file: "middleware/idp/rules.go",
		old: "if ts.hasExpires && !now.Before(ts.expires) {", new: "if ts.hasExpires && !now.Before(ts.expires.Add(t.cfg.Leeway)) {",
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
		old: "machine := client != \"\" && sub == client || p.machine != nil && p.machine(c) ||", new: "machine := client != \"\" && sub == client && p.machine == nil ||", tests: "./middleware/idp ./middleware/idp/idptest",
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
		old: "if bound := c.Has(\"cnf\"); bound", new: "if bound := c.Has(\"jkt\"); bound",
	},
	{
		part: "idp", name: "metadata may name another issuer", file: "middleware/idp/discovery.go",
		old: "case document.Issuer != issuer:", new: "case document.Issuer == \"\":",
	},
	{
		part: "idp", name: "keys of a document over https may be http", file: "middleware/idp/discovery.go",
		old: "if strings.HasPrefix(place, \"https:\") && !strings.HasPrefix(found, \"https:\") {", new: "if false {",
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
		old: "if id.details != nil && id.details.KeyBinding {", new: "if id.details != nil && id.details.KeyBinding && g.check == nil {", tests: "./middleware/idp",
	},
	{
		part: "idp", name: "dropped scopes are not told", file: "middleware/idp/identity.go",
		old: "KeyBinding: bound, DroppedScopes: dropped}", new: "KeyBinding: bound}",
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
		old: "if err := t.checkActive(ctx, &result, at.issued.Add(-t.cfg.Leeway)); err != nil {", new: "if err := t.checkActive(ctx, &result, at.issued.Add(-t.cfg.Leeway)); err != nil && result.Client == \"\" {", tests: "./issuer",
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
	{
		part: "introspection", name: "what is not active is admitted", file: "middleware/idp/introspection.go",
		old: "\tif !active {", new: "\tif !active && answer.Has(\"error\") {",
	},
	{
		part: "introspection", name: "redirects are followed", file: "middleware/idp/introspection.go",
		old: "remoteClient(t.cfg.HTTPClient, noRedirect)", new: "remoteClient(t.cfg.HTTPClient, sameHost)",
	},
	{
		part: "introspection", name: "the timeout is always two seconds", file: "middleware/idp/introspection.go",
		old: "timeout: cmp.Or(ask.Timeout, introspectionTimeout),", new: "timeout: cmp.Or(introspectionTimeout, ask.Timeout),",
	},
	{
		part: "introspection", name: "a key set's URL is ignored", file: "middleware/idp/introspection.go",
		old: "{\"JWKSURL\", cfg.JWKSURL != \"\"},", new: "{\"JWKSURL\", false},",
	},
	{
		part: "introspection", name: "every audience is accepted", file: "middleware/idp/introspection.go",
		old: "cfg.anyAudience = ask.AllowAnyAudience", new: "cfg.anyAudience = true",
	},
	{
		part: "introspection", name: "Basic is not form-encoded", file: "middleware/idp/introspectionconfig.go",
		old: "pair := url.QueryEscape(ask.ClientID) + \":\" + url.QueryEscape(ask.ClientSecret)", new: "_ = url.QueryEscape\n\tpair := ask.ClientID + \":\" + ask.ClientSecret",
	},
	{
		part: "introspection", name: "an endpoint is asked without a secret", file: "middleware/idp/introspectionconfig.go",
		old: "\tif secret == \"\" {", new: "\tif false {",
	},
	{
		part: "introspection", name: "two ways to authenticate", file: "middleware/idp/introspectionconfig.go",
		old: "case ask.AllowUnauthenticated && byClient:", new: "case false:",
	},
	{
		part: "introspection", name: "a failed BearerToken asks without one", file: "middleware/idp/introspectionconfig.go",
		old: "\t\t\tif token == \"\" {\n\t\t\t\treturn errors.New(\"BearerToken returned an empty token\")\n\t\t\t}\n", new: "",
	},
	{
		part: "introspection", name: "any audience beside a list", file: "middleware/idp/introspectionconfig.go",
		old: "if ask.AllowAnyAudience && len(cfg.Audience)+len(cfg.Clients) > 0 {", new: "if ask.AllowAnyAudience && len(cfg.Audience) > 0 && len(cfg.Clients) > 0 {",
	},
	{
		part: "introspection", name: "active may be text", file: "middleware/idp/introspectionanswer.go",
		old: "if kind != 't' && kind != 'f' {", new: "if kind == '\"' {\n\t\treturn answer, true, nil\n\t}\n\tif kind != 't' && kind != 'f' {",
	},
	{
		part: "introspection", name: "exp 0 is 1970", file: "middleware/idp/introspectionanswer.go",
		old: "err == nil && seconds == 0 {", new: "err != nil && seconds == 0 {",
	},
	{
		part: "introspection", name: "any exp before 1971 is absent", file: "middleware/idp/introspectionanswer.go",
		old: "err == nil && seconds == 0 {", new: "err == nil && seconds < 1<<20 {",
	},
	{
		part: "introspection", name: "an answer without exp never expires", file: "middleware/idp/introspectionanswer.go",
		old: "\tif !times.hasExpires {", new: "\tif false {",
	},
	{
		part: "introspection", name: "an answer without exp is good for an hour", file: "middleware/idp/introspectionanswer.go",
		old: "const unknownLifetime = time.Minute", new: "const unknownLifetime = time.Hour",
	},
	{
		part: "introspection", name: "another issuer's answer is believed", file: "middleware/idp/introspectionanswer.go",
		old: "return \"\", answer.fault(\"iss\", anyOf(t.cfg.Issuers))", new: "return \"\", nil",
	},
	{
		part: "introspection", name: "a template matches an answer without iss", file: "middleware/idp/introspectionanswer.go",
		old: "if !answer.Has(\"iss\") && !slices.ContainsFunc(t.cfg.Issuers, isTemplate) {", new: "if !answer.Has(\"iss\") {",
	},
	{
		part: "introspection", name: "a template is an issuer itself", file: "middleware/idp/introspectionanswer.go",
		old: "if slices.Contains(t.cfg.Issuers, iss) && !isTemplate(iss) {", new: "if slices.Contains(t.cfg.Issuers, iss) {",
	},
	{
		part: "introspection", name: "a DPoP token is a Bearer token", file: "middleware/idp/introspectionanswer.go",
		old: "\tif isDPoP(answer) {\n\t\treturn nil, refused(", new: "\tif isDPoP(answer) && answer.Has(\"cnf\") {\n\t\treturn nil, refused(",
	},
	{
		part: "introspection", name: "any token_type passes", file: "middleware/idp/introspectionanswer.go",
		old: "if typ := unquoted(v); !strings.EqualFold(typ, \"Bearer\")", new: "if typ := unquoted(v); typ == \"\"",
	},
	{
		part: "introspection", name: "token_type may be a list", file: "middleware/idp/introspectionanswer.go",
		old: "v != nil && v.Kind() != '\"' {\n\t\t\treturn refused(", new: "v != nil && v.Kind() == '0' {\n\t\t\treturn refused(",
	},
	{
		part: "introspection", name: "offline tokens pass", file: "middleware/idp/marks.go",
		old: "\"refresh+jwt\", \"offline\",", new: "\"refresh+jwt\",",
	},
	{
		part: "introspection", name: "marks are not looked at", file: "middleware/idp/introspectionanswer.go",
		old: "\tif err := t.checkMarks(answer); err != nil {", new: "\tif err := t.checkMarks(answer); err != nil && !answer.Has(\"active\") {",
	},
	{
		part: "introspection", name: "expired answers are believed", file: "middleware/idp/rules.go",
		old: "if ts.hasExpires && !now.Before(ts.expires) {", new: "if ts.hasExpires && c.part != inAnswer && !now.Before(ts.expires) {",
	},
	{
		part: "introspection", name: "a signed token needs no exp", file: "middleware/idp/rules.go",
		old: "!ok || !ts.hasExpires && c.part != inAnswer {", new: "!ok {",
	},
	{
		part: "introspection", name: "a long lifetime is not seen in an answer", file: "middleware/idp/rules.go",
		old: "if !ts.hasExpires || !ts.hasIssued && c.part == inAnswer {", new: "if !ts.hasExpires || c.part == inAnswer {",
	},
	{
		part: "introspection", name: "the metadata's key set is asked", file: "middleware/idp/discovery.go",
		old: "\tif want == introspectionURL {", new: "\tif want == introspectionURL && found == \"\" {",
	},
}
