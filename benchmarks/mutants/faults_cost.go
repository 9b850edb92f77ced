package main

// costFaults are in the code that limits what tokens cost: signature checks.
var costFaults = []fault{
	{
		part: "cost", name: "a core is always kept free", file: "middleware/checks.go",
		old: "make(chan struct{}, runtime.GOMAXPROCS(0))", new: "make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1))",
	},
	{
		part: "cost", name: "99 failures are a flood", file: "middleware/checks.go",
		old: "floodFailures = 100", new: "floodFailures = 99",
	},
	{
		part: "cost", name: "a hundred failures are no flood yet", file: "middleware/checks.go",
		old: "floodFailures = 100", new: "floodFailures = 101",
	},
	{
		part: "cost", name: "failures of any age are a flood", file: "middleware/checks.go",
		old: "c.failed < floodFailures || now-oldest >= floodSpan", new: "c.failed < floodFailures || now < oldest",
	},
	{
		part: "cost", name: "a success ends a flood", file: "middleware/checks.go",
		old: "\tif failed && c.keeps() {", new: "\tif !failed {\n\t\tc.mu.Lock()\n\t\tc.failed = 0\n\t\tc.mu.Unlock()\n\t}\n\tif failed && c.keeps() {",
	},
	{
		part: "cost", name: "a flood that goes on is forgotten", file: "middleware/checks.go",
		old: "rest > 0 {", new: "rest > floodSpan {",
	},
	{
		part: "cost", name: "any failure extends a flood", file: "middleware/checks.go",
		old: "\toldest := c.failures", new: "\tif c.keeping {\n\t\tc.until = now + floodSpan\n\t}\n\toldest := c.failures",
	},
	{
		part: "cost", name: "a flood costs a core for ever", file: "middleware/checks.go",
		old: "\tc.keeping = false\n\t<-c.places\n", new: "\tc.keeping = false\n",
	},
	{
		part: "cost", name: "each flood takes one more core", file: "middleware/checks.go",
		old: "if c.keeping || cap(c.places) == 1 {", new: "if cap(c.places) == 1 {",
	},
	{
		part: "cost", name: "a single core is kept free", file: "middleware/checks.go",
		old: "if c.keeping || cap(c.places) == 1 {", new: "if c.keeping {",
	},
	{
		part: "cost", name: "the queue for checks has no limit", file: "middleware/checks.go",
		old: "if c.queued.Add(1) > maxChecksQueue {", new: "if c.queued.Add(1) < 0 {",
	},
	{
		part: "cost", name: "a check that is not remembered is no failure", file: "middleware/miss.go",
		old: "good = err == nil && id.remembered() != nil && id.live(cred.Now())", new: "good = err == nil && id.live(cred.Now())",
	},
	{
		part: "cost", name: "a check of an expired identity is no failure", file: "middleware/miss.go",
		old: "good = err == nil && id.remembered() != nil && id.live(cred.Now())", new: "good = err == nil && id.remembered() != nil",
	},
	{
		part: "cost", name: "a check that panics is no failure", file: "middleware/miss.go",
		old: "good := false\n", new: "good := true\n",
	},
}
