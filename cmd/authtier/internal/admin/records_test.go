package admin

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// accepts reports whether an issuer on the store accepts a credential.
func (b *box) accepts(c middleware.Credential) bool {
	b.t.Helper()
	iss, err := issuer.New(b.t.Context(), "http://127.0.0.1", b.open(), &issuer.Config{OpaqueTokens: true, AllowUnthrottled: true})
	must(b.t, err)
	defer iss.Close()
	_, err = iss.Validate(b.t.Context(), c)
	if err != nil && !errors.Is(err, errorsx.CredentialsIncorrect) {
		b.t.Errorf("validating: %v", err)
	}
	return err == nil
}

func basic(client, secret string) middleware.Credential {
	return middleware.Credential{Scheme: middleware.SchemeBasic, Username: client, Secret: secret}
}

func apiKey(key string) middleware.Credential {
	return middleware.Credential{Scheme: middleware.SchemeAPIKey, Secret: key}
}

// login returns an error if the password is not that of the user.
func (b *box) login(login, password string) error {
	b.t.Helper()
	iss, err := issuer.New(b.t.Context(), "http://127.0.0.1", b.open(), &issuer.Config{OpaqueTokens: true, AllowUnthrottled: true})
	must(b.t, err)
	defer iss.Close()
	_, err = iss.AuthenticateUser(b.t.Context(), basic(login, password))
	return err
}

// TestClientSecrets creates a client and replaces, revokes and refuses its secrets.
func TestClientSecrets(t *testing.T) {
	b := newBox(t)
	first := b.json("client", "create", "acme")["secret"].(string)
	if !b.accepts(basic("acme", first)) {
		t.Error("the printed secret is refused")
	}
	b.fails(1, `client "acme" exists already`, "client", "create", "acme")
	b.fails(1, `client "acme" exists already`, "client", "create", "acme", "--no-secret")

	second := b.json("client", "rotate-secret", "acme", "--overlap", "1h")["secret"].(string)
	if !b.accepts(basic("acme", first)) || !b.accepts(basic("acme", second)) {
		t.Error("with an overlap, one of the two secrets is refused")
	}
	third := b.json("client", "rotate-secret", "acme")["secret"].(string)
	if b.accepts(basic("acme", first)) || b.accepts(basic("acme", second)) || !b.accepts(basic("acme", third)) {
		t.Error("without an overlap, not exactly the last secret is accepted")
	}

	b.ok("client", "disable", "acme")
	if b.accepts(basic("acme", third)) {
		t.Error("the secret of a disabled client is accepted")
	}
	b.ok("client", "enable", "acme")
	if !b.accepts(basic("acme", third)) {
		t.Error("the secret of an enabled client is refused")
	}

	secrets, err := b.open().SecretsOf(t.Context(), "acme")
	must(t, err)
	if shown := b.ok("client", "show", "acme"); len(secrets) != 1 || !strings.Contains(shown, "Secret ID "+secrets[0].ID) || strings.Contains(shown, third) {
		t.Errorf("secrets %v, shown as %s", secrets, shown)
	}
	b.ok("client", "revoke-secret", "acme", secrets[0].ID)
	if b.accepts(basic("acme", third)) {
		t.Error("a revoked secret is accepted")
	}

	b.ok("client", "delete", "acme")
	if _, err := b.open().Client(t.Context(), "acme"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("deleted: %v", err)
	}
}

// TestClientUpdate changes only what was given.
func TestClientUpdate(t *testing.T) {
	b := newBox(t)
	b.ok("client", "create", "acme", "--scope", "a", "--scope", "b c", "--default", "a", "--grant", "client_credentials")
	for _, tt := range []struct {
		args                    string
		scopes, defaults, grant []string
	}{
		{"--grant password --grant refresh_token", []string{"a", "b", "c"}, []string{"a"}, []string{"password", "refresh_token"}},
		{"--scope a", []string{"a"}, []string{"a"}, []string{"password", "refresh_token"}},
		{"--no-defaults --no-scopes", nil, nil, []string{"password", "refresh_token"}},
		{"--no-grants", nil, nil, nil},
		{"--scope x --default x", []string{"x"}, []string{"x"}, nil},
	} {
		b.ok(append([]string{"client", "update", "acme"}, strings.Fields(tt.args)...)...)
		c, err := b.open().Client(t.Context(), "acme")
		must(t, err)
		if !slices.Equal(c.Scopes, tt.scopes) || !slices.Equal(c.Default, tt.defaults) || !slices.Equal(c.Grants, tt.grant) || len(c.Secrets) != 1 {
			t.Errorf("%s: got %+v", tt.args, c)
		}
	}
}

