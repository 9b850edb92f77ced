package main

// refusalFaults are in the checks of stores and meters for wrong arguments.
var refusalFaults = []fault{
	{
		part: "refusals", name: "any kind is revoked", file: "store/changes.go",
		old: "if c.Kind < KindToken || c.Kind > KindSigningKey {", new: "if false {", tests: "./store/memory",
	},
	{
		part: "refusals", name: "a database revokes anything", file: "store/internal/sqlstore/changes.go",
		old: "if err := record.CheckChanges(cs); err != nil {", new: "if err := record.CheckChanges(nil); err != nil {", tests: "./store/sqlite",
	},
	{
		part: "refusals", name: "Redis revokes anything", file: "store/redis/changes.go",
		old: "if err := record.CheckChanges(cs); err != nil {", new: "if err := record.CheckChanges(nil); err != nil {", tests: "./store/redis",
	},
	{
		part: "refusals", name: "a key is given a later end", file: "store/faults.go",
		old: "if !old.IsZero() && (expires.IsZero() || expires.After(old)) {", new: "if !old.IsZero() && expires.IsZero() {", tests: "./store/memory",
	},
	{
		part: "refusals", name: "a key loses its end", file: "store/faults.go",
		old: "(expires.IsZero() || expires.After(old))", new: "expires.After(old)", tests: "./store/memory",
	},
	{
		part: "refusals", name: "a key has scopes that its client lacks", file: "store/memory/apikeys.go",
		old: "record.CheckScopes(&ks[i], c.Scopes, nil)", new: "record.CheckScopes(&ks[i], append(c.Scopes, ks[i].Scopes...), nil)", tests: "./store/memory",
	},
	{
		part: "refusals", name: "an update gives a key any scope", file: "store/internal/sqlstore/apikeys.go",
		old: "if err := tx.checkScopes(ctx, changed, old); err != nil {", new: "if err := tx.checkScopes(ctx, changed, changed); err != nil {", tests: "./store/sqlite",
	},
	{
		part: "refusals", name: "a successor has any scope", file: "store/internal/sqlstore/apikeys.go",
		old: "if err := tx.checkScopes(ctx, &next, old); err != nil {", new: "if err := tx.checkScopes(ctx, &next, &next); err != nil {", tests: "./store/sqlite",
	},
	{
		part: "refusals", name: "Redis gives keys any scope", file: "store/redis/lua/records.lua",
		old: "if not client[scope] and not before[scope] then return scope end", new: "if not client[scope] and false then return scope end", tests: "./store/redis",
	},
	{
		part: "refusals", name: "an update in Redis gives a key any scope", file: "store/redis/lua/update.lua",
		old: "if #added > 0 then", new: "if #added > 9 then", tests: "./store/redis",
	},
	{
		part: "refusals", name: "a zero until replaces", file: "store/internal/record/record.go",
		old: "if err == nil && until.IsZero() {", new: "if false {", tests: "./store/memory",
	},
	{
		part: "refusals", name: "an expired key is created", file: "store/faults.go",
		old: "!expires.IsZero() && !expires.After(now)", new: "expires.IsZero() && expires.After(now)", tests: "./store",
	},
	{
		part: "refusals", name: "a password is rehashed to nothing", file: "store/internal/record/record.go",
		old: "if hash == \"\" {", new: "if false {", tests: "./store/memory",
	},
	{
		part: "refusals", name: "a batch of any size", file: "store/internal/record/record.go",
		old: "if n > maxBatch {", new: "if n > 10*maxBatch {", tests: "./store/memory",
	},
	{
		part: "refusals", name: "a report of nothing", file: "store/internal/sqlstore/report.go",
		old: "if err := q.Check(); err != nil {", new: "if err := q.Check(); err != nil && q.API == \"\" {", tests: "./store/sqlite",
	},
	{
		part: "refusals", name: "a query that forgets its end", file: "store/usage.go",
		old: "f.day(\"To\", q.To, 1, latest)", new: "f.day(\"To\", q.To, 0, latest)", tests: "./store",
	},
	{
		part: "refusals", name: "an adjustment on any day", file: "store/usage.go",
		old: "\tf.day(\"Day\", a.Day, oldestDay, DayOf(time.Now())+1)\n", new: "", tests: "./store/memory",
	},
	{
		part: "refusals", name: "Redis keeps any adjustment", file: "store/redis/adjustments.go",
		old: "if err := a.Check(); err != nil {", new: "if err := a.Check(); err != nil && a.Quantity == 0 {", tests: "./store/redis",
	},
	{
		part: "refusals", name: "a digest in JSON", file: "store/store.go",
		old: "Digest Digest `json:\"-\"` // of the whole key", new: "Digest Digest // of the whole key", tests: "./store",
	},
	{
		part: "refusals", name: "a sealed key is printed", file: "store/print.go",
		old: "slog.String(\"alg\", k.Alg),", new: "slog.String(\"alg\", k.Alg), slog.Any(\"sealed\", k.Sealed),", tests: "./store",
	},
	{
		part: "refusals", name: "PostgreSQL may forget", file: "store/postgres/open.go",
		old: "{\"synchronous_commit\", commit}", new: "{\"synchronous_commit\", fsync}", tests: "./store/postgres",
	},
	{
		part: "refusals", name: "PostgreSQL falls back to plaintext", file: "store/postgres/open.go",
		old: "range cfg.Fallbacks {", new: "range cfg.Fallbacks[:0] {", tests: "./store/postgres",
	},
	{
		part: "refusals", name: "plaintext to Redis", file: "store/redis/dial.go",
		old: "(host == \"\" || transport.IsLocal(host))", new: "(host != \"\" || transport.IsLocal(host))", tests: "./store/redis",
	},
	{
		part: "refusals", name: "plaintext to a cluster's other machines", file: "store/redis/quiet.go",
		old: "\t\tif q.local {\n", new: "\t\tif q.local && false {\n", tests: "./store/redis",
	},
	{
		part: "refusals", name: "a nil product panics", file: "store/meter/meter.go",
		old: "if p == nil || p.meter == nil {", new: "if p != nil && p.meter == nil {", tests: "./store/meter",
	},
	{
		part: "refusals", name: "a meter of a nil pointer", file: "store/meter/meter.go",
		old: "!v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()", new: "!v.IsValid()", tests: "./store/meter",
	},
}
