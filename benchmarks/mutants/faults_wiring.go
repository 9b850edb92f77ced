package main

// wiringFaults are in the checks that keep a wrongly wired program from admitting
// requests.
var wiringFaults = []fault{
	{
		part: "proxy", name: "a second Proxy may decide anew", file: "middleware/proxy.go",
		old: "case s.peer.Load() != nil:", new: "case false:",
	},
	{
		part: "proxy", name: "a Proxy may contradict an answer", file: "middleware/proxy.go",
		old: "case s.asked.Load():", new: "case false:",
	},
	{
		part: "proxy", name: "both headers are read", file: "middleware/proxy.go",
		old: "said := strings.Join(r.Header[p.header], \",\")",
		new: "said := strings.Join(append(slices.Clone(r.Header[p.header]), r.Header[forwarded]...), \",\")",
	},
	{
		part: "proxy", name: "a stranger's word is taken for a proxy's", file: "middleware/proxy.go",
		old: "if !p.trusts(e.addr) || !more {", new: "if !more {",
	},
	{
		part: "proxy", name: "any list with https is https", file: "middleware/proxy.go",
		old: "len(proto) == 1 && proto[0] == \"https\"", new: "len(proto) > 0 && strings.HasPrefix(proto[0], \"https\")",
	},
	{
		part: "proxy", name: "everybody may be a proxy", file: "middleware/proxy.go",
		old: "if p.Bits() == 0 {", new: "if false {",
	},
	{
		part: "proxy", name: "an element that is malformed is read", file: "middleware/forwarded.go",
		old: "if !ok || seen[name] {", new: "if !ok {",
	},
	{
		part: "proxy", name: "networks of a credential are not judged", file: "middleware/guard.go",
		old: "\tif id.details != nil {\n", new: "\tif false {\n",
	},
	{
		part: "proxy", name: "an unknown address is none of the networks", file: "middleware/details.go",
		old: "if !addr.IsValid() {", new: "if false {",
	},
	{
		part: "proxy", name: "a credential without a client is throttled", file: "middleware/throttle/throttle.go",
		old: "if !carried {", new: "if carried = true; !carried {", tests: "./middleware",
	},
	{
		part: "chain", name: "a decorator hides a source", file: "middleware/cache.go",
		old: "sources := sources(all)", new: "sources := sources(all[:min(1, len(all))])",
	},
	{
		part: "chain", name: "one fresh source is enough", file: "middleware/fresh.go",
		old: "if other.fresh.Before(t) {", new: "if false {",
	},
	{
		part: "chain", name: "no source and no TTL", file: "middleware/cache.go",
		old: "cfg.TTL == 0 && silent != nil {", new: "cfg.TTL == 1 && silent != nil {",
	},
	{
		part: "chain", name: "a decorator is judged as pure computation", file: "middleware/cache.go",
		old: "c.local, _ = v.(OfflineValidator)", new: "c.local, _ = all[len(all)-1].(OfflineValidator)",
	},
	{
		part: "chain", name: "a decorator around a cache is passed by", file: "middleware/guard.go",
		old: "g.cache, _ = g.validator.(*Cache)",
		new: "all, _ := chain(g.validator)\n\tg.cache, _ = all[len(all)-1].(*Cache)\n\tfor _, v := range all {\n\t\tif c, ok := v.(*Cache); ok {\n\t\t\tg.cache = c\n\t\t}\n\t}",
	},
	{
		part: "chain", name: "a decorator changes what is cached", file: "middleware/decorate.go",
		old: "\tcopied := *id\n\treturn &copied, nil", new: "\treturn id, nil",
	},
	{
		part: "chain", name: "a throttle may stand inside of a cache", file: "middleware/cache.go",
		old: "_, ok := v.(throttled)\n\treturn ok", new: "_, ok := v.(throttled)\n\treturn ok && false",
	},
	{
		part: "identity", name: "a validator says how it was proven", file: "middleware/identity.go",
		old: "if id.Methods == m {", new: "if id.Methods == m || m == ByToken {",
	},
	{
		part: "identity", name: "an identity may name nobody", file: "middleware/guard.go",
		old: "case !id.names():", new: "case false:",
	},
	{
		part: "identity", name: "names without an issuer are the same", file: "middleware/guard.go",
		old: "outer != id && outer.Issuer == \"\" {", new: "false {",
	},
	{
		part: "identity", name: "one's own identity gives way to a key", file: "middleware/identity.go",
		old: "if id.Methods == 0 {", new: "if false {",
	},
	{
		part: "order", name: "a wrapper changes what Scope has judged", file: "middleware/guard.go",
		old: "if !s.has(judged) {\n\t\treturn nil", new: "if true {\n\t\treturn nil",
	},
	{
		part: "order", name: "tiers forget what is around them", file: "middleware/tiers.go",
		old: "s, r := join(r)", new: "s, r := fork(r, nil)",
	},
	{
		part: "order", name: "a guard may authenticate nobody", file: "middleware/tiers.go",
		old: "!s.identity.Load().names() && !s.has(openedHere) {", new: "s == nil {",
	},
	{
		part: "order", name: "a router's pattern is a prefix", file: "middleware/internal/paths/path.go",
		old: "if strings.ContainsAny(prefix, \"{}*\") || strings.Contains(prefix, \"/:\") {", new: "if false {", tests: "./middleware",
	},
	{
		part: "anonymous", name: "a wrong credential is let in as none", file: "middleware/guard.go",
		old: "case g.anonymous != nil && errors.Is(err, errorsx.CredentialsMissing):", new: "case g.anonymous != nil:",
	},
	{
		part: "anonymous", name: "answers to nobody do not vary", file: "middleware/guard.go",
		old: "g.anonymous = &location{vary: g.from.vary}", new: "g.anonymous = &location{}",
	},
	{
		part: "anonymous", name: "Scope asks nobody for a credential", file: "middleware/scope.go",
		old: "return nil, g.absent", new: "return &Identity{}, nil",
	},
	{
		part: "anonymous", name: "Usage refuses nobody", file: "middleware/usage.go",
		old: "case errors.Is(err, errorsx.CredentialsMissing):", new: "case false:",
	},
	{
		part: "anonymous", name: "uses are billed to nobody", file: "middleware/usage.go",
		old: "if id == nil || id.Client == \"\" || id.Issuer == \"\" {", new: "if !id.names() {",
	},
	{
		part: "order", name: "one of all scopes is enough", file: "middleware/scope.go",
		old: "if !id.Scopes.has(scope) {", new: "if scope == all[0] && !id.Scopes.has(scope) {",
	},
	{
		part: "request", name: "parts of a batch share an identity", file: "middleware/state.go",
		old: "s != nil && !s.fixed && s.isOf(r) {", new: "s != nil && !s.fixed {",
	},
	{
		part: "request", name: "a check leaves its identity", file: "middleware/check.go",
		old: "s, r := fork(r, stateOf(r.Context()))", new: "s, r := join(r)",
	},
	{
		part: "request", name: "a check without authentication admits", file: "middleware/check.go",
		old: "case !authenticated:", new: "case !authenticated && false:",
	},
	{
		part: "request", name: "a wrapper outside opens every tier", file: "middleware/tiers.go",
		old: "s.marks &^= openedHere", new: "s.marks &^= 0",
	},
	{
		part: "request", name: "a genuine key from elsewhere is told apart", file: "middleware/guard.go",
		old: "unknown credential.\n\t\t\treturn g.anonymous, err", new: "unknown credential.\n\t\t\treturn from, err",
	},
	{
		part: "request", name: "tokens without an ID are one", file: "middleware/identity.go",
		old: "if b.TokenID != \"\" {", new: "if true {",
	},
	{
		part: "request", name: "what is added later goes to the inner product", file: "middleware/usage.go",
		old: "if c != nil && c.outer != nil {", new: "if false {",
	},
	{
		part: "observe", name: "a panic is not seen", file: "middleware/observe.go",
		old: "defer func() { f(r, o.decision()) }()",
		new: "defer func() {\n\t\t\t\tif p := recover(); p != nil {\n\t\t\t\t\tpanic(p)\n\t\t\t\t}\n\t\t\t\tf(r, o.decision())\n\t\t\t}()",
	},
	{
		part: "observe", name: "it may stand where it does not see", file: "middleware/observe.go",
		old: "if s.openedBy() != nil || s.identity.Load() != nil && !s.has(given) {", new: "if false {",
	},
	{
		part: "writers", name: "no writer is inherited", file: "errorsx/surroundings.go",
		old: "if w != nil || s == nil {", new: "if true {",
	},
	{
		part: "writers", name: "an inner writer stays", file: "middleware/surroundings.go",
		old: "defer s.around.Store(before)", new: "_ = before",
	},
	{
		part: "writers", name: "a query that is not looked at is refused", file: "middleware/query.go",
		old: "if err != nil && !strings.Contains(query, \"access_token\") {", new: "if false {",
	},
	{
		part: "wiring", name: "Unguarded opens a guarded tier", file: "middleware/tiers.go",
		old: "ok && u.Handler == inner {", new: "ok && u.Handler != nil {",
	},
	{
		part: "wiring", name: "Check trusts an outer anonymous wrapper", file: "middleware/check.go",
		old: "\ts.marks &^= openedHere\n", new: "",
	},
	{
		part: "wiring", name: "Observe misses one's own identity", file: "middleware/identity.go",
		old: "\t\to.proved(&id)\n", new: "\t\t_ = o\n",
	},
	{
		part: "wiring", name: "Scope answers by an inner writer", file: "middleware/guard.go",
		old: "writer := s.errorsWriter(); writer != nil {", new: "writer := s.errorsWriter(); writer == g.nobody.writer {",
	},
	{
		part: "wiring", name: "a decorator frees a credential", file: "middleware/decorate.go",
		old: "err == nil && id != nil && proven != nil {", new: "err == nil && id == nil && proven != nil {",
	},
	{
		part: "wiring", name: "a decorator frees a key of its scopes", file: "middleware/decorate.go",
		old: "d.ScopeLimit = d.ScopeLimit || limits.ScopeLimit", new: "_ = limits.ScopeLimit",
	},
	{
		part: "wiring", name: "a nil pointer is a reporter", file: "issuer/partner/partner.go",
		old: "if hook.IsNil(u) {", new: "if u == nil {", tests: "./issuer/partner",
	},
	{
		part: "wiring", name: "a nil pointer is a store of sessions", file: "issuer/session/session.go",
		old: "if hook.IsNil(s) {", new: "if s == nil {", tests: "./issuer/session",
	},
	{
		part: "wiring", name: "a decorator frees a token of its key", file: "middleware/decorate.go",
		old: "d.KeyBinding = d.KeyBinding || limits.KeyBinding", new: "_ = limits.KeyBinding",
	},
}