// TestUserPassword creates users with passwords and changes them.
func TestUserPassword(t *testing.T) {
	b := newBox(t)
	b.ok("user", "create", "ada", "--password-file", input(t, "correct horse\n"))
	b.in = strings.NewReader("battery staple\r\n")
	b.ok("user", "create", "bob", "--password-file", "-")
	b.ok("user", "create", "carol", "--no-password")
	for _, tt := range []struct {
		login, password string
		want            error
	}{
		{"ada", "correct horse", nil}, {"bob", "battery staple", nil}, {"ada", "battery staple", errorsx.CredentialsIncorrect},
		{"carol", "", errorsx.CredentialsIncorrect},
	} {
		if err := b.login(tt.login, tt.password); !errors.Is(err, tt.want) {
			t.Errorf("%s with %s: got %v, want %v", tt.login, tt.password, err, tt.want)
		}
	}

	// An existing user is found before the password is read.
	b.in = unread{t}
	b.fails(1, `user "ada" exists already`, "user", "create", "ada", "--password-file", "-")
	b.in = strings.NewReader("\n")
	b.fails(1, "the password is empty", "user", "create", "eve", "--password-file", "-")
	b.in = strings.NewReader("one\ntwo\n")
	b.fails(1, "several lines", "user", "create", "eve", "--password-file", "-")
	b.fails(1, "--password-file", "user", "create", "eve", "--password-file", b.file+".none")

	before, err := b.open().User(t.Context(), "ada")
	must(t, err)
	b.ok("user", "set-password", "ada", "--password-file", input(t, "new"))
	after, err := b.open().User(t.Context(), "ada")
	must(t, err)
	if err := b.login("ada", "new"); err != nil || after.Version <= before.Version {
		t.Errorf("after set-password: %v, version %d after %d", err, after.Version, before.Version)
	}
	b.ok("user", "set-password", "ada", "--no-password")
	if err := b.login("ada", "new"); !errors.Is(err, errorsx.CredentialsIncorrect) {
		t.Errorf("after --no-password: %v", err)
	}
}

// unread is an input that must not be read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the input is read")
	return 0, context.Canceled
}

// TestUserUpdate changes only what was given. No list of scopes that is empty by mistake
// may lift the limit.
func TestUserUpdate(t *testing.T) {
	b := newBox(t)
	b.ok("user", "create", "free", "--no-password")
	b.ok("user", "create", "none", "--no-password", "--limit-scopes")
	b.ok("user", "create", "ada", "--no-password", "--first", "Ada", "--last", "L", "--lang", "en")
	check := func(what, login string, want store.User) {
		t.Helper()
		u, err := b.open().User(t.Context(), login)
		must(t, err)
		if u.First != want.First || u.Last != want.Last || u.Lang != want.Lang || u.LimitScopes != want.LimitScopes || !slices.Equal(u.Scopes, want.Scopes) || u.Disabled != want.Disabled {
			t.Errorf("%s: got %+v, want %+v", what, u, want)
		}
	}
	check("without flags", "free", store.User{})
	check("--limit-scopes", "none", store.User{LimitScopes: true})

	ada := store.User{First: "Ada", Last: "L", Lang: "en"}
	for _, tt := range []struct {
		args   []string
		change func()
	}{
		{[]string{"--scope", "a b"}, func() { ada.LimitScopes, ada.Scopes = true, []string{"a", "b"} }},
		{[]string{"--first", "Augusta", "--lang="}, func() { ada.First, ada.Lang = "Augusta", "" }},
		{[]string{"--limit-scopes"}, func() {}},
		{[]string{"--no-scopes"}, func() { ada.Scopes = nil }},
		{[]string{"--scope", "c"}, func() { ada.Scopes = []string{"c"} }},
		{[]string{"--limit-scopes=false"}, func() { ada.LimitScopes, ada.Scopes = false, nil }},
	} {
		b.ok(append([]string{"user", "update", "ada"}, tt.args...)...)
		tt.change()
		check(strings.Join(tt.args, " "), "ada", ada)
	}

	b.ok("user", "disable", "ada")
	ada.Disabled = true
	check("disable", "ada", ada)
	b.ok("user", "enable", "ada")
	ada.Disabled = false
	check("enable", "ada", ada)
	b.ok("user", "delete", "ada")
	if _, err := b.open().User(t.Context(), "ada"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("deleted: %v", err)
	}
}

