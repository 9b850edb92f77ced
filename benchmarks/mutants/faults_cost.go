package main

// costFaults are in the code that limits what tokens cost: signature checks and memory.
var costFaults = []fault{
	{
		part: "checks", name: "a core is always kept free", file: "middleware/checks.go",
		old: "make(chan struct{}, runtime.GOMAXPROCS(0))", new: "make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1))",
	},
	{
		part: "checks", name: "99 failures are a flood", file: "middleware/checks.go",
		old: "floodFailures = 100", new: "floodFailures = 99",
	},
	{
		part: "checks", name: "a hundred failures are no flood yet", file: "middleware/checks.go",
		old: "floodFailures = 100", new: "floodFailures = 101",
	},
	{
		part: "checks", name: "failures of any age are a flood", file: "middleware/checks.go",
		old: "c.failed < floodFailures || now-oldest >= floodSpan", new: "c.failed < floodFailures || now < oldest",
	},
	{
		part: "checks", name: "a success ends a flood", file: "middleware/checks.go",
		old: "\tif failed && c.keeps() {", new: "\tif !failed {\n\t\tc.mu.Lock()\n\t\tc.failed = 0\n\t\tc.mu.Unlock()\n\t}\n\tif failed && c.keeps() {",
	},
	{
		part: "checks", name: "a flood that goes on is forgotten", file: "middleware/checks.go",
		old: "rest > 0 {", new: "rest > floodSpan {",
	},
	{
		part: "checks", name: "any failure extends a flood", file: "middleware/checks.go",
		old: "\toldest := c.failures", new: "\tif c.keeping {\n\t\tc.until = now + floodSpan\n\t}\n\toldest := c.failures",
	},
	{
		part: "checks", name: "a flood costs a core for ever", file: "middleware/checks.go",
		old: "\tc.keeping = false\n\t<-c.places\n", new: "\tc.keeping = false\n",
	},
	{
		part: "checks", name: "each flood takes one more core", file: "middleware/checks.go",
		old: "if c.keeping || cap(c.places) == 1 {", new: "if cap(c.places) == 1 {",
	},
	{
		part: "checks", name: "a single core is kept free", file: "middleware/checks.go",
		old: "if c.keeping || cap(c.places) == 1 {", new: "if c.keeping {",
	},
	{
		part: "checks", name: "the queue for checks has no limit", file: "middleware/checks.go",
		old: "if c.queued.Add(1) > maxChecksQueue {", new: "if c.queued.Add(1) < 0 {",
	},
	{
		part: "checks", name: "a check that is not remembered is no failure", file: "middleware/miss.go",
		old: "good = err == nil && id.remembered() != nil && id.live(cred.Now())", new: "good = err == nil && id.live(cred.Now())",
	},
	{
		part: "checks", name: "a check of an expired identity is no failure", file: "middleware/miss.go",
		old: "good = err == nil && id.remembered() != nil && id.live(cred.Now())", new: "good = err == nil && id.remembered() != nil",
	},
	{
		part: "checks", name: "a check that panics is no failure", file: "middleware/miss.go",
		old: "good := false\n", new: "good := true\n",
	},
	{
		part: "memory", name: "credentials over 2 KiB are forgotten", file: "middleware/cache.go",
		old: "maxCached     = 8 << 10", new: "maxCached     = 2 << 10",
	},
	{
		part: "memory", name: "credentials of any size are remembered", file: "middleware/miss.go",
		old: "len(cred.Secret)+len(cred.Username) > maxCached:", new: "len(cred.Secret) < 0:",
	},
	{
		part: "memory", name: "the username does not count", file: "middleware/miss.go",
		old: "len(cred.Secret)+len(cred.Username) > maxCached:", new: "len(cred.Secret) > maxCached:",
	},
	{
		part: "memory", name: "a small cache has no room for a large token", file: "middleware/cache.go",
		old: "max(perShard*textPerEntry, minText)", new: "perShard*textPerEntry",
	},
	{
		part: "memory", name: "identities may have any amount of text", file: "middleware/cache.go",
		old: "max(perShard*textPerEntry, minText)", new: "1<<40",
	},
	{
		part: "memory", name: "refusals may have any amount of text", file: "middleware/cache.go",
		old: "refusals*textPerEntry", new: "refusals*maxCached",
	},
	{
		part: "memory", name: "claims are not counted", file: "middleware/entry.go",
		old: "\t\tn += len(id.claims)\n", new: "\t\tn++\n",
	},
	{
		part: "memory", name: "scopes are not counted", file: "middleware/entry.go",
		old: "len(id.Scopes) + ", new: "",
	},
	{
		part: "memory", name: "owners are not counted", file: "middleware/entry.go",
		old: "n += len(d.Owner) + ", new: "n += ",
	},
	{
		part: "memory", name: "evictions for text are not reported", file: "middleware/miss.go",
		old: "s.stats.Evictions += uint64(dropped)", new: "s.stats.Evictions += min(0, uint64(dropped))",
	},
	{
		part: "memory", name: "text of the forgotten still counts", file: "middleware/lru.go",
		old: "\tl.held -= v.text()\n", new: "",
	},
	{
		part: "memory", name: "use does not keep the oldest entry", file: "middleware/lru.go",
		old: "\tif v != l.newest {", new: "\tif v == l.oldest {\n\t\treturn\n\t}\n\tif v != l.newest {",
	},
	{
		part: "memory", name: "the list may have one value too many", file: "middleware/lru.go",
		old: "len(l.byNumber) >= l.values", new: "len(l.byNumber) > l.values",
	},
	{
		part: "memory", name: "an entry keeps the whole token", file: "middleware/entry.go",
		old: "\tcopyTogether(own)\n", new: "",
	},
}
