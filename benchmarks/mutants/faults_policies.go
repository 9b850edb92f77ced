package main

// policyFaults are in what a route may require, and in where a credential may be.
var policyFaults = []fault{
	{
		part: "policies", name: "a failed check admits", file: "middleware/require.go",
		old: "if err := failed(checks, r, id); err != nil {", new: "if err := failed(checks, r, id); err != nil && id.Client == \"\" {",
	},
	{
		part: "policies", name: "only the first check is called", file: "middleware/require.go",
		old: "\t\tcauses = append(causes, err)\n", new: "\t\tcauses = append(causes, err)\n\t\tbreak\n",
	},
	{
		part: "policies", name: "a failure of a check is the client's", file: "middleware/require.go",
		old: "if other := otherThanForbidden(err); other != nil {", new: "if other := otherThanForbidden(err); other != nil && errorsx.From(other).Code == errorsx.CredentialsIncorrect {",
	},
	{
		part: "policies", name: "a failed check challenges", file: "middleware/require.go",
		old: "(*errorsx.Writer)(nil).Refuse(w, r, \"\", err)\n}", new: "s.refuse(w, r, err)\n}",
	},
	{
		part: "policies", name: "the client reads why a check failed", file: "middleware/require.go",
		old: "\"The request is not permitted\"))", new: "errors.Join(causes...).Error()))",
	},
	{
		part: "policies", name: "a check without an identity", file: "middleware/require.go",
		old: "\t\t\tif err != nil {\n\t\t\t\ts.refuse(w, r, err)\n\t\t\t\treturn\n\t\t\t}\n\n\t\t\tif err := failed", new: "\t\t\tif err != nil {\n\t\t\t\tid = &Identity{}\n\t\t\t}\n\n\t\t\tif err := failed",
	},
	{
		part: "policies", name: "claims that do not fit are returned in part", file: "middleware/require.go",
		old: "\t\tvar none T\n\t\treturn none, err\n", new: "\t\treturn claims, err\n",
	},
	{
		part: "places", name: "a key after a scheme may hold blanks", file: "middleware/apikey.go",
		old: "(key == \"\" || strings.Contains(key, \" \"))", new: "(key == \"\" || strings.Contains(key, \"\\x00\"))",
	},
	{
		part: "places", name: "a key's challenge is always ApiKey", file: "middleware/apikey.go",
		old: "onWire:      cmp.Or(cfg.Scheme, string(SchemeAPIKey)),", new: "onWire:      cmp.Or(string(SchemeAPIKey), cfg.Scheme),",
	},
	{
		part: "places", name: "Scope forgets the scheme of the key", file: "middleware/guard.go",
		old: "\t\ts.keyScheme = g.keyScheme\n", new: "\t\ts.keyScheme = 0\n",
	},
	{
		part: "places", name: "two ways read one scheme", file: "middleware/oneof.go",
		old: "isScheme(w.onWire, g.onWire) || w.bare", new: "w.scheme == g.scheme || w.bare",
	},
	{
		part: "places", name: "a cookie needs no protection", file: "middleware/cookie.go",
		old: "case cfg.CrossOrigin == nil:", new: "case cfg.CrossOrigin == nil && cfg.QuerySafe != nil:",
	},
	{
		part: "places", name: "another site may post with the cookie", file: "middleware/cookie.go",
		old: "\terr := b.sameSite(r)\n\tif err == nil {", new: "\terr := b.sameSite(r)\n\tif err == nil || r.Method != http.MethodGet {",
	},
	{
		part: "places", name: "another site may open a WebSocket", file: "middleware/cookie.go",
		old: "if len(r.Header[\"Upgrade\"]) == 0 && r.Method != http.MethodConnect {", new: "if r.Method != http.MethodConnect {",
	},
	{
		part: "places", name: "a WebSocket is judged by what else the browser says", file: "middleware/cookie.go",
		old: "http.Header{\"Origin\": origin}}", new: "r.Header}",
	},
	{
		part: "places", name: "a WebSocket needs no Origin", file: "middleware/cookie.go",
		old: "if len(origin) != 1 || origin[0] == \"\" || r.Host == \"\" {", new: "if len(origin) > 1 || r.Host == \"\" {",
	},
	{
		part: "places", name: "no host is the host of the Origin null", file: "middleware/cookie.go",
		old: "hostless.Host = \"host.invalid\"", new: "hostless.Host = \"\"",
	},
	{
		part: "places", name: "the cookie decides beside a header", file: "middleware/bearer.go",
		old: "b.cfg.Cookie != \"\" && (len(v) == 0 || len(v) == 1 && v[0] == \"\") {", new: "b.cfg.Cookie != \"\" && (len(v) == 0 || len(r.CookiesNamed(b.cfg.Cookie)) > 0) {",
	},
	{
		part: "places", name: "the last of two cookies decides", file: "middleware/cookie.go",
		old: "case n > 1:\n", new: "case n > 2:\n",
	},
	{
		part: "places", name: "an emptied cookie is a credential", file: "middleware/cookie.go",
		old: "n == 1 && value != \"\" && value != `\"\"` }", new: "n == 1 }",
	},
	{
		part: "places", name: "a cookie that package http drops counts as missing", file: "middleware/cookie.go",
		old: "return \"\", malformedCookie(b.cfg.Cookie, \"expected one token\")", new: "return \"\", missingCookie(b.header, b.cfg.Cookie)",
	},
	{
		part: "places", name: "answers to cookies are public", file: "middleware/bearer.go",
		old: "b.fromCookie = &location{cookie: true, private: true,", new: "b.fromCookie = &location{cookie: true,",
	},
	{
		part: "places", name: "answers to nobody do not vary by the cookie", file: "middleware/bearer.go",
		old: "\t\tg.from.vary = appendNew(g.from.vary, \"Cookie\")\n", new: "",
	},
	{
		part: "places", name: "a bare header may be Authorization", file: "middleware/cookie.go",
		old: "if http.CanonicalHeaderKey(cfg.BareHeader) == \"Authorization\" {", new: "if cfg.BareHeader == \"Authorization\" {",
	},
	{
		part: "resource", name: "another outer writer is not noticed", file: "middleware/resource.go",
		old: "last != nil && last.before == before {", new: "last != nil {",
	},
	{
		part: "resource", name: "the wrapper forgets the outer writer", file: "middleware/resource.go",
		old: "\t\twriter = *inside.writer\n", new: "\t\t_ = *inside.writer\n",
	},
	{
		part: "resource", name: "metadata answers for everything below", file: "middleware/resource.go",
		old: "\t\tpattern += \"{$}\" // and not everything below\n", new: "",
	},
	{
		part: "resource", name: "a resource may be plain http", file: "middleware/resource.go",
		old: "u.Scheme != \"https\" && host != \"localhost\"", new: "u.Scheme == \"\" && host != \"localhost\"",
	},
	{
		part: "matrix", name: "a changed guard is not told", file: "middleware/middlewaretest/matrix.go",
		old: "!bytes.Equal(got, want) {", new: "len(want) == 0 {",
	},
	{
		part: "matrix", name: "an open route passes for a guarded one", file: "middleware/middlewaretest/matrix.go",
		old: "case !refused && !isOpen:", new: "case !refused && !isOpen && cell != \"200\":",
	},
	{
		part: "matrix", name: "a guarded route may be listed as open", file: "middleware/middlewaretest/matrix.go",
		old: "case refused && isOpen:", new: "case false:",
	},
	{
		part: "own", name: "a client that Map does not know is a user of the own issuer", file: "middleware/idp/identity.go",
		old: "case t.cfg.Own != nil && result.Client == \"\":", new: "case t.cfg.Own != nil && result.Client == \"\" && result.User == \"\":", tests: "./issuer",
	},
	{
		part: "own", name: "a provider's client is the own one of that name", file: "middleware/idp/identity.go",
		old: "id.Client, id.User, id.Scopes = \"\", \"\", \"\"", new: "id.User, id.Scopes = \"\", \"\"", tests: "./issuer",
	},
	{
		part: "own", name: "a revocation that was not read back is not known", file: "issuer/active.go",
		old: "case r.isUnsure(", new: "case false && r.isUnsure(", tests: "./issuer",
	},
	{
		part: "own", name: "a token from the future survives a revocation", file: "middleware/idp/identity.go",
		old: "at.issued.Add(-t.cfg.Leeway)", new: "at.issued", tests: "./issuer",
	},
	{
		part: "own", name: "introspection does not hear of the own issuer", file: "middleware/idp/introspection.go",
		old: "if v.issuer != nil && v.issuer.cfg.Own != nil {", new: "if v.issuer == nil {", tests: "./issuer",
	},
	{
		part: "own", name: "golang-jwt gets keys for which a second condition holds", file: "middleware/idp/keyfunc.go",
		old: "tenant != \"\" || issuer.cfg.preset.refuse != nil {", new: "tenant != \"\" {", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "own", name: "two issuers share a tenant", file: "middleware/idp/open.go",
		old: "errs = append(errs, t.overlaps(other))", new: "_ = t.overlaps(other)",
	},
	{
		part: "own", name: "marks of tokens are compared by case", file: "middleware/idp/marks.go",
		old: "mark := mediaType(c.Text(name));", new: "mark := c.Text(name);",
	},
	{
		part: "own", name: "invented kids wait without end", file: "middleware/idp/keyrefresh.go",
		old: "case r.queue <- struct{}{}:\n\t\tdefer func() { <-r.queue }()\n\tdefault:\n\t\treturn nil, errors.New(\"too many tokens wait for their keys\")\n", new: "default:\n",
	},
}
