package main

// storeFaults are in the code that creates, updates and lists records.
var storeFaults = []fault{
	{
		part: "stores", name: "a revoked key may be created by its ID", file: "store/memory/apikeys.go",
		old: "\ts.revoked.keyIDs[id] = true\n", new: "", tests: "./store/memory",
	},
	{
		part: "stores", name: "a revoked key may be created by its digest", file: "store/memory/apikeys.go",
		old: "\t\ts.revoked.keys[d] = true\n", new: "", tests: "./store/memory",
	},
	{
		part: "stores", name: "a revoked key may be created in a database", file: "store/internal/sqlstore/apikeys.go",
		old: "\t\t{buriedKeys, digests, store.ErrRevoked},\n", new: "", tests: "./store/sqlite",
	},
	{
		part: "stores", name: "a deleted client's secrets are forgotten", file: "store/memory/clients.go",
		old: "\t\ts.revoked.addSecrets(id, s.clients[id].Secrets)\n", new: "", tests: "./store/memory",
	},
	{
		part: "stores", name: "a dropped secret is forgotten", file: "store/internal/sqlstore/secrets.go",
		old: "for _, secret := range dropped {", new: "for _, secret := range dropped[:0] {", tests: "./store/sqlite",
	},
	{
		part: "stores", name: "a client that exists is overwritten", file: "store/memory/clients.go",
		old: "if _, ok := s.clients[c.ID]; ok {", new: "if _, ok := s.clients[c.ID]; ok && false {", tests: "./store/memory",
	},
	{
		part: "stores", name: "an update loses another one", file: "store/memory/users.go",
		old: "if stored = record.SameUser(&now, old); !stored {", new: "if stored = true; !stored {", tests: "./store/memory",
	},
	{
		part: "stores", name: "an update loses another one in a database", file: "store/internal/sqlstore/clients.go",
		old: "if stored = record.SameClient(now, old); !stored {", new: "if stored = true; !stored {", tests: "./store/sqlite",
	},
	{
		part: "stores", name: "an update does not see new secrets", file: "store/internal/record/record.go",
		old: "slices.EqualFunc(a.Secrets, b.Secrets, sameSecret) && slices.Equal(a.Scopes", new: "slices.Equal(a.Scopes", tests: "./store/internal/record",
	},
	{
		part: "stores", name: "an update is not checked", file: "store/internal/record/update.go",
		old: "if err := k.check(changed, old); err != nil {", new: "if err := k.check(changed, old); err != nil && false {", tests: "./store/memory",
	},
	{
		part: "stores", name: "a plain password is taken", file: "store/check.go",
		old: "\t\tf.password(u.Password)\n", new: "", tests: "./store",
	},
	{
		part: "stores", name: "an old client cannot be disabled", file: "store/check.go",
		old: "if created || !slices.Equal(c.Grants, old.Grants) {", new: "if true {", tests: "./store",
	},
	{
		part: "stores", name: "names may hold control characters", file: "store/faults.go",
		old: "strings.ContainsFunc(s, unicode.IsControl)", new: "strings.ContainsFunc(s, func(r rune) bool { return r == 0 && unicode.IsControl(r) })", tests: "./store",
	},
	{
		part: "stores", name: "any grant name is taken", file: "store/faults.go",
		old: "if !slices.Contains(known, grant) {", new: "if len(known) == 0 {", tests: "./store",
	},
	{
		part: "stores", name: "a disabled user's tokens stay", file: "store/memory/users.go",
		old: "changed.Disabled && !old.Disabled", new: "false", tests: "./store/memory",
	},
	{
		part: "stores", name: "a revoked owner's keys stay", file: "store/internal/sqlstore/feed.go",
		old: "return tx.revokeAPIKeys(ctx, `owner = $1 AND length(owner) > 0`, []byte(c.ID))", new: "return nil", tests: "./store/sqlite",
	},
	{
		part: "stores", name: "a listing has password hashes", file: "store/internal/sqlstore/users.go",
		old: "\t\t\tu.Password = \"\"\n", new: "\t\t\t_ = u\n", tests: "./store/sqlite",
	},
	{
		part: "stores", name: "a page repeats its cursor", file: "store/internal/sqlstore/users.go",
		old: "AND login > $2", new: "AND login >= $2", tests: "./store/sqlite",
	},
	{
		part: "stores", name: "sentinel: a replica may answer", file: "store/redis/sentinel.go",
		old: "\topt.OnConnect = refuseReplica\n", new: "\t_ = refuseReplica\n", tests: "./store/redis",
	},
	{
		part: "stores", name: "sentinel: the DSN may choose replicas", file: "store/redis/sentinel.go",
		old: "opt.ReplicaOnly, opt.UseDisconnectedReplicas = false, false", new: "opt.UseDisconnectedReplicas = false", tests: "./store/redis",
	},
	{
		part: "stores", name: "sentinel: commands are repeated", file: "store/redis/sentinel.go",
		old: "opt.MaxRetries, opt.DialerRetries = -1, 1", new: "opt.MaxRetries, opt.DialerRetries = 3, 1", tests: "./store/redis",
	},
	{
		part: "stores", name: "sentinel: the master may be elsewhere without TLS", file: "store/redis/sentinel.go",
		old: "(&quiet{local: local})", new: "(&quiet{local: local && false})", tests: "./store/redis",
	},
	{
		part: "stores", name: "sentinel: an unknown master means missing records", file: "store/redis/quiet.go",
		old: "err = errors.New(err.Error())", new: "err = errors.Join(err)", tests: "./store/redis",
	},
	{
		part: "stores", name: "sentinel: each failed call is logged", file: "store/redis/quiet.go",
		old: ">= slow || q.sentinels {", new: ">= slow {", tests: "./store/redis",
	},
	{
		part: "stores", name: "sentinel: the master is not asked for again", file: "store/redis/sentinel.go",
		old: "opt.ConnMaxLifetime, opt.ConnMaxLifetimeJitter = lifetime, 0", new: "_ = lifetime", tests: "./store/redis",
	},
	{
		part: "stores", name: "sentinel: its name vouches for the master", file: "store/redis/sentinel.go",
		old: "opt.TLSConfig.ServerName = \"\"", new: "_ = opt.TLSConfig.ServerName", tests: "./store/redis",
	},
	{
		part: "stores", name: "RootCAs is ignored", file: "store/redis/dial.go",
		old: "\tc.RootCAs = authorities\n", new: "", tests: "./store/redis",
	},
	{
		part: "stores", name: "RootCAs is taken without TLS", file: "store/redis/dial.go",
		old: "return errors.New(\"RootCAs is set, and the DSN has no TLS: use rediss://\")", new: "return nil", tests: "./store/redis",
	},
	{
		part: "stores", name: "RootCAs is taken with skip_verify", file: "store/redis/dial.go",
		old: "case c.InsecureSkipVerify:", new: "case c.InsecureSkipVerify && false:", tests: "./store/redis",
	},
	{
		part: "stores", name: "an error shows the password of a parameter", file: "store/redis/dial.go",
		old: "[]string{\"password\", \"sentinel_password\"}", new: "[]string{\"sentinel_password\"}", tests: "./store/redis",
	},
}
