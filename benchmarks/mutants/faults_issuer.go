package main

// issuerFaults make the endpoints of the issuer reveal or grant too much.
var issuerFaults = []fault{
	{
		part: "endpoints", name: "a resource server is told that a refresh token is active", file: "issuer/introspectendpoint.go",
		old: "return own && hint == \"refresh_token\"", new: "return own || hint == \"refresh_token\"", tests: "./issuer ./cmd/authtier",
	},
	{
		part: "endpoints", name: "a refresh token is active without a hint", file: "issuer/introspectendpoint.go",
		old: "return own && hint == \"refresh_token\"", new: "return own",
	},
	{
		part: "endpoints", name: "a revocation has no body", file: "issuer/revokeendpoint.go",
		old: "form.WriteJSON(w, http.StatusOK, struct{}{})", new: "form.NoStore(w.Header())", tests: "./cmd/authtier",
	},
	{
		part: "endpoints", name: "symmetric algorithms are discovered", file: "issuer/internal/keyring/ring.go",
		old: "if published && !slices.Contains(algs, j.Alg) {", new: "if !slices.Contains(algs, j.Alg) {", tests: "./issuer",
	},
	{
		part: "endpoints", name: "the OpenID metadata is before the issuer's path", file: "issuer/endpoint.go",
		old: "i.path()+openIDPath", new: "openIDPath+i.path()",
	},
	{
		part: "endpoints", name: "an API key in front takes the secret's place", file: "issuer/endpoint.go",
		old: "\tif e.issuer.cfg.BehindAPIKey {\n\t\tclient, err", new: "\tif _, ok := middleware.IdentityFromContext(ctx); ok || e.issuer.cfg.BehindAPIKey {\n\t\tclient, err",
	},
	{
		part: "endpoints", name: "another issuer's key is a client", file: "issuer/clientauth.go",
		old: "case key.Issuer != i.url:", new: "case key.Issuer == \"\":",
	},
	{
		part: "endpoints", name: "any identity in front is an API key", file: "issuer/clientauth.go",
		old: "case !key.Methods.Has(middleware.ByAPIKey):", new: "case key.Methods == 0:",
	},
	{
		part: "endpoints", name: "keys that end with the process need no word", file: "issuer/configcheck.go",
		old: "case len(ways) == 0 && !cfg.AllowEphemeralKeys:", new: "case len(ways) == 0 && cfg.AllowStale:",
	},
	{
		part: "endpoints", name: "a script's login opens the browser's dialog", file: "issuer/session/login.go",
		old: "r.Header.Get(\"Sec-Fetch-Dest\") != \"empty\"", new: "r.Header.Get(\"Sec-Fetch-Dest\") != \"script\"", tests: "./cmd/authtier",
	},
	{
		part: "endpoints", name: "another site's page makes a partner's token", file: "issuer/partner/partner.go",
		old: "if err := crossOrigin.Check(r); err != nil {", new: "if err := crossOrigin.Check(r); err != nil && r.Method == http.MethodPut {", tests: "./cmd/authtier",
	},
	{
		part: "endpoints", name: "a client's name is a formula in CSV", file: "issuer/partner/report.go",
		old: "asText(row.Client)", new: "row.Client",
	},
	{
		part: "endpoints", name: "a negative number in CSV is text", file: "issuer/partner/report.go",
		old: "strconv.FormatInt(row.Adjusted, 10)}", new: "asText(strconv.FormatInt(row.Adjusted, 10))}",
	},

	{
		part: "users", name: "a user gets any scope of the client", file: "issuer/mint.go",
		old: "limitedBy(limited(client.Scopes, user), g.By)", new: "limitedBy(client.Scopes, g.By)",
	},
	{
		part: "users", name: "a default beyond the user's scopes is refused", file: "issuer/mint.go",
		old: "limitedBy(limited(client.Default, user), g.By)", new: "limitedBy(client.Default, g.By)",
	},
	{
		part: "users", name: "no scopes are all scopes", file: "issuer/scopes.go",
		old: "if user == nil || !user.LimitScopes {", new: "if user == nil || len(user.Scopes) == 0 {",
	},
	{
		part: "users", name: "a refresh keeps what the user has lost", file: "issuer/refresh.go",
		old: "\tstill = limited(still, user)\n", new: "\t_ = limited(still, user)\n",
	},
	{
		part: "users", name: "an API key needs no owner", file: "issuer/apikey.go",
		old: "\tu, err := i.user(ctx, key.Owner)\n", new: "\tu, err := &store.User{Login: key.Owner}, error(nil)\n", tests: "./cmd/authtier",
	},
	{
		part: "users", name: "a cache keeps the keys of a revoked owner", file: "issuer/apikey.go",
		old: "Owner: key.Owner, // caches", new: "// caches", tests: "./cmd/authtier",
	},
	{
		part: "users", name: "a key's owner is the identity's user", file: "issuer/apikey.go",
		old: "if len(key.Scopes) > 0 || key.Owner != \"\"", new: "if id.User = key.Owner; len(key.Scopes) > 0 || key.Owner != \"\"", tests: "./cmd/authtier",
	},
	{
		part: "users", name: "a replaced key works from everywhere", file: "issuer/rotation.go",
		old: "record.Name, record.Owner, record.Addrs = old.Name, old.Owner, old.Addrs", new: "record.Name, record.Owner = old.Name, old.Owner",
	},
	{
		part: "users", name: "a revoked session lives on", file: "issuer/sessions.go",
		old: "store.Change{Kind: store.KindSession, ID: id, Until", new: "store.Change{Kind: store.KindToken, ID: id, Until", tests: "./issuer/session",
	},
	{
		part: "users", name: "a lost answer keeps the old password's tokens", file: "issuer/create.go",
		old: "\tif errors.Is(err, store.ErrNotFound) {\n\t\treturn err\n\t}\n\n\t// After", new: "\tif err != nil {\n\t\treturn err\n\t}\n\n\t// After",
	},
	{
		part: "users", name: "caches keep the old password's tokens", file: "issuer/create.go",
		old: "i.sinks.Forget(middleware.Revocation{User: login})", new: "_ = middleware.Revocation{User: login}",
	},
	{
		part: "users", name: "a key's limit ends with its scopes", file: "issuer/apikey.go",
		old: "ScopeLimit: len(key.Scopes) > 0,", new: "ScopeLimit: false,",
	},
}
