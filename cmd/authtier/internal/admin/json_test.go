package admin

import (
	"regexp"
	"strings"
	"testing"
)

// masks replace what differs between runs.
var masks = []struct {
	form *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`authtier_(key|cs|at|rt)_([0-9A-Za-z]{12}_)?[0-9A-Za-z]{49}`), "authtier_${1}_..."},
	{regexp.MustCompile(`"id": "([0-9A-Za-z]{12}|[0-9A-Za-z_-]{43})"`), `"id": "ID"`},
	{regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"`), `"TIME"`},
}

// masked returns JSON without blanks at the beginning of lines, and with masks.
func masked(text string) string {
	for _, m := range masks {
		text = m.form.ReplaceAllString(text, m.with)
	}
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return strings.Join(lines, "")
}

// TestJSON documents the output for programs. Members keep their names and types; new
// members may be added.
func TestJSON(t *testing.T) {
	b := newBox(t)
	expect := func(want string, args ...string) {
		t.Helper()
		if got := masked(b.ok(append(args, "--output", "json")...)); got != want {
			t.Errorf("%q:\n got %s\nwant %s", args, got, want)
		}
	}

	for _, kind := range []string{"client", "user", "key", "signing-key"} {
		expect(`[]`, kind, "list")
	}

	const secret = `{"id": "ID","created": "TIME","expires": null,"last_used": null}`
	const client = `"id": "acme","scopes": ["a","b"],"default_scopes": ["a"],"grants": ["client_credentials"],"disabled": false,"secrets": [` + secret + `]`
	const bare = `"id": "bare","scopes": [],"default_scopes": [],"grants": [],"disabled": false,"secrets": []`
	expect(`{`+client+`,"secret": "authtier_cs_..."}`, "client", "create", "acme", "--scope", "a b", "--default", "a", "--grant", "client_credentials")
	expect(`{`+bare+`}`, "client", "create", "bare", "--no-secret")
	expect(`{`+client+`}`, "client", "show", "acme")
	expect(`[{`+client+`},{`+bare+`}]`, "client", "list")
	expect(`{`+client+`,"secret": "authtier_cs_..."}`, "client", "rotate-secret", "acme")
	expect(`{`+strings.Replace(bare, `"grants": []`, `"grants": ["password"]`, 1)+`}`, "client", "update", "bare", "--grant", "password")
	expect(`{`+strings.Replace(client, `"disabled": false`, `"disabled": true`, 1)+`}`, "client", "disable", "acme")
	expect(`{`+client+`}`, "client", "enable", "acme")
	expect(`{"id": "acme","result": "revoked"}`, "client", "revoke", "acme")
	expect(`{"id": "bare","result": "deleted"}`, "client", "delete", "bare")

	const user = `"login": "ada","first": "Ada","last": "Lovelace","lang": "en","limit_scopes": true,"scopes": ["a"],"disabled": false`
	expect(`{`+user+`,"has_password": false}`, "user", "create", "ada", "--first", "Ada", "--last", "Lovelace", "--lang", "en", "--scope", "a", "--no-password")
	expect(`{`+user+`,"has_password": false}`, "user", "show", "ada")
	expect(`[{`+user+`}]`, "user", "list")
	expect(`{"id": "ada","result": "password_set"}`, "user", "set-password", "ada", "--password-file", input(t, "secret"))
	expect(`{"id": "ada","result": "password_removed"}`, "user", "set-password", "ada", "--no-password")
	expect(`{"id": "ada","result": "revoked"}`, "user", "revoke", "ada")

	const key = `"id": "ID","name": "n","client": "acme","scopes": ["a"],"owner": "ada","networks": ["192.0.2.0/24"],"created": "TIME","expires": "TIME","last_used": null`
	expect(`{`+key+`,"key": "authtier_key_..."}`, "key", "create", "--client", "acme", "--name", "n", "--scope", "a", "--owner", "ada",
		"--network", "192.0.2.0/24", "--expires", "1h")
	id := b.keyOf("acme")
	expect(`{`+key+`}`, "key", "show", id)
	expect(`[{`+key+`}]`, "key", "list")
	expect(`{`+key+`,"key": "authtier_key_..."}`, "key", "rotate", id)
	id = b.keyOf("acme")
	expect(`{`+strings.Replace(key, `"n"`, `""`, 1)+`}`, "key", "update", id, "--name", "")
	expect(`{"id": "ID","result": "revoked"}`, "key", "revoke", id)

	expect(`{"id": "00000000000000000000000000000000","result": "revoked"}`, "session", "revoke", strings.Repeat("0", 32))
	expect(`{"id": "ada","result": "deleted"}`, "user", "delete", "ada")
	expect(`{"stored": 5,"known": 5,"state": "current"}`, "migrate", "status")
	expect(`{"stored": 5,"known": 5,"state": "current"}`, "migrate", "up")
}

// keyOf returns the ID of the only key of a client.
func (b *box) keyOf(client string) string {
	b.t.Helper()
	keys, err := b.open().ListAPIKeys(b.t.Context(), client, "", 2)
	must(b.t, err)
	if len(keys) != 1 {
		b.t.Fatalf("%d keys, want one", len(keys))
	}
	return keys[0].ID
}
