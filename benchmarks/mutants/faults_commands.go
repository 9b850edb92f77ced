package main

// commandFaults are in the commands that serve and administer a store.
var commandFaults = []fault{
	{
		part: "serve", name: "plain HTTP beyond loopback", file: "cmd/authtier/internal/serve/settings.go",
		old: "case !s.tls() && len(s.proxies) == 0:", new: "case !s.tls() && len(s.proxies) == 0 && s.Issuer == \"\":",
	},
	{
		part: "serve", name: "metrics beyond loopback", file: "cmd/authtier/internal/serve/settings.go",
		old: "if err == nil && !loopback {", new: "if err == nil && !loopback && s.tls() {",
	},
	{
		part: "serve", name: "clients go around the proxy", file: "cmd/authtier/internal/serve/handler.go",
		old: "if t.proxied() {\n\t\tall", new: "if t.proxied() && t.metrics != nil {\n\t\tall",
	},
	{
		part: "serve", name: "a store without keys gets one", file: "cmd/authtier/internal/serve/systems.go",
		old: "err == nil && len(live) == 0 {", new: "err == nil && len(live) == 0 && t.KeyFile == \"\" {",
	},
	{
		part: "serve", name: "uses of a stranger's client are counted", file: "cmd/authtier/internal/serve/handler.go",
		old: "if id.Issuer == t.iss.URL() && id.Client != \"\" {", new: "if id.Client != \"\" {",
	},
	{
		part: "serve", name: "a draining server is ready", file: "cmd/authtier/internal/serve/health.go",
		old: "\tif h.draining.Load() {", new: "\tif h.draining.Load() && ctx == nil {",
	},
	{
		part: "serve", name: "the own issuer judges the tokens of others", file: "cmd/authtier/internal/serve/tokens.go",
		old: "iss == \"\" || iss == t.own.URL() {", new: "iss != \"\" || iss == t.own.URL() {",
	},
	{
		part: "serve", name: "caches do not hear of the own issuer", file: "cmd/authtier/internal/serve/tokens.go",
		old: "[]middleware.Validator{t.own, t.trusted} }", new: "[]middleware.Validator{t.trusted} }",
	},
	{
		part: "drain", name: "requests on open connections are lost", file: "cmd/authtier/internal/drain/drain.go",
		old: "\td.wait(ctx)\n", new: "\td.draining.Store(true)\n",
	},
	{
		part: "backend", name: "a password on the command line", file: "cmd/authtier/internal/backend/backend.go",
		old: "inUser || isCut", new: "inUser && isCut",
	},
	{
		part: "backend", name: "a store that everybody can write is opened", file: "cmd/authtier/internal/backend/open.go",
		old: "Perm()&0o002 == 0", new: "Perm()&0o001 == 0", tests: "./cmd/authtier/internal/doctor",
	},
	{
		part: "backend", name: "two stores share a journal", file: "cmd/authtier/internal/backend/backend.go",
		old: "case file == \"\":\n\t\treturn \"auth.usage\"", new: "case file != \"\":\n\t\treturn \"auth.usage\"",
	},
	{
		part: "backend", name: "a missing store is made", file: "cmd/authtier/internal/backend/open.go",
		old: "\tcase Missing:\n\t\treturn nil, fmt", new: "\tcase \"none\":\n\t\treturn nil, fmt",
	},
	{
		part: "backend", name: "an older store is changed", file: "cmd/authtier/internal/backend/open.go",
		old: "\tcase Older:\n", new: "\tcase \"old\":\n",
	},
	{
		part: "backend", name: "a missing key file is made", file: "cmd/authtier/internal/backend/keyfile.go",
		old: "case errors.Is(err, fs.ErrNotExist):\n\t\treturn &cli", new: "case errors.Is(err, fs.ErrNotExist) && f.KeyFile != \"\":\n\t\treturn nil\n\tcase errors.Is(err, fs.ErrExist):\n\t\treturn &cli",
		tests: "./cmd/authtier/internal/serve",
	},
	{
		part: "cli", name: "a variable wins over a flag", file: "cmd/authtier/internal/cli/env.go",
		old: "if f.Changed || len(variable) == 0 {", new: "if len(variable) == 0 {",
	},
	{
		part: "cli", name: "the error shows a variable's value", file: "cmd/authtier/internal/cli/env.go",
		old: "\": expected \"+expected)", new: "\": expected \"+expected+\", got \"+value)",
	},
	{
		part: "cli", name: "a failure is wrong usage", file: "cmd/authtier/internal/cli/cli.go",
		old: "return failure{err}", new: "return err",
	},
	{
		part: "init", name: "another store's key file is used", file: "cmd/authtier/internal/setup/setup.go",
		old: "case len(keys) == 0 && hasFile:", new: "case len(keys) < 0 && hasFile:",
	},
	{
		part: "init", name: "secrets that were not printed stay", file: "cmd/authtier/internal/setup/setup.go",
		old: "return errors.Join(err, os.Remove(f.KeyFile), os.Remove(database))", new: "return err",
	},
	{
		part: "init", name: "a new store takes the place of another one", file: "cmd/authtier/internal/cli/file.go",
		old: "\terr := os.Link(temporary, name)\n", new: "\terr := os.Rename(temporary, name)\n", tests: "./cmd/authtier/internal/setup",
	},
	{
		part: "init", name: "a file that others can use becomes the store", file: "cmd/authtier/internal/setup/files.go",
		old: "Perm()&0o077 == 0", new: "Perm()&0o022 == 0",
	},
	{
		part: "admin", name: "a key as an argument is repeated", file: "cmd/authtier/internal/cli/args.go",
		old: "\t\tcase !IsSecret(arg):\n", new: "\t\tcase !IsSecret(arg) || i < len(names):\n", tests: "./cmd/authtier/internal/admin",
	},
	{
		part: "admin", name: "a reset keeps the old signing keys", file: "cmd/authtier/internal/admin/signingreset.go",
		old: "live[i].Ends = time.Now().Add(-endedBefore)", new: "live[i].Ends = time.Now().Add(time.Hour)",
	},
	{
		part: "admin", name: "ended keys stay in use without the new key file", file: "issuer/internal/keyring/stored.go",
		old: "errors.Is(err, ErrNoSigner) && len(ended) > 0 {", new: "errors.Is(err, ErrNoSigner) && len(ended) < 0 {", tests: "./issuer",
	},
	{
		part: "admin", name: "an empty scope empties the list", file: "cmd/authtier/internal/admin/values.go",
		old: "if len(words) == 0 {", new: "if len(words) < 0 {",
	},
	{
		part: "import", name: "a stored key of other scopes is the same", file: "cmd/authtier/internal/importing/keys.go",
		old: "if r.hasScopes && !sameScopes(stored.Scopes, r.Scopes) {", new: "if r.hasScopes && len(stored.Scopes) != len(r.Scopes) && !sameScopes(stored.Scopes, r.Scopes) {",
	},
	{
		part: "import", name: "the rest of a refused batch is dropped", file: "cmd/authtier/internal/importing/load.go",
		old: "\treturn l.createRest(ctx, rest)\n", new: "\tif len(fresh) > 0 && len(rest) > 0 {\n\t\treturn nil\n\t}\n\treturn l.createRest(ctx, rest)\n",
	},
	{
		part: "import", name: "a faulty line is not a failure", file: "cmd/authtier/internal/importing/load.go",
		old: "\t\tl.out.report(e.line, e.last, e.faults)\n", new: "\t\tl.out.report(e.line, e.last, nil)\n",
	},
	{
		part: "usage", name: "an export takes the place of another file", file: "cmd/authtier/internal/usage/file.go",
		old: "\tif overwrite {\n", new: "\tif overwrite || temporary != \"\" {\n\t\tos.Remove(name)\n",
	},
	{
		part: "usage", name: "an export may replace a link", file: "cmd/authtier/internal/usage/file.go",
		old: "case !info.Mode().IsRegular():", new: "case info.Mode().IsDir():",
	},
	{
		part: "usage", name: "a spreadsheet runs a name as a formula", file: "cmd/authtier/internal/usage/rows.go",
		old: "\t\treturn \"'\" + cell\n", new: "\t\treturn cell\n",
	},
	{
		part: "import", name: "a key becomes an ID", file: "cmd/authtier/internal/importing/keys.go",
		old: "case cli.IsSecret(value):", new: "case cli.IsSecret(value) && column == \"client\":",
	},
	{
		part: "import", name: "a hash that occupies the server", file: "cmd/authtier/internal/importing/users.go",
		old: "cost > issuer.MaxBcryptCost", new: "cost > 2*issuer.MaxBcryptCost",
	},
	{
		part: "doctor", name: "a damaged store is good", file: "cmd/authtier/internal/doctor/storage.go",
		old: "case errors.Is(err, sqlite.ErrDamaged):", new: "case errors.Is(err, sqlite.ErrDamaged):\n\t\tcase errors.Is(err, errReadOnly):",
	},
	{
		part: "doctor", name: "a store without signing keys is a warning", file: "cmd/authtier/internal/doctor/keys.go",
		old: "e.add(fault, \"run authtier signing-key rotate", new: "e.add(warning, \"run authtier signing-key rotate",
	},
	{
		part: "doctor", name: "a damaged journal is good", file: "store/meter/examine.go",
		old: "case content.Torn > 0:", new: "case content.Torn < 0:", tests: "./store/meter",
	},
	{
		part: "serve", name: "a proxy without an issuer", file: "cmd/authtier/internal/serve/settings.go",
		old: "s.loopback && len(s.proxies) > 0 && s.Issuer == \"\"", new: "s.loopback && len(s.proxies) < 0 && s.Issuer == \"\"",
	},
	{
		part: "serve", name: "control characters in a header", file: "cmd/authtier/internal/serve/handler.go",
		old: "if f.value != \"\" && !strings", new: "if f.value != \"\" || !strings",
	},
	{
		part: "import", name: "a revoked digest is stored again", file: "store/internal/sqlstore/insertkeys.go",
		old: "kind = 2 AND key = ?3) THEN NULL", new: "kind = 2 AND key = ?3) THEN ?3", tests: "./store/sqlite",
	},
}
