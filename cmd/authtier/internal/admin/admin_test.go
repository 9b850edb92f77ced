package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/sqlite"
)

// A box is a store for the commands of one test.
type box struct {
	t    *testing.T
	file string
	in   io.Reader // the commands' input; empty if nil
	out  io.Writer // the commands' output, in place of the result, if not nil
}

// newBox returns a box with an empty store.
func newBox(t *testing.T) *box {
	t.Helper()
	b := &box{t: t, file: filepath.Join(t.TempDir(), "auth.db")}
	b.open().Close()
	return b
}

// open opens the store without the commands.
func (b *box) open() *sqlite.Store {
	b.t.Helper()
	db, err := sqlite.Open(b.t.Context(), b.file)
	must(b.t, err)
	b.t.Cleanup(func() { db.Close() })
	return db
}

// run runs a command on the store.
func (b *box) run(args ...string) (stdout, stderr string, status int) {
	b.t.Helper()
	return b.execute(append(args, "--store", "sqlite:"+b.file)...)
}

// execute runs a command.
func (b *box) execute(args ...string) (stdout, stderr string, status int) {
	b.t.Helper()
	root := &cobra.Command{Use: "authtier", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(Commands()...)
	var out, errs bytes.Buffer
	root.SetOut(&out)
	if b.out != nil {
		root.SetOut(b.out)
	}
	root.SetErr(&errs)
	root.SetIn(strings.NewReader(""))
	if b.in != nil {
		root.SetIn(b.in)
		b.in = nil
	}

	root.SetArgs(args)
	status = cli.Execute(b.t.Context(), root)
	return out.String(), errs.String(), status
}

// ok runs a command that must succeed, and returns its output.
func (b *box) ok(args ...string) string {
	b.t.Helper()
	stdout, stderr, status := b.run(args...)
	if status != 0 {
		b.t.Fatalf("%q: status %d: %s", args, status, stderr)
	}
	return stdout
}

// fails runs a command that must fail with the status and an error that contains want.
func (b *box) fails(status int, want string, args ...string) {
	b.t.Helper()
	stdout, stderr, got := b.run(args...)
	if got != status || !strings.Contains(stderr, want) {
		b.t.Errorf("%q: status %d, %q, want %d and an error that contains %q", args, got, stderr, status, want)
	}
	if stdout != "" {
		b.t.Errorf("%q: printed %q, want nothing", args, stdout)
	}
}

// json runs a command that must succeed, and returns the object that it prints.
func (b *box) json(args ...string) map[string]any {
	b.t.Helper()
	var v map[string]any
	must(b.t, json.Unmarshal([]byte(b.ok(append(args, "--output", "json")...)), &v))
	return v
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// input writes a file and returns its name.
func input(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "input")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// TestHelp checks that every command can be worked from by its help.
func TestHelp(t *testing.T) {
	b := newBox(t)
	for _, group := range Commands() {
		if group.Short == "" || group.Long == "" || group.Example == "" {
			t.Errorf("%s: Short, Long or Example is missing", group.Name())
		}
		help := b.ok(group.Name())
		for _, sub := range group.Commands() {
			if sub.Short == "" || sub.RunE == nil || sub.Args == nil {
				t.Errorf("%s %s: Short, RunE or Args is missing", group.Name(), sub.Name())
			}
			if !strings.Contains(help, sub.Short) {
				t.Errorf("the help of %s does not have %s", group.Name(), sub.Name())
			}
			sub.LocalFlags().VisitAll(func(f *pflag.Flag) {
				if f.Usage == "" {
					t.Errorf("%s %s: --%s has no usage", group.Name(), sub.Name(), f.Name)
				}
			})
		}
		b.fails(2, `unknown command "nonsense"`, group.Name(), "nonsense")
	}
}

// TestNoStore runs commands without a store. They must not make one.
func TestNoStore(t *testing.T) {
	b := &box{t: t, file: filepath.Join(t.TempDir(), "auth.db")}
	for _, args := range [][]string{
		{"client", "list"}, {"client", "create", "acme"}, {"user", "create", "ada", "--no-password"}, {"key", "list"},
		{"token", "inspect"}, {"session", "revoke", strings.Repeat("0", 32)}, {"signing-key", "list"},
		{"migrate", "status"}, {"migrate", "up"},
	} {
		b.fails(1, "authtier init", args...)
		if _, err := os.Stat(b.file); err == nil {
			t.Fatalf("%q made the store", args)
		}
	}
}

// TestMissing names records that do not exist. Each error is one sentence.
func TestMissing(t *testing.T) {
	b := newBox(t)
	b.ok("client", "create", "acme")
	for command, want := range map[string]string{
		"client show x": `client "x" does not exist`, "client update x --scope a": `client "x" does not exist`,
		"client disable x": `client "x" does not exist`, "client enable x": `client "x" does not exist`,
		"client delete x": `client "x" does not exist`, "client revoke x": `client "x" does not exist`,
		"client rotate-secret x":   `client "x" does not exist`,
		"client revoke-secret x y": `client "x" does not exist`, "client revoke-secret acme y": `client "acme": the secret "y" does not exist`,
		"user show x": `user "x" does not exist`, "user update x --first a": `user "x" does not exist`,
		"user disable x": `user "x" does not exist`, "user enable x": `user "x" does not exist`,
		"user delete x": `user "x" does not exist`, "user revoke x": `user "x" does not exist`,
		"user set-password x": `user "x" does not exist`,
		"key show x":          `API key "x" does not exist`, "key update x --name a": `API key "x" does not exist`,
		"key rotate x": `API key "x" does not exist`, "key revoke x": `API key "x" does not exist`,
		"key list --client x": `client "x" does not exist`, "key create --client x": `--client: client "x" does not exist`,
		"key create --client acme --owner x": `--owner: user "x" does not exist`,
	} {
		_, stderr, status := b.run(strings.Fields(command)...)
		if status != 1 || stderr != "authtier: "+want+"\n" {
			t.Errorf("%s: status %d, %q, want 1 and %q", command, status, stderr, want)
		}
	}
}

// TestWrongUsage gives wrong flags and arguments. Each error names the flag and the expected
// value, and nothing is written.
func TestWrongUsage(t *testing.T) {
	b := newBox(t)
	b.ok("client", "create", "acme", "--scope", "a b", "--default", "a")
	b.ok("user", "create", "ada", "--no-password", "--scope", "a")
	b.ok("key", "create", "--client", "acme", "--scope", "a", "--expires", "10h", "--network", "192.0.2.0/24")
	db := b.open()
	keys, err := db.ListAPIKeys(t.Context(), "", "", 10)
	must(t, err)
	id := keys[0].ID
	_, before, err := db.Snapshot(t.Context())
	must(t, err)

	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"client", "create"}, "expected ID, got 0 arguments"},
		{[]string{"client", "create", "a", "b"}, "expected ID, got 2 arguments"},
		{[]string{"client", "create", ""}, "ID is empty"},
		{[]string{"client", "list", "acme"}, "expected no argument"},
		{[]string{"client", "create", "x", "--scope", ""}, `--scope: "": it is empty`},
		{[]string{"client", "create", "x", "--scope", `a"b`}, `--scope has the scope`},
		{[]string{"client", "create", "x", "--scope", "a", "--default", "z"}, `--default has "z", which --scope lacks`},
		{[]string{"client", "create", "x", "--grant", "magic"}, `--grant has "magic", expected of client_credentials, password, refresh_token`},
		{[]string{"client", "create", "x\x00"}, "control character"},
		{[]string{"client", "create", "x", "--nonsense"}, "unknown flag: --nonsense"},
		{[]string{"client", "create", "x", "--output", "xml"}, "expected text or json"},
		{[]string{"client", "update", "acme"}, "nothing to change: expected at least one of --default, --grant, --no-defaults"},
		{[]string{"client", "update", "acme", "--scope", "b"}, `--default has "a", which --scope lacks`},
		{[]string{"client", "update", "acme", "--scope", "b", "--no-scopes"}, "[no-scopes scope]"},
		{[]string{"client", "rotate-secret", "acme", "--overlap", "5"}, `--overlap: "5": expected 0 or a duration`},
		{[]string{"client", "rotate-secret", "acme", "--overlap", "-1h"}, `--overlap: "-1h": expected 0 or a duration`},
		{[]string{"client", "rotate-secret", "acme", "--overlap", "5ms"}, `--overlap: "5ms": expected 0 or a duration`},

		{[]string{"user", "create", "eve"}, "--password-file is missing"},
		{[]string{"user", "create", "eve", "--password-file", ""}, "--password-file is empty"},
		{[]string{"user", "create", "eve", "--password-file", "-", "--no-password"}, "[no-password password-file]"},
		{[]string{"user", "create", "eve", "--no-password", "--first", "a\nb"}, "--first contains a control character"},
		{[]string{"user", "create", "eve", "--no-password", "--scope", ""}, `--scope: "": it is empty`},
		{[]string{"user", "update", "ada"}, "nothing to change"},
		{[]string{"user", "update", "ada", "--limit-scopes=false", "--scope", "a"}, "--limit-scopes=false lifts the limit"},
		{[]string{"user", "update", "ada", "--limit-scopes=false", "--no-scopes"}, "--limit-scopes=false lifts the limit"},
		{[]string{"user", "set-password", "ada"}, "--password-file is missing"},

		{[]string{"key", "create"}, "--client is missing"},
		{[]string{"key", "create", "--client", "acme", "--scope", "z"}, `--scope has "z", expected only scopes of the client: a b`},
		{[]string{"key", "create", "--client", "acme", "--scope", ""}, `--scope: "": it is empty`},
		{[]string{"key", "create", "--client", "acme", "--network", ""}, `--network: "": expected a network`},
		{[]string{"key", "create", "--client", "acme", "--network", "fe80::1%eth0"}, `--network: "fe80::1%eth0": expected a network`},
		{[]string{"key", "create", "--client", "acme", "--network", "192.0.2.1/24"}, "it has bits beyond its length, expected 192.0.2.0/24"},
		{[]string{"key", "create", "--client", "acme", "--expires", ""}, `--expires: "": expected a date`},
		{[]string{"key", "create", "--client", "acme", "--expires", "soon"}, `--expires: "soon": expected a date`},
		{[]string{"key", "create", "--client", "acme", "--expires", "2001-01-31"}, `--expires: "2001-01-31": expected a time in the future`},
		{[]string{"key", "create", "--client", "acme", "--expires", "-1h"}, `--expires: "-1h": expected a time in the future`},
		{[]string{"key", "create", "--client", "acme", "--owner", ""}, "--owner is empty"},
		{[]string{"key", "create", "--client", "acme", "--name", "a\tb"}, "--name contains a control character"},
		{[]string{"key", "list", "--client", ""}, "--client is empty"},
		{[]string{"key", "update", id}, "nothing to change"},
		{[]string{"key", "update", id, "--owner", ""}, "--owner is empty"},
		{[]string{"key", "update", id, "--expires", "20h"}, "--expires was moved"},
		{[]string{"key", "update", id, "--network", "192.0.2.0/24", "--any-network"}, "[network any-network]"},

		{[]string{"token", "inspect", "--token-file", ""}, "--token-file is empty"},
		{[]string{"token", "inspect", "--issuer", "http://example.com"}, "--issuer: "},
		{[]string{"token", "revoke", "--issuer", ""}, "--issuer: "},
		{[]string{"session", "revoke", "canary"}, "32 hexadecimal digits"},
	} {
		b.fails(2, tt.want, tt.args...)
	}

	if _, after, err := db.Snapshot(t.Context()); err != nil || after != before {
		t.Errorf("the store was changed: %v, %v, %v", before, after, err)
	}
	clients, err := db.ListClients(t.Context(), "", 10)
	must(t, err)
	users, err := db.ListUsers(t.Context(), "", 10)
	must(t, err)
	keys, err = db.ListAPIKeys(t.Context(), "", "", 10)
	must(t, err)
	if len(clients) != 1 || len(users) != 1 || len(keys) != 1 {
		t.Errorf("records were made: %v, %v, %v", clients, users, keys)
	}
	if _, stderr, _ := b.run("session", "revoke", "canary"); strings.Contains(stderr, "canary") {
		t.Errorf("the argument is repeated: %s", stderr)
	}
}

