package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

// all returns the names of all records of a listing. It reads page by page.
func all[T any](t *testing.T, list func(after string, limit int) ([]T, error), name func(T) string) (names []string) {
	t.Helper()
	for after := ""; ; after = names[len(names)-1] {
		page, err := list(after, 1000)
		must(t, err)
		if len(page) == 0 {
			return names
		}
		for _, record := range page {
			if name(record) <= after {
				t.Fatalf("the page after %.20q has %.20q", after, name(record))
			}
			names = append(names, name(record))
		}
	}
}

func clientIDs(t *testing.T, s store.Store) []string {
	t.Helper()
	return all(t, func(after string, limit int) ([]store.Client, error) {
		return s.ListClients(t.Context(), after, limit)
	}, func(c store.Client) string { return c.ID })
}

func logins(t *testing.T, s store.Store) []string {
	t.Helper()
	return all(t, func(after string, limit int) ([]store.User, error) {
		return s.ListUsers(t.Context(), after, limit)
	}, func(u store.User) string { return u.Login })
}

// listed are names in an unsorted order. Some have common prefixes that are longer than
// the keys of an index may be.
var listed = []string{
	" ", "10", "9", "A", "B", "a", "a ", "aa", "b", strings.Repeat("x", 254), strings.Repeat("x", 254) + "a",
	strings.Repeat("x", 254) + "b", strings.Repeat("x", 254) + "~", "y", "e\u0301"[1:] + "z", "é", "日本", "😀",
}

func testList(t *testing.T, s store.Store) {
	ctx := t.Context()
	names := slices.Clone(listed)
	slices.Sort(names)
	clients(t, s, "of the keys")

	// The order of creation must not matter.
	for i, n := range slices.Backward(listed) {
		must(t, s.CreateClient(ctx, store.Client{
			ID: n, Scopes: []string{"a"}, Default: []string{"a"}, Grants: []string{"password"}, Disabled: true, Secrets: []store.Secret{secretOf("s", start)},
		}))
		must(t, s.CreateUsers(ctx, store.User{Login: n, Password: hash('a'), First: "F", Scopes: []string{"a"}, LimitScopes: true}))
		must(t, s.CreateAPIKeys(ctx, apiKey(n, "of the keys"), apiKey(fmt.Sprint("other ", i), n)))
	}

	// Deleted records must leave no gap in the pages.
	must(t, s.DeleteClient(ctx, "9"))
	must(t, s.DeleteUser(ctx, "9"))
	must(t, s.Revoke(ctx, store.Change{Kind: store.KindAPIKey, ID: "9"}))
	names = slices.DeleteFunc(names, func(n string) bool { return n == "9" })

	for _, limit := range []int{1, 3, 1000} {
		wantPages(t, "clients", limit, append(slices.Clone(names), "of the keys"), func(after string) (page []string, err error) {
			cs, err := s.ListClients(ctx, after, limit)
			for _, c := range cs {
				page = append(page, c.ID)
			}
			return page, err
		})
		wantPages(t, "users", limit, names, func(after string) (page []string, err error) {
			us, err := s.ListUsers(ctx, after, limit)
			for _, u := range us {
				page = append(page, u.Login)
			}
			return page, err
		})

		keys := func(client string) func(string) ([]string, error) {
			return func(after string) (page []string, err error) {
				ks, err := s.ListAPIKeys(ctx, client, after, limit)
				for _, k := range ks {
					page = append(page, k.ID)
				}
				return page, err
			}
		}
		wantPages(t, "keys of a client", limit, names, keys("of the keys"))
		everyone := slices.Clone(names)
		for i, n := range listed {
			if n != "9" {
				everyone = append(everyone, fmt.Sprint("other ", i))
			}
		}
		wantPages(t, "keys of all", limit, everyone, keys(""))
	}
	wantListed(t, s)
	wantLimits(t, s)
}

// wantPages reads a listing page by page, and compares all its names with names in bytewise
// order.
func wantPages(t *testing.T, what string, limit int, names []string, list func(after string) ([]string, error)) {
	t.Helper()
	slices.Sort(names)

	var got []string
	for after := ""; ; after = got[len(got)-1] {
		page, err := list(after)
		must(t, err)
		if len(page) > limit || len(page) < limit && len(got)+len(page) < len(names) {
			t.Errorf("%s after %.20q: %d records, limit %d", what, after, len(page), limit)
		}
		if got = append(got, page...); len(page) == 0 || len(got) > len(names) {
			break
		}
	}

	if !slices.Equal(got, names) {
		t.Errorf("%s by %d: got %.20q, want %.20q", what, limit, got, names)
	}
	if after, err := list(names[2] + "\x00"); err != nil || len(after) == 0 || after[0] != names[3] {
		t.Errorf("%s after a name that does not exist: got %.20q, %v, want %.20q first", what, after, err, names[3])
	}
}

