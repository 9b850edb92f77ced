package admin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store"
)

const here = "http://127.0.0.1:8080"

// server opens an issuer on the store, as a server does, and returns its key file.
func (b *box) server(opaque bool) (iss *issuer.Issuer, keyFile string) {
	b.t.Helper()
	keyFile = filepath.Join(b.t.TempDir(), "auth.key")
	cfg := &issuer.Config{KeyFile: keyFile}
	if opaque {
		cfg = &issuer.Config{OpaqueTokens: true}
	}
	iss, err := issuer.Open(b.t.Context(), here, b.open(), cfg)
	must(b.t, err)
	b.t.Cleanup(func() { iss.Close() })
	return iss, keyFile
}

// mint returns tokens of a client and its user.
func mint(t *testing.T, iss *issuer.Issuer) *issuer.Tokens {
	t.Helper()
	tokens, err := iss.Mint(t.Context(), issuer.Grant{Client: "acme", User: "ada", Scope: "a b", Refresh: true})
	must(t, err)
	return tokens
}

// TestTokens inspects and revokes signed, opaque and refresh tokens.
func TestTokens(t *testing.T) {
	for _, opaque := range []bool{false, true} {
		b := newBox(t)
		b.ok("client", "create", "acme", "--scope", "a b")
		b.ok("user", "create", "ada", "--no-password")
		iss, keyFile := b.server(opaque)
		tokens := mint(t, iss)

		flags := []string{"--key-file", keyFile, "--output", "json"}
		for _, tt := range []struct{ kind, token string }{{"access", tokens.AccessToken}, {"refresh", tokens.RefreshToken}} {
			b.in = strings.NewReader(tt.token + "\n")
			v := b.json(append([]string{"token", "inspect"}, flags[:2]...)...)
			for name, want := range map[string]any{"active": true, "kind": tt.kind, "client": "acme", "user": "ada", "issuer": here} {
				if v[name] != want {
					t.Errorf("opaque %t, %s: %s is %v, want %v", opaque, tt.kind, name, v[name], want)
				}
			}
			if scopes := v["scopes"].([]any); len(scopes) != 2 || len(v["audience"].([]any)) != 1 || v["expires"] == nil || v["issued"] == nil || v["id"] == "" {
				t.Errorf("opaque %t, %s: got %v", opaque, tt.kind, v)
			}
		}

		file := input(t, tokens.AccessToken)
		b.ok("token", "revoke", "--key-file", keyFile, "--token-file", file)
		b.fails(1, "no live token of "+here, "token", "revoke", "--key-file", keyFile, "--token-file", file)
		b.inactive("AUTH-12", "token", "inspect", "--key-file", keyFile, "--token-file", file)

		b.in = strings.NewReader(tokens.RefreshToken)
		b.ok("token", "revoke", "--token-file", "-")
		b.in = strings.NewReader(tokens.RefreshToken)
		b.inactive("AUTH-12", "token", "inspect")
	}
}

// inactive runs inspect on a token that is not active.
func (b *box) inactive(reason string, args ...string) {
	b.t.Helper()
	stdout, stderr, status := b.run(append(args, "--output", "json")...)
	if status != 1 || !strings.Contains(stderr, "not active") || !strings.Contains(stdout, `"active": false`) || !strings.Contains(stdout, reason) {
		b.t.Errorf("%q: status %d, %q, %q, want an inactive token with %s", args, status, stdout, stderr, reason)
	}
}

// TestForeignTokens inspects texts that are no tokens of the issuer, on a store without
// signing keys. Nothing may be made, and no text may be repeated.
func TestForeignTokens(t *testing.T) {
	b := newBox(t)
	keyFile := filepath.Join(t.TempDir(), "auth.key")
	b.in = strings.NewReader("canary")
	b.inactive("AUTH-12", "token", "inspect", "--key-file", keyFile)
	b.in = strings.NewReader("canary")
	b.fails(1, "no live token", "token", "revoke", "--key-file", keyFile)
	b.fails(1, "the token is empty", "token", "inspect")

	signed := "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.canary"
	for _, verb := range []string{"inspect", "revoke"} {
		b.in = strings.NewReader(signed)
		b.fails(1, "no signing key", "token", verb, "--key-file", keyFile)
	}
	b.noKeys(keyFile)

	iss, right := b.server(false)
	iss.Close()
	b.in = strings.NewReader(signed)
	b.fails(1, "does not exist: copy the file", "token", "inspect", "--key-file", keyFile)
	b.in = strings.NewReader(signed)
	b.inactive("AUTH-", "token", "inspect", "--key-file", right)
	b.in = strings.NewReader(signed)
	if stdout, stderr, _ := b.run("token", "inspect", "--key-file", right); strings.Contains(stdout+stderr, "canary") || strings.Contains(stdout+stderr, "eyJ") {
		t.Errorf("the token is repeated: %s%s", stdout, stderr)
	}
}

// noKeys checks that there are no signing keys and no key file.
func (b *box) noKeys(keyFile string) {
	b.t.Helper()
	keys, err := b.open().SigningKeys(b.t.Context(), backend.KeySet)
	must(b.t, err)
	if _, err := os.Stat(keyFile); err == nil || len(keys) > 0 {
		b.t.Errorf("a key was made: %v, %v", keys, err)
	}
}

// TestClientRevoke revokes the tokens of a client and of a user.
func TestClientRevoke(t *testing.T) {
	b := newBox(t)
	b.ok("client", "create", "acme", "--scope", "a b")
	b.ok("user", "create", "ada", "--no-password")
	iss, _ := b.server(true)
	for _, args := range [][]string{{"client", "revoke", "acme"}, {"user", "revoke", "ada"}} {
		tokens := mint(t, iss)
		b.in = strings.NewReader(tokens.AccessToken)
		b.ok("token", "inspect")
		b.ok(args...)
		b.in = strings.NewReader(tokens.AccessToken)
		b.inactive("AUTH-12", "token", "inspect")
	}
}

// TestSessionRevoke revokes a session.
func TestSessionRevoke(t *testing.T) {
	b := newBox(t)
	db := b.open()
	_, cursor, err := db.Snapshot(t.Context())
	must(t, err)
	id := strings.Repeat("0a", 16)
	b.ok("session", "revoke", id)
	changes, _, err := db.Since(t.Context(), cursor)
	must(t, err)
	if len(changes) != 1 || changes[0].Kind != store.KindSession || changes[0].ID != id {
		t.Errorf("changes %v, want the session", changes)
	}
}
