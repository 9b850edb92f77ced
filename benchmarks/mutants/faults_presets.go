package main

// presetFaults are in the rules for single identity providers.
var presetFaults = []fault{
	{
		part: "presets", name: "strangers' repositories are accepted", file: "middleware/idp/presets_ci.go",
		old: "return c.fault(\"repository_id\", words(\"one of the configured repositories or owners\"))", new: "return nil", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "strangers' service accounts are accepted", file: "middleware/idp/presets.go",
		old: "if !slices.Contains(own, c.Text(\"azp\")) {", new: "if c.Text(\"azp\") == \"\" {", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "an application's token without scopes and roles is accepted", file: "middleware/idp/presets_ci.go",
		old: "if !c.Has(\"scp\") && len(c.List(\"roles\")) == 0 {", new: "if false {", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "a person with a service account's name is a machine", file: "middleware/idp/presets.go",
		old: "if c.part != inAnswer || c.Text", new: "if c.part == inAnswer || c.Text", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "strangers' clients are accepted at Zitadel", file: "middleware/idp/presets.go",
		old: "if !slices.Contains(own, c.Text(\"client_id\")) {", new: "if c.Text(\"client_id\") == \"\" {", tests: "./middleware/idp ./middleware/idp/idptest",
	},
	{
		part: "presets", name: "a token that is too large has no cause", file: "middleware/bearer.go",
		old: "len(h[b.header][0]) > b.most {", new: "len(h[b.header][0]) > maxTokenBytes {", tests: "./middleware/idp ./middleware/idp/idptest",
	},
}