// wantListed compares one listed record of each kind with the record that was created.
// They must differ only in secret fields.
func wantListed(t *testing.T, s store.Store) {
	t.Helper()
	ctx := t.Context()

	c, err := s.Client(ctx, "A")
	must(t, err)
	cs, err := s.ListClients(ctx, "9", 1)
	must(t, err)
	if c.Secrets = withoutDigests(c.Secrets); !sameClient(cs[0], *c) {
		t.Errorf("listed client: got %+v, want %+v", cs[0], c)
	}

	u, err := s.User(ctx, "A")
	must(t, err)
	us, err := s.ListUsers(ctx, "9", 1)
	must(t, err)
	if u.Password = ""; !sameUser(us[0], *u) {
		t.Errorf("listed user: got %#v, want %#v", us[0], *u)
	}

	k, err := s.APIKey(ctx, digest("key A"))
	must(t, err)
	ks, err := s.ListAPIKeys(ctx, "of the keys", "9", 1)
	must(t, err)
	byID, err := s.APIKeyByID(ctx, "A")
	must(t, err)
	if k.Digest = (store.Digest{}); !sameAPIKey(ks[0], *k) || !sameAPIKey(*byID, *k) {
		t.Errorf("listed API key: got %+v, by ID %+v, want %+v", ks[0], byID, k)
	}

	secrets, err := s.SecretsOf(ctx, "A")
	must(t, err)
	if !slices.EqualFunc(secrets, c.Secrets, sameSecret) {
		t.Errorf("listed secrets: got %+v, want %+v", secrets, c.Secrets)
	}
}

func wantLimits(t *testing.T, s store.Store) {
	t.Helper()
	for _, limit := range []int{-1, 0, 1001} {
		_, errClients := s.ListClients(t.Context(), "", limit)
		_, errUsers := s.ListUsers(t.Context(), "", limit)
		_, errKeys := s.ListAPIKeys(t.Context(), "", "", limit)
		for what, err := range map[string]error{"ListClients": errClients, "ListUsers": errUsers, "ListAPIKeys": errKeys} {
			wantRefused(t, fmt.Sprintf("%s with the limit %d", what, limit), err, "limit")
		}
	}
}

// testOwners revokes and deletes the owners of API keys.
func testOwners(t *testing.T, s store.Store) {
	ctx := t.Context()
	clients(t, s, "c", "d")
	must(t, s.CreateUsers(ctx, store.User{Login: "ada", Password: hash('a')}, store.User{Login: "bob"}))
	key := func(id, client, owner string) store.APIKey {
		k := apiKey(id, client)
		k.Owner = owner
		return k
	}
	must(t, s.CreateAPIKeys(ctx, key("a1", "c", "ada"), key("a2", "d", "ada"), key("b", "c", "bob"), key("moves", "c", "ada"),
		key("none", "c", ""), key("else", "c", "from elsewhere"), key("A", "c", "Ada")))
	wantKeys := func(what string, want ...string) {
		t.Helper()
		if got := keyIDs(t, s, ""); !slices.Equal(got, want) {
			t.Errorf("%s: keys %q, want %q", what, got, want)
		}
	}

	// Disabling an owner and setting a password leave the keys.
	must(t, s.UpdateUser(ctx, "ada", func(u *store.User) error { u.Disabled = true; return nil }))
	must(t, s.SetPassword(ctx, "ada", hash('b')))
	must(t, s.UpdateUser(ctx, "ada", func(u *store.User) error { u.Disabled = false; return nil }))
	wantKeys("disabled and with a new password", "A", "a1", "a2", "b", "else", "moves", "none")
	must(t, s.UpdateAPIKey(ctx, "moves", func(k *store.APIKey) error { k.Owner = "bob"; return nil }))

	_, cursor, err := s.Snapshot(ctx)
	must(t, err)
	must(t, s.Revoke(ctx, store.Change{Kind: store.KindUser, ID: "ada"}))
	wantKeys("revoked", "A", "b", "else", "moves", "none")
	ada, err := s.User(ctx, "ada")
	must(t, err)
	wantChanges(t, s, cursor, store.Change{Kind: store.KindUser, ID: "ada", Version: ada.Version},
		store.Change{Kind: store.KindAPIKey, ID: "a1"}, store.Change{Kind: store.KindAPIKey, ID: "a2"})
	wantErr(t, "a key of a revoked owner again", s.CreateAPIKeys(ctx, key("a1", "c", "ada")), store.ErrRevoked)
	must(t, s.CreateAPIKeys(ctx, key("a3", "c", "ada")))

	must(t, s.DeleteUser(ctx, "bob"))
	wantKeys("deleted", "A", "a3", "else", "none")
	wantErr(t, "a key of a deleted owner again", s.CreateAPIKeys(ctx, key("b", "c", "bob")), store.ErrRevoked)

	// Users in another table can own keys too.
	must(t, s.DeleteUser(ctx, "from elsewhere"))
	wantKeys("deleted, and in no table of users", "A", "a3", "none")

	// Keys without an owner do not belong to a user with an empty login.
	must(t, s.DeleteUser(ctx, ""))
	must(t, s.Revoke(ctx, store.Change{Kind: store.KindClient, ID: "c"}))
	wantKeys("nobody deleted, and the client", "A", "a3", "none")
}