// TestSecretArguments passes keys and tokens as arguments and as values of flags. They are
// refused and never repeated.
func TestSecretArguments(t *testing.T) {
	b := newBox(t)
	random := strings.Repeat("Canary0", 7)
	for _, secret := range []string{
		"authtier_key_abcdefghijkl_" + random, "authtier_at_" + random, "authtier_rt_" + random, "authtier_st_" + random,
		"authtier_cs_abcdefghijkl_" + random, "authtier_key_abcdefghijkl", "acme_key_abcdefghijkl_" + random, "acme_rt_" + random,
		"Bearer authtier_at_" + random, "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.Canary0",
	} {
		for _, args := range [][]string{
			{"key", "revoke", secret}, {"key", "show", secret}, {"key", "rotate", secret}, {"key", secret}, {"key", "list", secret},
			{"token", "revoke", secret}, {"token", "inspect", secret}, {"token", secret}, {"session", "revoke", secret},
			{"client", "create", secret}, {"client", "revoke-secret", "acme", secret}, {"client", "show", "acme", secret},
			{"user", "create", secret}, {"signing-key", "revoke", secret},
			{"key", "list", "--client", secret}, {"key", "create", "--client", "acme", "--name", secret},
			{"key", "create", "--client", "acme", "--expires", secret}, {"client", "rotate-secret", "acme", "--overlap=" + secret},
			{"client", "create", "x", "--scope", secret}, {"client", "list", "--" + secret},
		} {
			stdout, stderr, status := b.run(args...)
			if status != 2 || !strings.Contains(stderr, "never put a key or token on the command line") {
				t.Errorf("%q: status %d, %q", args, status, stderr)
			}
			if strings.Contains(stdout+stderr, secret) || strings.Contains(stdout+stderr, "Canary0") {
				t.Errorf("%q: the secret is repeated: %s", args, stderr)
			}
		}
	}

	// These are names and no secrets.
	for _, id := range []string{"billing_at_headquarters", "a_key_holder", "authtier_key", "urn:example:key"} {
		b.ok("client", "create", id)
	}
}