// TestKeys creates, changes, rotates and revokes API keys.
func TestKeys(t *testing.T) {
	b := newBox(t)
	b.ok("client", "create", "acme", "--scope", "a b", "--no-secret")
	b.ok("client", "create", "other", "--no-secret")
	b.ok("user", "create", "ada", "--no-password")
	begin := time.Now()
	made := b.json("key", "create", "--client", "acme", "--name", "n", "--scope", "a", "--owner", "ada", "--expires", "2h", "--network", "192.0.2.0/24", "--network", "2001:db8::1")
	id, key := made["id"].(string), made["key"].(string)
	if !b.accepts(apiKey(key)) || !strings.Contains(key, "_"+id+"_") {
		t.Errorf("the printed key, of the ID %s, is refused", id)
	}
	read := func() *store.APIKey {
		t.Helper()
		k, err := b.open().APIKeyByID(t.Context(), id)
		must(t, err)
		return k
	}
	k := read()
	if strings.Join(networks(k.Addrs).texts(), " ") != "192.0.2.0/24 2001:db8::1/128" || k.Expires.Before(begin.Add(2*time.Hour)) || k.Expires.After(time.Now().Add(2*time.Hour)) {
		t.Errorf("got %+v", k)
	}
	if k.Name != "n" || k.Owner != "ada" || !slices.Equal(k.Scopes, []string{"a"}) || k.Client != "acme" {
		t.Errorf("got %+v", k)
	}
	if out := b.ok("key", "show", id) + b.ok("key", "list"); strings.Contains(out, key) || !strings.Contains(out, id) {
		t.Errorf("shown as %s", out)
	}
	if out := b.ok("key", "list", "--client", "other"); strings.Contains(out, id) {
		t.Errorf("listed for another client: %s", out)
	}

	b.ok("key", "update", id, "--scope", "b", "--any-network")
	if k := read(); !slices.Equal(k.Scopes, []string{"b"}) || len(k.Addrs) != 0 || k.Name != "n" || k.Owner != "ada" {
		t.Errorf("updated: got %+v", k)
	}
	b.ok("key", "update", id, "--no-scopes", "--no-owner", "--name", "", "--expires", "1h")
	if k := read(); len(k.Scopes) != 0 || k.Owner != "" || k.Name != "" || k.Expires.After(time.Now().Add(time.Hour)) {
		t.Errorf("updated: got %+v", k)
	}
	b.fails(1, "z", "key", "update", id, "--scope", "z")
	b.fails(1, `--owner: user "eve" does not exist`, "key", "update", id, "--owner", "eve")

	next := b.json("key", "rotate", id, "--overlap", "1m")["key"].(string)
	if !b.accepts(apiKey(key)) || !b.accepts(apiKey(next)) || next == key {
		t.Error("with an overlap, one of the two keys is refused")
	}
	last := b.json("key", "rotate", keyID(next))["key"].(string)
	if b.accepts(apiKey(next)) || !b.accepts(apiKey(last)) {
		t.Error("without an overlap, not exactly the last key is accepted")
	}
	b.ok("key", "revoke", keyID(last))
	if b.accepts(apiKey(last)) {
		t.Error("a revoked key is accepted")
	}
}

// TestOwner revokes and deletes owners of API keys.
func TestOwner(t *testing.T) {
	b := newBox(t)
	b.ok("client", "create", "acme", "--no-secret")
	for _, verb := range []string{"revoke", "delete"} {
		if verb == "revoke" {
			b.ok("user", "create", "ada", "--no-password")
		}
		key := b.json("key", "create", "--client", "acme", "--owner", "ada")["key"].(string)
		b.ok("user", verb, "ada")
		if b.accepts(apiKey(key)) {
			t.Errorf("%s: the key is accepted", verb)
		}
	}
}

// TestExpiry reads the forms of --expires.
func TestExpiry(t *testing.T) {
	for text, want := range map[string]string{
		"2099-01-31": "2099-01-31T00:00:00Z", "2099-01-31T12:00:00+02:00": "2099-01-31T10:00:00Z",
	} {
		var e expiry
		if err := e.Set(text); err != nil || e.String() != want {
			t.Errorf("%s: got %v, %v, want %s", text, e, err, want)
		}
	}
}