// wantChanges checks that the changes after a cursor are exactly these.
func wantChanges(t *testing.T, s store.Store, after store.Cursor, want ...store.Change) {
	t.Helper()
	got, _, err := s.Since(t.Context(), after)
	must(t, err)
	if !slices.EqualFunc(got, want, sameChange) {
		t.Errorf("changes: got %+v, want %+v", got, want)
	}
}

// testAdminChanges counts changes. Creating a record must add none, and updating it one.
func testAdminChanges(t *testing.T, s store.Store) {
	ctx := t.Context()
	_, cursor, err := s.Snapshot(ctx)
	must(t, err)

	must(t, s.CreateClient(ctx, store.Client{ID: "c", Secrets: []store.Secret{secretOf("s", start)}, Disabled: true}))
	must(t, s.CreateUsers(ctx, store.User{Login: "u", Disabled: true}, store.User{Login: "v"}))
	must(t, s.CreateAPIKeys(ctx, apiKey("k", "c"), apiKey("l", "c")))

	// Updates that change nothing are not changes either.
	must(t, s.UpdateClient(ctx, "c", func(c *store.Client) error { c.Scopes = []string{}; return nil }))
	must(t, s.UpdateUser(ctx, "u", func(*store.User) error { return nil }))
	must(t, s.UpdateAPIKey(ctx, "k", func(*store.APIKey) error { return nil }))
	wantChanges(t, s, cursor)

	versions := func() (client, user uint64) {
		c, err := s.Client(ctx, "c")
		must(t, err)
		u, err := s.User(ctx, "u")
		must(t, err)
		return c.Version, u.Version
	}
	var want []store.Change
	client := func(update func(*store.Client)) {
		t.Helper()
		must(t, s.UpdateClient(ctx, "c", func(c *store.Client) error { update(c); return nil }))
		version, _ := versions()
		want = append(want, store.Change{Kind: store.KindClient, ID: "c", Version: version})
	}
	user := func(err error) {
		t.Helper()
		must(t, err)
		_, version := versions()
		want = append(want, store.Change{Kind: store.KindUser, ID: "u", Version: version})
	}

	client(func(c *store.Client) { c.Disabled = false })
	client(func(c *store.Client) { c.Scopes = []string{"a"} })
	client(func(c *store.Client) { c.Disabled = true })
	user(s.UpdateUser(ctx, "u", func(u *store.User) error { u.Disabled = false; return nil }))
	user(s.UpdateUser(ctx, "u", func(u *store.User) error { u.LimitScopes, u.Scopes = true, []string{"a"}; return nil }))
	user(s.UpdateUser(ctx, "u", func(u *store.User) error { u.Disabled = true; return nil }))
	user(s.SetPassword(ctx, "u", hash('a')))
	must(t, s.UpdateAPIKey(ctx, "k", func(k *store.APIKey) error { k.Expires = start.Add(time.Hour); return nil }))
	want = append(want, store.Change{Kind: store.KindAPIKey, ID: "k"})
	wantChanges(t, s, cursor, want...)
}
