package main

import "slices"

// faults are all planted faults, part by part.
var faults = slices.Concat(
	requestFaults, costFaults, lifeFaults, answerFaults, idpFaults, presetFaults, issuerFaults, mistakeFaults, storeFaults, refusalFaults, wiringFaults,
	policyFaults, commandFaults,
)

// requestFaults are in the code that accepts or refuses a request.
var requestFaults = []fault{
	{
		part: "verifier", name: "exp is not checked", file: "middleware/idp/rules.go",
		old: "if ts.hasExpires && !now.Before(ts.expires) {", new: "if false {",
	},
	{
		part: "verifier", name: "a token is good in the second of its exp", file: "middleware/idp/rules.go",
		old: "if ts.hasExpires && !now.Before(ts.expires) {", new: "if ts.hasExpires && now.After(ts.expires) {",
	},
	{
		part: "verifier", name: "times beyond what is exact are taken", file: "middleware/idp/claims.go",
		old: "true, seconds <= 1<<53 && seconds >= -1<<53", new: "true, true",
	},
	{
		part: "verifier", name: "nbf is not checked", file: "middleware/idp/rules.go",
		old: "[]time.Time{ts.notBefore, ts.issued}", new: "[]time.Time{{}, ts.issued}",
	},
	{
		part: "verifier", name: "iss is not checked", file: "middleware/idp/open.go",
		old: "\treturn nil, \"\"\n}\n\n// names", new: "\treturn v.issuers[0], \"\"\n}\n\n// names",
	},
	{
		part: "verifier", name: "an audience may begin like ours", file: "middleware/idp/rules.go",
		old: "func(a string) bool { return slices.Contains(t.cfg.Audience, a) })",
		new: "func(a string) bool { return slices.ContainsFunc(t.cfg.Audience, func(own string) bool { return len(a) <= len(own) && own[:len(a)] == a }) })",
	},
	{
		part: "verifier", name: "typ is not checked", file: "middleware/idp/rules.go",
		old: "if !r.header.Typ.is(t.types) {", new: "if false {",
	},
	{
		part: "verifier", name: "the signature is not checked", file: "middleware/idp/verify.go",
		old: "if method.Verify(r.signed, r.signature, crypto.PublicKey(k.public())) != nil {", new: "if method.Verify(r.signed, r.signature, crypto.PublicKey(k.public())) == nil && false {",
	},
	{
		part: "verifier", name: "the token chooses the algorithm", file: "middleware/idp/keylist.go",
		old: "if !slices.Contains(k.algs, alg) || !(", new: "if !(",
	},
	{
		part: "verifier", name: "an own token needs no kid", file: "middleware/idp/verify.go",
		old: "if kid == \"\" && t.cfg.preset.own {", new: "if false {",
	},
	{
		part: "verifier", name: "crit is ignored", file: "middleware/idp/header.go",
		old: "[]value{h.Crit, h.B64,", new: "[]value{nil, h.B64,",
	},
	{
		part: "verifier", name: "a key in the header is ignored, not refused", file: "middleware/idp/header.go",
		old: "h.Enc, h.X5u, h.Jwk}", new: "h.Enc, h.X5u, nil}",
	},
	{
		part: "verifier", name: "unused bits of base64 are ignored", file: "middleware/internal/syntax/syntax.go",
		old: "URLBase64 = base64.RawURLEncoding.Strict()", new: "URLBase64 = base64.RawURLEncoding", tests: "./middleware ./middleware/idp",
	},
	{
		part: "verifier", name: "line breaks in base64 are skipped", file: "middleware/internal/syntax/syntax.go",
		old: "if strings.IndexByte(s, '\\n') >= 0 || strings.IndexByte(s, '\\r') >= 0 {", new: "if strings.IndexByte(s, '\\r') >= 0 {", tests: "./middleware ./middleware/idp",
	},
	{
		part: "verifier", name: "small RSA keys are taken", file: "middleware/idp/keys.go",
		old: "k.N.BitLen() >= 2048", new: "k.N.BitLen() >= 1024",
	},
	{
		part: "verifier", name: "a cause shows the value of any claim", file: "middleware/idp/tokenfault.go",
		old: "if slices.Contains(shown, name) {", new: "if len(shown) > 0 {",
	},
	{
		part: "verifier", name: "a cause shows the whole of a value", file: "middleware/idp/tokenfault.go",
		old: "const maxShown = 64", new: "const maxShown = 1 << 20",
	},
	{
		part: "verifier", name: "a token may be valid for years", file: "middleware/idp/rules.go",
		old: "if ts.expires.Sub(from) > t.cfg.MaxLifetime {", new: "if ts.expires.Sub(from) < 0 {",
	},

	{
		part: "paths", name: "dot segments are not removed", file: "middleware/internal/paths/readings.go",
		old: "\tremoveDotSegments,\n", new: "", tests: "./middleware",
	},
	{
		part: "paths", name: "nothing is decoded", file: "middleware/internal/paths/readings.go",
		old: "\tdecodeOnce,\n\tdecodeDots,\n\tdecodeAllButSlashes,\n", new: "", tests: "./middleware",
	},
	{
		part: "paths", name: "escaped dots are not decoded by themselves", file: "middleware/internal/paths/readings.go",
		old: "\tdecodeDots,\n\tdecodeAllButSlashes,\n", new: "", tests: "./middleware",
	},
	{
		part: "paths", name: "backslashes are not slashes", file: "middleware/internal/paths/readings.go",
		old: "\tslashBackslashes,\n", new: "", tests: "./middleware",
	},
	{
		part: "paths", name: "parameters are not cut", file: "middleware/internal/paths/readings.go",
		old: "\tcutParameters,\n", new: "", tests: "./middleware",
	},
	{
		part: "paths", name: "slashes are not merged", file: "middleware/internal/paths/readings.go",
		old: "\tmergeSlashes,\n", new: "", tests: "./middleware",
	},
	{
		part: "paths", name: "segments are not cut at NUL", file: "middleware/internal/paths/readings.go",
		old: "\tcutSegments,\n\tcutPath,\n", new: "", tests: "./middleware",
	},
	{
		part: "paths", name: "trailing dots and blanks stay", file: "middleware/internal/paths/readings.go",
		old: "\ttrimSpace,\n\ttrimBlanks,\n\ttrimBlanksAndDots,\n", new: "", tests: "./middleware",
	},
	{
		part: "paths", name: "an authority is not an authority", file: "middleware/internal/paths/readings.go",
		old: "\tdropAuthority,\n", new: "", tests: "./middleware",
	},
	{
		part: "paths", name: "letter case is compared", file: "middleware/internal/paths/path.go",
		old: "return tier, strings.HasPrefix(path, prefix) && (len(path) == len(prefix) || path[len(prefix)] == '/')",
		new: "return tier, prefix != path[:0]+\"x\"", tests: "./middleware",
	},
	{
		part: "paths", name: "the first reading decides", file: "middleware/internal/paths/path.go",
		old: "covered && rs.tier >= 0 && tier != rs.tier:", new: "false:", tests: "./middleware",
	},
	{
		part: "paths", name: "prefixes end within a segment", file: "middleware/internal/paths/path.go",
		old: "\tif t.deep(depth) {\n\t\tcuts = append(cuts, len(path))\n\t}",
		new: "\tfor i := range path {\n\t\tcuts = append(cuts, i)\n\t}\n\tif t.deep(depth) {\n\t\tcuts = append(cuts, len(path))\n\t}", tests: "./middleware",
	},
	{
		part: "paths", name: "the shortest prefix wins", file: "middleware/internal/paths/path.go",
		old: "for k := len(cuts) - 1; k >= 0; k-- {", new: "for k := range cuts {", tests: "./middleware",
	},
	{
		part: "paths", name: "percent signs are plain", file: "middleware/internal/paths/path.go",
		old: "strings.IndexByte(`%\\;?#`, c)", new: "strings.IndexByte(`\\;?#`, c)", tests: "./middleware",
	},
	{
		part: "paths", name: "what has too many readings is let through", file: "middleware/internal/paths/path.go",
		old: "\t\tif len(rs.all) > maxReadings {\n\t\t\treturn false", new: "\t\tif len(rs.all) > maxReadings {\n\t\t\treturn true", tests: "./middleware",
	},
	{
		part: "paths", name: "a raw path that is none is not judged as sent", file: "middleware/internal/paths/path.go",
		old: "if u.RawPath != \"\" && u.RawPath != sent[0] {", new: "if false {", tests: "./middleware",
	},
	{
		part: "paths", name: "a path is not looked up as it was sent", file: "middleware/internal/paths/path.go",
		old: "return rs.tier, rs.agree(true)", new: "return rs.tier, true", tests: "./middleware ./cmd/authtier",
	},
	{
		part: "paths", name: "an authority follows two slashes and no more", file: "middleware/internal/paths/readings.go",
		old: "\trest = strings.TrimLeft(rest, \"/\")\n", new: "", tests: "./middleware ./cmd/authtier",
	},

	{
		part: "cache", name: "a hit does not look at the expiry", file: "middleware/cache.go",
		old: "at < e.until && e.identity.live(now) && (", new: "at < e.until && (",
	},
	{
		part: "cache", name: "a hit does not look at revocations", file: "middleware/cache.go",
		old: "upTo, holds := c.ring.since(e.number, &e.identity)", new: "upTo, holds := c.ring.count.Load(), true",
	},
	{
		part: "cache", name: "an answer overtaken by a revocation is given", file: "middleware/miss.go",
		old: "if _, holds := c.ring.since(number, id); holds {", new: "if _, holds := c.ring.since(number, id); holds || true {",
	},
	{
		part: "cache", name: "the number is read after the validation", file: "middleware/miss.go",
		old: "\tid, err = callValidator(ctx, c.validator, cred)\n", new: "\tid, err = callValidator(ctx, c.validator, cred)\n\tnumber = c.ring.count.Load()\n",
	},
	{
		part: "cache", name: "what fell out of the ring is believed", file: "middleware/revocation.go",
		old: "\tif upTo-number > ringSize {\n\t\treturn upTo, false\n\t}", new: "\tif upTo-number > ringSize {\n\t\treturn upTo, true\n\t}",
	},
	{
		part: "cache", name: "a family's revocation reaches no token", file: "middleware/revocation.go",
		old: "return n.value == id.Family", new: "return n.value == id.TokenID",
	},
	{
		part: "cache", name: "failures of ours are remembered", file: "middleware/miss.go",
		old: "if e.Code.IsServerError() || e.Code == errorsx.TooManyRequests {", new: "if e == nil {",
	},
	{
		part: "cache", name: "a refusal outlives nbf", file: "middleware/miss.go",
		old: "&& early.ValidFrom().Before(until) {", new: "&& early.ValidFrom().Before(asked) {", tests: "./middleware/idp",
	},
	{
		part: "cache", name: "keys are not framed", file: "middleware/entry.go",
		old: "return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)", new: "return append(b, s...)",
	},
	{
		part: "cache", name: "the prefix of a generated secret is not looked at", file: "middleware/entry.go",
		old: "return secret[:n], random\n", new: "return \"\", random\n",
	},
	{
		part: "cache", name: "the short key decides", file: "middleware/cache.go",
		old: "if e := s.good.get(k.short()); e != nil && e.key == *k {", new: "if e := s.good.get(k.short()); e != nil && e.key.digest == k.digest {",
	},
	{
		part: "cache", name: "staleness is ignored", file: "middleware/cache.go",
		old: "fresh != nil && !c.stale && fresh.Passed(now)", new: "fresh != nil && c.stale && fresh.Passed(now)",
	},
	{
		part: "cache", name: "a flight ends with its first request", file: "middleware/flight.go",
		old: "context.WithDeadline(context.WithoutCancel(ctx), f.deadline)", new: "context.WithDeadline(ctx, f.deadline)",
	},
	{
		part: "cache", name: "a flight that hangs stays", file: "middleware/flight.go",
		old: "\tcase <-timeout.C:\n\t\tc.leave(k, f)\n", new: "\tcase <-timeout.C:\n",
	},
	{
		part: "cache", name: "flights have no limit", file: "middleware/flight.go",
		old: "\tdefault:\n\t\treturn nil, &errorsx.Error{Code: errorsx.Internal, Err: errors.New(\"middleware: Cache: too many validations under way\")}\n",
		new: "\tdefault:\n\t\tgo func() { c.flying <- struct{}{} }()\n",
	},

	{
		part: "wrappers", name: "two Authorization headers: the first is read", file: "middleware/header.go",
		old: "case len(v) > 1:", new: "case false:",
	},
	{
		part: "wrappers", name: "a credential may be of any size", file: "middleware/header.go",
		old: "case len(v[0]) > most:", new: "case false:",
	},
	{
		part: "wrappers", name: "key and token of two clients merge", file: "middleware/identity.go",
		old: "if a.Issuer != b.Issuer || (a.Client != b.Client && !otherClient) {", new: "if a.Issuer != b.Issuer {",
	},
	{
		part: "wrappers", name: "a client's token passes for a user's", file: "middleware/bearer.go",
		old: "case b.cfg.RequireUser && id.User == \"\":", new: "case false:",
	},
	{
		part: "wrappers", name: "the cookie is not asked for", file: "middleware/guard.go",
		old: "return g.confirm(r, *id)", new: "return nil", tests: "./middleware ./issuer/session",
	},
	{
		part: "wrappers", name: "any scope will do", file: "middleware/scope.go",
		old: "return slices.ContainsFunc(anyOf, id.Scopes.has)", new: "return id.Scopes != \"\" && len(anyOf) > 0",
	},
	{
		part: "wrappers", name: "a scope may begin like one that is needed", file: "middleware/scopes.go",
		old: "rest[:n] == item && (len(rest) == n || rest[n] == ' ') {", new: "rest[:n] == item {",
	},
	{
		part: "wrappers", name: "a query token may have any scope", file: "middleware/guard.go",
		old: "\tif from.query {\n\t\tif err := g.safe(id); err != nil {\n\t\t\treturn from, err\n\t\t}\n\t}\n", new: "",
	},
	{
		part: "wrappers", name: "answers share what they vary by", file: "middleware/location.go",
		old: "s.vary[:len(s.vary):len(s.vary)]", new: "s.vary",
	},
	{
		part: "wrappers", name: "answers to keys are not private", file: "middleware/location.go",
		old: "\tif s.private && len(cacheControl) == 0 {", new: "\tif cacheControl != nil && false {",
	},
	{
		part: "wrappers", name: "refused requests count", file: "middleware/usage.go",
		old: "\t\treturn nil, s.nobodyToBill()", new: "\t\tif add, err := w.meter.Counter(dayOf(s.now), \"\", \"\"); err == nil {\n\t\t\tadd(1)\n\t\t}\n\t\treturn nil, s.nobodyToBill()",
	},
}
