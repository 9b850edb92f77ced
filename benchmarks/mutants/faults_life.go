package main

// lifeFaults are in the lifetimes of tokens, keys and users, and in the throttle.
var lifeFaults = []fault{
	{
		part: "rotation", name: "a used refresh token works again", file: "store/memory/tokens.go",
		old: "t.Used, t.UsedAt = true, now", new: "t.UsedAt = now", tests: "./store/memory",
	},
	{
		part: "rotation", name: "a second use revokes nothing", file: "store/memory/tokens.go",
		old: "\t\t\ts.revoke(store.Change{Kind: store.KindFamily, ID: t.Family, Until: t.FamilyEnds})\n", new: "", tests: "./store/memory",
	},
	{
		part: "rotation", name: "another client may rotate", file: "store/memory/tokens.go",
		old: "case t == nil || !t.Refresh || t.Client != client:", new: "case t == nil || !t.Refresh:", tests: "./store/memory",
	},
	{
		part: "rotation", name: "the memory store finds a token of a revoked family", file: "store/memory/tokens.go",
		old: "store.KindFamily, t.Family}].at > t.since", new: "store.KindFamily, t.ID}].at > t.since", tests: "./store/memory",
	},
	{
		part: "rotation", name: "the memory store takes a token put anew for revoked", file: "store/memory/tokens.go",
		old: "store.KindToken, t.ID}].at > t.since", new: "store.KindToken, t.ID}].at > 0", tests: "./store/memory",
	},
	{
		part: "rotation", name: "a sweep forgets a revocation and keeps the token", file: "store/memory/sweep.go",
		old: "return s.gone(t) || ", new: "return ", tests: "./store/memory",
	},
	{
		part: "rotation", name: "an expired token rotates", file: "store/memory/tokens.go",
		old: "\t\tcase !t.Expires.After(now):\n\t\t\treturn store.ErrNotFound\n", new: "", tests: "./store/memory",
	},
	{
		part: "rotation", name: "Redis: a used refresh token works again", file: "store/redis/lua/rotate.lua",
		old: "'used', '1', 'usedat', now", new: "'usedat', now", tests: "./store/redis",
	},
	{
		part: "rotation", name: "a refresh may widen the scope", file: "issuer/refresh.go",
		old: "grantedScopes(scope, still, still)", new: "grantedScopes(scope, still, client.Scopes)",
	},
	{
		part: "rotation", name: "a disabled user refreshes", file: "issuer/refresh.go",
		old: "\tuser, err := i.refreshUser(ctx, old)\n\tif err != nil {\n\t\treturn nil, err\n\t}\n", new: "\tuser, _ := i.refreshUser(ctx, old)\n",
	},
	{
		part: "rotation", name: "another client's token ends its family", file: "issuer/refresh.go",
		old: "\tcase t.Client != client.ID:\n\t\treturn nil, errorsx.UnknownToken\n\tcase !t.Refresh:",
		new: "\tcase t.Client != client.ID:\n\t\ti.rotate(ctx, t, nil)\n\t\ti.rotate(ctx, t, nil)\n\t\treturn nil, errorsx.UnknownToken\n\tcase !t.Refresh:",
	},
	{
		part: "rotation", name: "a lifetime outlasts the family", file: "issuer/mint.go",
		old: "access.Expires = earlier(access.Expires, access.FamilyEnds)\n\t}\n\n\ttokens", new: "\t}\n\n\ttokens",
	},

	{
		part: "issuer", name: "a password is hashed for who has left", file: "issuer/internal/password/limiter.go",
		old: "\t\tl.queue = slices.Delete(l.queue, i, i+1)\n", new: "",
	},
	{
		part: "issuer", name: "a place is lost with every hash", file: "issuer/internal/password/limiter.go",
		old: "\tl.free = append(l.free, j)\n}\n\n// dequeue", new: "}\n\n// dequeue",
	},
	{
		part: "issuer", name: "a made-up key takes a place for signatures", file: "issuer/validate.go",
		old: "return i.cfg.OpaqueTokens || i.signed.Offline(c)", new: "return true",
	},
	{
		part: "issuer", name: "a look for a key ends with its request", file: "issuer/internal/keyring/stored.go",
		old: "context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)\n\t\tdefer cancel()\n\t\ts.failed", new: "context.WithTimeout(ctx, lookTimeout)\n\t\tdefer cancel()\n\t\ts.failed", tests: "./issuer",
	},
	{
		part: "issuer", name: "r is not padded", file: "issuer/internal/keyring/signer.go",
		old: "copy(signature[32-len(r):], r)", new: "copy(signature, r)", tests: "./issuer",
	},
	{
		part: "issuer", name: "a secret's end is ignored", file: "issuer/clientauth.go",
		old: "if same && (s.Expires.IsZero() || s.Expires.After(c.Now())) {", new: "if same {",
	},
	{
		part: "issuer", name: "secrets are compared with ==", file: "issuer/clientauth.go",
		old: "same := subtle.ConstantTimeCompare(digest[:], s.Digest[:]) == 1", new: "_, same := subtle.ConstantTimeCompare, digest == s.Digest",
	},
	{
		part: "issuer", name: "password hashes are compared with ==", file: "issuer/internal/password/password.go",
		old: "return subtle.ConstantTimeCompare(got, h.key) == 1", new: "return subtle.ConstantTimeCompare(got, got) == 1 && string(got) == string(h.key)", tests: "./issuer",
	},
	{
		part: "issuer", name: "unknown users cost no hash", file: "issuer/users.go",
		old: "\thash := \"\"\n", new: "\tif user == nil {\n\t\treturn nil, errorsx.CredentialsIncorrect\n\t}\n\thash := \"\"\n",
	},
	{
		part: "issuer", name: "a disabled user logs in", file: "issuer/users.go",
		old: "if user != nil && !user.Disabled {", new: "if user != nil {",
	},
	{
		part: "issuer", name: "a key's expiry is ignored", file: "issuer/apikey.go",
		old: "if !key.Expires.IsZero() && !key.Expires.After(c.Now()) {", new: "if false {",
	},
	{
		part: "issuer", name: "a revoked token is live", file: "issuer/revocations.go",
		old: "revoked = r.revoked.has(store.KindToken, t.ID) || r", new: "revoked = r",
	},
	{
		part: "issuer", name: "a client's revocation reaches no token", file: "issuer/revocations.go",
		old: "r.clients[t.Client] > t.ClientVersion ||", new: "false && r.clients[t.Client] > t.ClientVersion ||",
	},
	{
		part: "issuer", name: "the issuer ignores that it is stale", file: "issuer/validate.go",
		old: "case i.revocations.isStale(now) && !(i", new: "case i.revocations.isStale(now) && (i",
	},
	{
		part: "issuer", name: "anybody introspects any token", file: "issuer/introspectendpoint.go",
		old: "return own || slices.Contains(client.Scopes, IntrospectScope)", new: "return own || slices.Contains(append(client.Scopes, IntrospectScope), IntrospectScope)",
	},
	{
		part: "issuer", name: "a failed revocation answers 200", file: "issuer/revokeendpoint.go",
		old: "return &errorsx.Error{Code: errorsx.Internal, Err: fmt.Errorf(\"issuer: revocation: %w\", err)}", new: "_ = fmt.Errorf(\"issuer: revocation: %w\", &errorsx.Error{})",
	},
	{
		part: "issuer", name: "a redirect need only begin alike", file: "issuer/session/redirect.go",
		old: "if r.URI == base && r.allows(query) {", new: "if strings.HasPrefix(base, r.URI) && r.allows(query) {",
	},
	{
		part: "issuer", name: "another session's cookie will do", file: "issuer/session/wrapper.go",
		old: "fits = fits || subtle.ConstantTimeCompare(d[:], []byte(id.Details().Confirmation)) == 1", new: "fits = fits || subtle.ConstantTimeCompare(d[:], []byte(id.Details().Confirmation)) >= 0",
	},
	{
		part: "issuer", name: "the checksum is not looked at", file: "issuer/internal/secret/secret.go",
		old: "return string(digits[:]) == s[body:]", new: "return len(digits) == len(s[body:])",
	},

	{
		part: "rotation", name: "a client that hangs up has not used a token again", file: "issuer/tokenendpoint.go",
		old: "i.refresh(context.WithoutCancel(r.Context()), client,", new: "i.refresh(context.Context(r.Context()), client,",
	},
	{
		part: "issuer", name: "a client that hangs up is not known", file: "issuer/endpoint.go",
		old: "ctx := context.WithoutCancel(r.Context())", new: "ctx := r.Context()\n\t_ = context.WithoutCancel",
	},
	{
		part: "issuer", name: "who hangs up has revoked nothing", file: "issuer/revocation.go",
		old: "context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)", new: "context.WithTimeout(ctx, revokeTimeout)",
	},
	{
		part: "others", name: "a session that could not be ended is forgotten", file: "issuer/session/session.go",
		old: "\tif err := m.revocations.Revoke(ctx, id); err != nil {", new: "\tm.forget(id)\n\tif err := m.revocations.Revoke(ctx, id); err != nil {",
	},
	{
		part: "others", name: "a client that hangs up has not logged out", file: "issuer/sessions.go",
		old: "\tctx, cancel := lasting(ctx)\n\tdefer cancel()\n\treturn s.issuer.revoke(", new: "\treturn s.issuer.revoke(", tests: "./issuer/session",
	},
	{
		part: "others", name: "a refused call renews the session", file: "issuer/session/visits.go",
		old: "\t\t\tv.expires = expires\n", new: "",
	},
	{
		part: "others", name: "a proxy on a Unix socket is not trusted", file: "middleware/proxy.go",
		old: "!(isUnix && len(p.trusted) > 0)", new: "!(isUnix && false)",
	},
	{
		part: "keys", name: "a key that nobody can open is what signs", file: "issuer/internal/keyring/rotation.go",
		old: "if opened, _, _ := s.open(records); signs(opened, kid) {", new: "if signs(records, kid) {", tests: "./issuer",
	},
	{
		part: "keys", name: "who cannot open the others' keys leaves its own", file: "issuer/internal/keyring/stored.go",
		old: "\t\tfirst.Ends = now.Add(-clockSkew)\n", new: "", tests: "./issuer",
	},
	{
		part: "issuer", name: "much that is revoked is not waited for", file: "issuer/run.go",
		old: "context.WithTimeout(context.WithoutCancel(ctx), snapshotTimeout)", new: "context.WithTimeout(ctx, pollTimeout)",
	},
	{
		part: "others", name: "refusals outlive a new key", file: "middleware/fresh.go",
		old: "if r.everything() || r.SigningKeyID != \"\" {", new: "if r.everything() {",
	},
	{
		part: "throttle", name: "a block lets right passwords through", file: "middleware/throttle/throttle.go",
		old: "if wait := f.until.Sub(now); wait > 0 {", new: "if wait := f.until.Sub(now); wait > 0 && c.Secret == \"\" {",
	},
	{
		part: "throttle", name: "a client that hangs up has not failed", file: "middleware/throttle/around.go",
		old: "Validate(context.WithoutCancel(ctx), c)", new: "Validate(ctx, c)",
	},
	{
		part: "throttle", name: "many may try after a block", file: "middleware/throttle/throttle.go",
		old: "if f.tried {", new: "if false {",
	},
	{
		part: "throttle", name: "names that failed are never forgotten", file: "middleware/throttle/throttle.go",
		old: "if !ok || !f.over(now, t.cfg) {\n\t\t\treturn", new: "if !ok || f != nil {\n\t\t\treturn",
	},
	{
		part: "throttle", name: "X-Forwarded-For is believed of anybody", file: "middleware/proxy.go",
		old: "if !p.trusts(addr) && !(isUnix && len(p.trusted) > 0) {", new: "if false && isUnix {",
	},
	{
		part: "throttle", name: "an address is an account's own", file: "middleware/throttle/throttle.go",
		old: "network(address)}}", new: "network(netip.Addr{})}}; _ = address",
	},
	{
		part: "throttle", name: "blocks do not grow", file: "middleware/throttle/failures.go",
		old: "firstBlock<<min(f.blocks, 20)", new: "firstBlock",
	},
	{
		part: "throttle", name: "many names push out what is blocked", file: "middleware/throttle/throttle.go",
		old: "if t.addresses[p.address] < maxPerAddress ||", new: "if true ||",
	},
}