// TestEnvironment names the store in the environment.
func TestEnvironment(t *testing.T) {
	b := newBox(t)
	t.Setenv("AUTHTIER_STORE", "sqlite:"+b.file)
	if _, stderr, status := b.execute("client", "create", "acme", "--no-secret"); status != 0 {
		t.Fatal(stderr)
	}
	if _, err := b.open().Client(t.Context(), "acme"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat("auth.db"); err == nil {
		t.Error("the store of the default was made")
	}
}

// failing is an output that cannot be written.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestUnprinted makes secrets that cannot be printed. Records whose secret nobody knows
// must not stay.
func TestUnprinted(t *testing.T) {
	b := newBox(t)
	b.ok("client", "create", "acme")
	id := b.json("key", "create", "--client", "acme")["id"].(string)
	b.out = failing{}
	for _, output := range []string{"text", "json"} {
		b.fails(1, "the client is deleted again", "client", "create", "x", "--output", output)
		b.fails(1, "is revoked again", "key", "create", "--client", "acme", "--output", output)
		b.fails(1, "run rotate-secret again", "client", "rotate-secret", "acme", "--output", output)
	}
	b.fails(1, "run rotate again", "key", "rotate", id)

	db := b.open()
	if c, err := db.Client(t.Context(), "x"); err == nil {
		t.Errorf("the client stays: %v", c)
	}
	keys, err := db.ListAPIKeys(t.Context(), "", "", 10)
	must(t, err)
	if len(keys) != 1 || keys[0].ID == id {
		t.Errorf("keys %v, want only the successor of %s", keys, id)
	}
}

// TestShown prints names that would confuse a terminal.
func TestShown(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"", "-"}, {"acme", "acme"}, {"Zoë 東京", "Zoë 東京"}, {"a\tb", `a\tb`}, {"a\x1b[2Jb", `a\x1b[2Jb`}, {"a\u202eb", `a\u202eb`}, {"a\xffb", `a\xffb`},
	} {
		if got := shown(tt.name); got != tt.want {
			t.Errorf("shown(%q) = %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestListAll lists more records than one page holds.
func TestListAll(t *testing.T) {
	b := newBox(t)
	var users []store.User
	for n := range 2001 {
		users = append(users, store.User{Login: fmt.Sprintf("user %04d", n)})
	}
	must(t, b.open().CreateUsers(t.Context(), users...))
	var listed []struct{ Login string }
	must(t, json.Unmarshal([]byte(b.ok("user", "list", "--output", "json")), &listed))
	if len(listed) != len(users) {
		t.Fatalf("%d users, want %d", len(listed), len(users))
	}
	for n, u := range listed {
		if u.Login != users[n].Login {
			t.Fatalf("user %d is %q, want %q", n, u.Login, users[n].Login)
		}
	}
	if lines := strings.Count(b.ok("user", "list"), "\n"); lines != len(users)+1 {
		t.Errorf("%d lines, want %d", lines, len(users)+1)
	}
}
