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
		old: "isRefusalOf(err) && own.Code != errorsx.ScopeNotAuthorized {", new: "isRefusalOf(err) && own.Code == errorsx.CredentialsIncorrect {",
	},
	{
		part: "policies", name: "a failed check challenges", file: "middleware/require.go",
		old: "if errorsx.From(err).Code != errorsx.ScopeNotAuthorized {", new: "if err != nil {",
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
		old: "if ok || !has || got != name ||", new: "if !has || got != name ||",
	},
	{
		part: "places", name: "the first of two cookies decides", file: "middleware/cookie.go",
		old: "case len(cookies) > 1:", new: "case len(cookies) > 2:",
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
}
