package main

// answerFaults are in the answers, in what surrounds them, and in the keys of remote sets.
var answerFaults = []fault{
	{
		part: "writer", name: "the dialects are swapped", file: "errorsx/writer.go",
		old: "dialect := Table\n", new: "dialect := RFC\n",
	},
	{
		part: "writer", name: "a failure of ours challenges", file: "errorsx/writer.go",
		old: "if scheme != \"\" && !a.Code.IsServerError() && a.Code != InvalidParameter {", new: "if scheme != \"\" && a.Code != InvalidParameter {",
	},
	{
		part: "writer", name: "an internal message is sent", file: "errorsx/error.go",
		old: "case e.Message == \"\" || e.Code.IsServerError():", new: "case e.Message == \"\":",
	},
	{
		part: "writer", name: "answers may be stored", file: "errorsx/writer.go",
		old: "noStore  = []string{\"no-store\"}", new: "noStore  = []string{\"private\"}",
	},
	{
		part: "writer", name: "quotes in a challenge are not escaped", file: "errorsx/challenge.go",
		old: "\t\tif r == '\"' || r == '\\\\' {\n\t\t\tb = append(b, '\\\\')\n\t\t}\n\t\tif r", new: "\t\tif r",
	},
	{
		part: "writer", name: "a wrapper's own writer is not used", file: "errorsx/surroundings.go",
		old: "if w != nil || s == nil {", new: "if s == nil {",
	},
	{
		part: "writer", name: "the surroundings are not told of a refusal", file: "errorsx/writer.go",
		old: "if around != nil {", new: "if false {",
	},
	{
		part: "writer", name: "the token endpoint answers with the user's body", file: "errorsx/body.go",
		old: "w.Body == nil || a.place != Resource {", new: "w.Body == nil {",
	},
	{
		part: "writer", name: "a client reads the ID of a refusal in the log", file: "errorsx/writer.go",
		old: "if a.Code.IsServerError() {\n\t\ta.RequestID", new: "if true {\n\t\ta.RequestID",
	},
	{
		part: "writer", name: "a dialect may admit", file: "errorsx/writer.go",
		old: "if status < 400 || status > 599 {", new: "if false {",
	},
	{
		part: "writer", name: "AUTH-13 does not say when to come back", file: "errorsx/writer.go",
		old: "seconds := max(1, (after+time.Second-1)/time.Second)", new: "seconds := time.Duration(1)",
	},

	{
		part: "others", name: "made-up kids have the set fetched each time", file: "middleware/idp/keyrefresh.go",
		old: "if r.fetch == nil && r.limiter.Allow() {", new: "if r.fetch == nil {",
	},
	{
		part: "others", name: "a set that cannot be fetched makes kids unknown", file: "middleware/idp/remotekeys.go",
		old: "case kid != \"\" && !has(s) && s.err != nil:", new: "case false:",
	},
	{
		part: "others", name: "a set is relied upon for ever", file: "middleware/idp/remotekeys.go",
		old: "case s.until.Passed(time.Now()):", new: "case false:",
	},
	{
		part: "others", name: "caches are not told of withdrawn keys", file: "middleware/idp/keyrefresh.go",
		old: "r.sinks.Forget(gone...)", new: "_ = gone",
	},
	{
		part: "others", name: "redirects lead to other hosts", file: "middleware/idp/remote.go",
		old: "case r.URL.Scheme != from.Scheme || r.URL.Host != from.Host:", new: "case r.URL.Scheme != from.Scheme:",
	},
	{
		part: "others", name: "bodies have no limit", file: "middleware/idp/remote.go",
		old: "if len(body) > maxRemoteBody {", new: "if false {",
	},
	{
		part: "others", name: "private keys of a set are used", file: "middleware/idp/jwk.go",
		old: "[]value{j.D, j.P,", new: "[]value{j.P,",
	},
	{
		part: "others", name: "any trusted issuer's keys will do", file: "middleware/idp/open.go",
		old: "if t := v.exact[iss]; t != nil {\n\t\treturn t, \"\"", new: "if t := v.exact[iss]; t != nil {\n\t\treturn v.issuers[0], \"\"",
	},
	{
		part: "others", name: "a second way makes up for a refused one", file: "middleware/oneof.go",
		old: "\tfound, err := way.authenticate(s, r)\n",
		new: "\tfound, err := way.authenticate(s, r)\n\tfor _, other := range o.ways {\n\t\tif err != nil {\n\t\t\tfound, err = other.authenticate(s, r)\n\t\t}\n\t}\n",
	},

	{
		part: "keys", name: "a replaced key never ends", file: "issuer/rotation.go",
		old: "err = db.ReplaceAPIKey(ctx, id, until, record)", new: "err = db.ReplaceAPIKey(ctx, id, until.AddDate(1, 0, 0), record)",
	},
	{
		part: "keys", name: "caches are not told of replaced keys", file: "issuer/rotation.go",
		old: "\ti.sinks.Forget(middleware.Revocation{APIKeyID: id})\n\treturn key, record, err", new: "\treturn key, record, err",
	},
	{
		part: "keys", name: "an overlap lengthens a key's life", file: "store/internal/sqlstore/apikeys.go",
		old: "tx.endAPIKey(ctx, id, record.Sooner(old.Expires, until))", new: "tx.endAPIKey(ctx, id, until)", tests: "./store/sqlite",
	},
	{
		part: "keys", name: "a new secret replaces all others at once", file: "store/internal/record/secrets.go",
		old: "return append(kept, added), dropped, nil", new: "return append(kept[:0], added), dropped, nil", tests: "./store/memory",
	},
}
