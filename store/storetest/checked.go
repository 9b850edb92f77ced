package storetest

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

// testChecked writes records that can never work. Each must be refused with the name of
// the field at fault, and nothing of its call may be stored.
func testChecked(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.CreateClient(ctx, store.Client{ID: "c", Secrets: []store.Secret{secretOf("s", start)}}))
	must(t, s.CreateUsers(ctx, store.User{Login: "u", Password: hash('a')}))
	must(t, s.CreateAPIKeys(ctx, apiKey("k", "c")))
	must(t, s.PutTokens(ctx, refresh("r", "f")))
	_, cursor, err := s.Snapshot(ctx)
	must(t, err)

	const plain = "correct horse battery staple"
	key := func(change func(*store.APIKey)) store.APIKey {
		k := apiKey("new", "c")
		change(&k)
		return k
	}

	anonymous := refresh("anonymous", "f")
	anonymous.Client = ""
	for _, tt := range []struct {
		field string
		err   error
	}{
		{"Scopes", s.CreateClient(ctx, store.Client{ID: "new", Scopes: []string{"a b"}})},
		{"Default", s.CreateClient(ctx, store.Client{ID: "new", Scopes: []string{"a"}, Default: []string{"b"}})},
		{"Grants", s.CreateClient(ctx, store.Client{ID: "new", Grants: []string{"client-credentials"}})},
		{"Digest", s.CreateClient(ctx, store.Client{ID: "new", Secrets: []store.Secret{{ID: "s"}}})},
		{"Secrets", s.CreateClient(ctx, store.Client{ID: "new", Secrets: []store.Secret{secretOf("s", start), secretOf("s", start)}})},
		{"Password", s.CreateUsers(ctx, store.User{Login: "first"}, store.User{Login: "new", Password: plain})},
		{"Scopes", s.CreateUsers(ctx, store.User{Login: "first"}, store.User{Login: "new", Scopes: []string{"a"}})},
		{"First", s.CreateUsers(ctx, store.User{Login: "new", First: "F\x00"})},
		{"assword", s.SetPassword(ctx, "u", plain)},
		{"assword", s.Rehash(ctx, "u", hash('a'), plain)},
		{"hash", s.Rehash(ctx, "u", hash('a'), "")},
		{"Client", s.CreateAPIKeys(ctx, apiKey("first", "c"), apiKey("new", ""))},
		{"Digest", s.CreateAPIKeys(ctx, key(func(k *store.APIKey) { k.Digest = digest("") }))},
		{"Name", s.CreateAPIKeys(ctx, key(func(k *store.APIKey) { k.Name = "\n" }))},
		{"Owner", s.CreateAPIKeys(ctx, key(func(k *store.APIKey) { k.Owner = strings.Repeat("x", 256) }))},
		{"Addrs", s.CreateAPIKeys(ctx, key(func(k *store.APIKey) { k.Addrs = []netip.Prefix{{}} }))},
		{"Expires", s.CreateAPIKeys(ctx, key(func(k *store.APIKey) { k.Created, k.Expires = start, start }))},
		{"Digest", s.ReplaceAPIKey(ctx, "k", time.Now(), store.APIKey{ID: "new", Client: "c"})},
		{"Digest", s.AddSecret(ctx, "c", store.Secret{ID: "new"})},
		{"Digest", s.ReplaceSecrets(ctx, "c", store.Secret{ID: "new"}, time.Now())},
		{"Client", s.PutTokens(ctx, access("first", "f"), anonymous)},
		{"Client", s.RotateRefreshToken(ctx, digest("r"), "c", start, 0, anonymous)},
		{"User", s.PutSession(ctx, store.Session{ID: "s", Token: digest("t"), Cookie: digest("c"), Expires: start, Ends: start})},
		{"Sealed", s.PutSigningKeys(ctx, store.SigningKey{Set: "set", ID: "k", Alg: "ES256", Published: start})},
	} {
		wantRefused(t, "a bad "+tt.field, tt.err, tt.field)

		// Errors are logged, and a password must not be.
		if tt.err != nil && strings.Contains(tt.err.Error(), plain) {
			t.Errorf("the error repeats the password: %v", tt.err)
		}
	}

	// Valid records of a refused call must not be stored either.
	present(t, s, "first", false)
	present(t, s, "anonymous", false)
	if r, err := s.Token(ctx, digest("r")); err != nil || r.Used {
		t.Errorf("after a rotation that was refused: got %+v, %v, want the token unused", r, err)
	}
	_, err = s.Session(ctx, digest("t"))
	wantErr(t, "a session that was refused", err, store.ErrNotFound)
	if ks, err := s.SigningKeys(ctx, "set"); err != nil || len(ks) != 0 {
		t.Errorf("signing keys: got %+v, %v, want none", ks, err)
	}
	if u, err := s.User(ctx, "u"); err != nil || u.Password != hash('a') {
		t.Errorf("user: got %v, %v, want the password as it was", u, err)
	}
	for what, got := range map[string]string{
		"c": strings.Join(clientIDs(t, s), " "), "u": strings.Join(logins(t, s), " "),
		"k": strings.Join(keyIDs(t, s, ""), " "), "s": strings.Join(secretIDs(t, s, "c"), " "),
	} {
		if got != what {
			t.Errorf("after refusals there is %q, want %q", got, what)
		}
	}
	if _, after, err := s.Snapshot(ctx); err != nil || after != cursor {
		t.Errorf("what was refused moved the cursor: %v, %v", after, err)
	}
}
