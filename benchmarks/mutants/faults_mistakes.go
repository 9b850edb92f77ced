package main

// mistakeFaults are in the checks that catch an honest mistake of the program.
var mistakeFaults = []fault{
	{
		part: "mistakes", name: "a session works in every system", file: "issuer/session/session.go",
		old: "store.DigestOf(m.system + secret)", new: "store.DigestOf(secret)",
	},
	{
		part: "mistakes", name: "audiences share their sessions", file: "issuer/session/session.go",
		old: "i.URL(), i.Audience(), own.Base", new: "i.URL(), \"\", own.Base",
	},
	{
		part: "mistakes", name: "a strict system's token works at a lax one", file: "issuer/session/session.go",
		old: "i.URL(), i.Audience(), own.Base", new: "i.URL(), i.Audience(), \"\"",
	},
	{
		part: "mistakes", name: "a token mints for another client", file: "issuer/mint.go",
		old: "case by.Client != g.Client:", new: "case by.Client == \"\":",
	},
	{
		part: "mistakes", name: "a token mints for another user", file: "issuer/mint.go",
		old: "case by.User != g.User:", new: "case by.User != \"\" && g.User == \"\":",
	},
	{
		part: "mistakes", name: "a token mints what it has not", file: "issuer/scopes.go",
		old: "by.Family == \"\" && !limitsByKey(by)", new: "!limitsByKey(by)", tests: "./issuer ./issuer/partner",
	},
	{
		part: "mistakes", name: "a key mints what it has not", file: "issuer/scopes.go",
		old: "by.Family == \"\" && !limitsByKey(by)", new: "by.Family == \"\"",
	},
	{
		part: "mistakes", name: "a partner's scope is two", file: "issuer/partner/tokens.go",
		old: "slices.ContainsFunc(scopes, malformed)", new: "false && slices.ContainsFunc(scopes, malformed)",
	},
	{
		part: "mistakes", name: "a key keeps what its client has lost", file: "issuer/apikey.go",
		old: "!slices.Contains(client.Scopes, s)", new: "!slices.Contains(key.Scopes, s)",
	},
	{
		part: "mistakes", name: "a key that has lost its scopes gets all", file: "issuer/apikey.go",
		old: "(id.Scopes != \"\" || id.Details().ScopeLimit)", new: "id.Scopes != \"\"",
	},
	{
		part: "mistakes", name: "what is not a token is revoked", file: "issuer/revocation.go",
		old: "\t\terr = fmt.Errorf(\"%w: no live token of this issuer (%v)\", store.ErrNotFound, err)", new: "\t\terr = nil",
	},
	{
		part: "mistakes", name: "what nobody knows is revoked", file: "issuer/revocation.go",
		old: "\tif errors.Is(err, store.ErrNotFound) {\n\t\treturn err\n\t}\n\treturn nil", new: "\tif errors.Is(err, store.ErrConflict) {\n\t\treturn err\n\t}\n\treturn nil",
	},
	{
		part: "mistakes", name: "a session's token is its ID", file: "issuer/revocation.go",
		old: "\tif !isSessionID(id) {", new: "\tif !isSessionID(id) && id == \"\" {",
	},
	{
		part: "mistakes", name: "a user gone from a table of one's own is kept", file: "issuer/revocation.go",
		old: "err == nil || i.ownUsers() {", new: "err == nil {",
	},
	{
		part: "mistakes", name: "a revoked user is one spelling", file: "issuer/revocation.go",
		old: "if err == nil && u.Login != login {", new: "if err == nil && u.Login != login && false {",
	},
	{
		part: "mistakes", name: "an owner has other spellings", file: "issuer/apikey.go",
		old: "case err == nil && u.Login != key.Owner:", new: "case err == nil && u.Login != key.Owner && false:",
	},
	{
		part: "mistakes", name: "a revoked token still mints", file: "issuer/revocations.go",
		old: "if revoked, _ := i.revocations.of(t); revoked {", new: "if revoked, _ := i.revocations.of(t); revoked && false {",
	},
	{
		part: "mistakes", name: "a key and another credential are a key", file: "issuer/clientauth.go",
		old: "case key.Methods != middleware.ByAPIKey:", new: "case key.Methods == 0:",
	},
	{
		part: "mistakes", name: "a revocation is forgotten before the token", file: "issuer/revocations.go",
		old: "!until.IsZero() && until.Before(least)", new: "until.IsZero() && until.Before(least)",
	},
	{
		part: "mistakes", name: "a long token outlives its revocation", file: "issuer/revocations.go",
		old: "r.longest = max(r.longest, ttl)", new: "r.longest = max(r.longest, 0)",
	},
	{
		part: "mistakes", name: "a login has two versions", file: "issuer/users.go",
		old: "i.revocations.version(store.KindUser, u.Login, u.Version)", new: "i.revocations.version(store.KindUser, login, u.Version)",
	},
	{
		part: "mistakes", name: "a revocation waits without end", file: "issuer/revocation.go",
		old: "context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)", new: "context.WithTimeout(context.WithoutCancel(ctx), 1000*revokeTimeout)",
	},
	{
		part: "mistakes", name: "an ID is imported as the secret", file: "issuer/importing.go",
		old: "case len(secret) < minSecret && !allowWeak:", new: "case secret == \"\" && !allowWeak:",
	},
	{
		part: "mistakes", name: "a secret is its own ID", file: "issuer/importing.go",
		old: "case secret == id:", new: "case false:",
	},
	{
		part: "mistakes", name: "stale tokens need nobody who asks again", file: "issuer/validate.go",
		old: "!(i.cfg.AllowStale && i.runs.Load() > 0)", new: "!i.cfg.AllowStale",
	},
	{
		part: "mistakes", name: "Run has never ended", file: "issuer/run.go",
		old: "\tdefer i.runs.Add(-1)\n", new: "",
	},
	{
		part: "mistakes", name: "a refresh token is an access token", file: "issuer/inspect.go",
		old: "func(refresh bool) bool { return !refresh }", new: "func(bool) bool { return true }",
	},
	{
		part: "mistakes", name: "a users table of one's own tells of its changes", file: "issuer/users.go",
		old: "return p.issuer.ownUsers()", new: "return false",
	},
	{
		part: "mistakes", name: "sessions of own users need no TTL", file: "issuer/sessions.go",
		old: "return s.issuer.ownUsers()", new: "return false", tests: "./issuer/session",
	},
	{
		part: "mistakes", name: "a signing key is JSON", file: "issuer/keys.go",
		old: "Private crypto.PrivateKey `json:\"-\"`", new: "Private crypto.PrivateKey",
	},
	{
		part: "mistakes", name: "a buffer of zeros is an encryption key", file: "issuer/internal/keyring/sealer.go",
		old: "if bytes.Count(key, key[:1]) == keySize {", new: "if bytes.Count(key, key[:1]) > keySize {", tests: "./issuer",
	},
	{
		part: "mistakes", name: "an encryption key is JSON", file: "issuer/config.go",
		old: "EncryptionKey []byte `json:\"-\"`", new: "EncryptionKey []byte",
	},
	{
		part: "mistakes", name: "a client's secret is printed", file: "middleware/idp/introspectionconfig.go",
		old: "func (ask IntrospectionConfig) Format(", new: "func (ask IntrospectionConfig) format(", tests: "./issuer",
	},
	{
		part: "mistakes", name: "an overlap of nanoseconds", file: "issuer/rotation.go",
		old: "if overlap != 0 && overlap < time.Second {", new: "if overlap < 0 {",
	},
	{
		part: "mistakes", name: "a grace of nanoseconds", file: "issuer/configcheck.go",
		old: "g != 0 && g < minRefreshGrace ||", new: "g < 0 ||",
	},
	{
		part: "mistakes", name: "a login sends its token in the clear", file: "issuer/session/redirect.go",
		old: "u.Scheme == \"http\" && form.Loopback(u.Hostname())", new: "u.Scheme == \"http\"",
	},
	{
		part: "mistakes", name: "keys beside opaque tokens sign nothing", file: "issuer/configcheck.go",
		old: "case len(ways) > 1:", new: "case len(ways) > 2:",
	},
	{
		part: "mistakes", name: "opaque tokens have a published key", file: "issuer/issuer.go",
		old: "\t\talg = \"HS256\"\n", new: "\t\talg = \"EdDSA\"\n",
	},
	{
		part: "mistakes", name: "no key in front is our failure", file: "issuer/clientauth.go",
		old: "return nil, missingKey(errNoKeyInFront)", new: "return nil, errorsx.Fault(errNoKeyInFront)",
	},
	{
		part: "mistakes", name: "the demo believes a name", file: "cmd/authtier/demo.go",
		old: "!ok || !tcp.IP.IsLoopback()", new: "!ok || len(tcp.IP) == 0", tests: "./cmd/authtier",
	},
}
