package storetest

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

// testUpdate changes each field that an update may change. The others must stay.
func testUpdate(t *testing.T, s store.Store) {
	ctx := t.Context()
	client := store.Client{ID: "c", Scopes: []string{"a"}, Secrets: []store.Secret{secretOf("s", start)}}
	user := store.User{Login: "u", Password: hash('a'), First: "F", Last: "L", Lang: "ENU"}
	key := apiKey("k", "c")
	key.Created = start.Add(-time.Hour)
	must(t, s.CreateClient(ctx, client))
	must(t, s.CreateUsers(ctx, user))
	must(t, s.CreateAPIKeys(ctx, key))

	must(t, s.UpdateClient(ctx, "c", func(c *store.Client) error {
		c.Scopes, c.Default = append(c.Scopes, "b"), []string{"b"}
		c.Grants, c.Disabled = []string{store.GrantPassword}, true
		return nil
	}))
	client.Scopes, client.Default, client.Grants, client.Disabled = []string{"a", "b"}, []string{"b"}, []string{"password"}, true
	c, err := s.Client(ctx, "c")
	must(t, err)
	if client.Version = c.Version; !sameClient(*c, client) {
		t.Errorf("client: got %+v, want %+v", c, client)
	}

	// The order of scopes must stay. No scopes at all must differ from no limit.
	for _, scopes := range [][]string{{"b", "a"}, nil} {
		must(t, s.UpdateUser(ctx, "u", func(u *store.User) error {
			u.First, u.Last, u.Lang = "G", "", "FRA"
			u.Scopes, u.LimitScopes, u.Disabled = scopes, true, true
			return nil
		}))
		user.First, user.Last, user.Lang = "G", "", "FRA"
		user.Scopes, user.LimitScopes, user.Disabled = scopes, true, true
		u, err := s.User(ctx, "u")
		must(t, err)
		if user.Version = u.Version; !sameUser(*u, user) {
			t.Errorf("user: got %#v, want %#v", *u, user)
		}
	}

	must(t, s.UpdateAPIKey(ctx, "k", func(k *store.APIKey) error {
		if k.Digest != (store.Digest{}) {
			t.Error("an update's function got the digest of an API key")
		}
		k.Name, k.Scopes, k.Owner, k.Expires = "n", []string{"a"}, "o", start
		k.Addrs = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		return nil
	}))
	key.Name, key.Scopes, key.Owner, key.Expires = "n", []string{"a"}, "o", start
	key.Addrs = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	if k, err := s.APIKey(ctx, key.Digest); err != nil || !sameAPIKey(*k, key) {
		t.Errorf("API key: got %+v, %v, want %+v", k, err, key)
	}
}

// testUpdateRefused makes invalid updates. They must change nothing.
func testUpdateRefused(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.CreateClient(ctx, store.Client{ID: "c", Scopes: []string{"a"}, Secrets: []store.Secret{secretOf("s", start), secretOf("s2", start)}}))
	must(t, s.CreateUsers(ctx, store.User{Login: "u", Password: hash('a')}))
	must(t, s.CreateAPIKeys(ctx, apiKey("k", "c")))
	_, cursor, err := s.Snapshot(ctx)
	must(t, err)

	// Each update also makes a valid change, which must not be stored either.
	for field, change := range map[string]func(*store.Client){
		"ID": func(c *store.Client) { c.ID = "d" }, "Version": func(c *store.Client) { c.Version++ },
		"Secrets": func(c *store.Client) { c.Secrets = c.Secrets[:1] }, "Scopes": func(c *store.Client) { c.Scopes = []string{"\n"} },
		"Default": func(c *store.Client) { c.Default = []string{"b"} }, "Grants": func(c *store.Client) { c.Grants = []string{"implicit"} },
	} {
		err := s.UpdateClient(ctx, "c", func(c *store.Client) error { c.Disabled = true; change(c); return nil })
		wantRefused(t, "client, "+field, err, field)
	}
	err = s.UpdateClient(ctx, "c", func(c *store.Client) error { c.Secrets[0].Digest = digest("x"); return nil })
	wantRefused(t, "client, a secret's digest", err, "Secrets")

	for field, change := range map[string]func(*store.User){
		"Login": func(u *store.User) { u.Login = "v" }, "Version": func(u *store.User) { u.Version = 0 },
		"Password": func(u *store.User) { u.Password = hash('b') }, "Lang": func(u *store.User) { u.Lang = "\x00" },
		"Scopes": func(u *store.User) { u.Scopes = []string{"a"} },
	} {
		err := s.UpdateUser(ctx, "u", func(u *store.User) error { u.Disabled = true; change(u); return nil })
		wantRefused(t, "user, "+field, err, field)
	}

	for field, change := range map[string]func(*store.APIKey){
		"ID": func(k *store.APIKey) { k.ID = "l" }, "Client": func(k *store.APIKey) { k.Client = "d" },
		"Digest": func(k *store.APIKey) { k.Digest = digest("x") }, "Created": func(k *store.APIKey) { k.Created = start },
		"LastUsed": func(k *store.APIKey) { k.LastUsed = start }, "Name": func(k *store.APIKey) { k.Name = "\xff" },
		"Addrs": func(k *store.APIKey) { k.Addrs = []netip.Prefix{netip.MustParsePrefix("10.0.0.1/8")} },
	} {
		err := s.UpdateAPIKey(ctx, "k", func(k *store.APIKey) error { k.Owner = "o"; change(k); return nil })
		wantRefused(t, "API key, "+field, err, field)
	}

	refused := errors.New("refused")
	for what, err := range map[string]error{
		"client":  s.UpdateClient(ctx, "c", func(c *store.Client) error { c.Disabled = true; return refused }),
		"user":    s.UpdateUser(ctx, "u", func(u *store.User) error { u.Disabled = true; return refused }),
		"API key": s.UpdateAPIKey(ctx, "k", func(k *store.APIKey) error { k.Owner = "o"; return refused }),
	} {
		wantErr(t, what+", whose function fails", err, refused)
	}

	c, err := s.Client(ctx, "c")
	must(t, err)
	u, err := s.User(ctx, "u")
	must(t, err)
	k, err := s.APIKey(ctx, digest("key k"))
	must(t, err)
	if c.Disabled || len(c.Secrets) != 2 || u.Disabled || u.Password != hash('a') || k.Owner != "" {
		t.Errorf("after refusals: got %+v, %#v, %+v, want them as they were", c, *u, k)
	}
	wantChanges(t, s, cursor)
}

// testUpdateOutside makes the function of an update use the store and panic. Both must
// work, because the function runs outside of any lock and transaction.
func testUpdateOutside(t *testing.T, s store.Store) {
	ctx := t.Context()
	clients(t, s, "c", "d")
	must(t, s.CreateUsers(ctx, store.User{Login: "u"}))
	must(t, s.CreateAPIKeys(ctx, apiKey("k", "c")))

	use := func(name string) error {
		_, err := s.Client(ctx, "c")
		return errors.Join(err,
			s.CreateUsers(ctx, store.User{Login: name}),
			s.UpdateClient(ctx, "d", func(c *store.Client) error { c.Scopes = append(c.Scopes, name); return nil }),
			s.Revoke(ctx, store.Change{Kind: store.KindFamily, ID: name, Until: start}))
	}
	must(t, s.UpdateClient(ctx, "c", func(c *store.Client) error { c.Disabled = true; return use("client") }))
	must(t, s.UpdateUser(ctx, "u", func(u *store.User) error { u.Disabled = true; return use("user") }))
	must(t, s.UpdateAPIKey(ctx, "k", func(k *store.APIKey) error { k.Name = "n"; return use("key") }))
	if d, err := s.Client(ctx, "d"); err != nil || !slices.Equal(d.Scopes, []string{"client", "user", "key"}) {
		t.Errorf("what the functions wrote: got %+v, %v", d, err)
	}

	// A lock that a panic left behind would block the updates below.
	for what, update := range map[string]func(){
		"client":  func() { s.UpdateClient(ctx, "c", func(c *store.Client) error { c.Disabled = false; panic("client") }) },
		"user":    func() { s.UpdateUser(ctx, "u", func(u *store.User) error { u.Disabled = false; panic("user") }) },
		"API key": func() { s.UpdateAPIKey(ctx, "k", func(k *store.APIKey) error { k.Name = ""; panic("API key") }) },
	} {
		func() {
			defer func() {
				if r := recover(); r != what {
					t.Errorf("a function that panics with %q: got %v", what, r)
				}
			}()
			update()
		}()
	}
	c, err := s.Client(ctx, "c")
	must(t, err)
	must(t, s.UpdateClient(ctx, "c", func(c *store.Client) error { c.Scopes = []string{"a"}; return nil }))
	must(t, s.UpdateUser(ctx, "u", func(u *store.User) error { u.First = "F"; return nil }))
	if u, err := s.User(ctx, "u"); err != nil || !u.Disabled || !c.Disabled {
		t.Errorf("after panics: got %+v, %+v, %v, want them disabled still", c, u, err)
	}
}

// testUpdateConflict changes a record whenever it is being updated, first a few times and
// then always.
func testUpdateConflict(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.CreateClient(ctx, store.Client{ID: "c"}))
	must(t, s.CreateUsers(ctx, store.User{Login: "u"}))
	must(t, s.CreateAPIKeys(ctx, apiKey("k", "c")))
	for what, update := range map[string]func(meanwhile func(other string) bool) error{
		"client": func(meanwhile func(string) bool) error {
			return s.UpdateClient(ctx, "c", func(c *store.Client) error {
				if meanwhile(fmt.Sprint(c.Scopes)) {
					must(t, s.UpdateClient(ctx, "c", func(c *store.Client) error { c.Scopes = append(c.Scopes, fmt.Sprint(len(c.Scopes))); return nil }))
				}
				c.Disabled = !c.Disabled
				return nil
			})
		},
		"user": func(meanwhile func(string) bool) error {
			return s.UpdateUser(ctx, "u", func(u *store.User) error {
				if meanwhile(u.First) {
					must(t, s.UpdateUser(ctx, "u", func(u *store.User) error { u.First += "x"; return nil }))
				}
				u.Disabled = !u.Disabled
				return nil
			})
		},
		"user with new passwords": func(meanwhile func(string) bool) error {
			return s.UpdateUser(ctx, "u", func(u *store.User) error {
				if meanwhile(fmt.Sprint(u.Version)) {
					must(t, s.SetPassword(ctx, "u", hash('a')))
				}
				u.Last += "L"
				return nil
			})
		},
		"client with new secrets": func(meanwhile func(string) bool) error {
			return s.UpdateClient(ctx, "c", func(c *store.Client) error {
				if meanwhile(fmt.Sprint(len(c.Secrets))) {
					must(t, s.AddSecret(ctx, "c", secretOf(fmt.Sprint(len(c.Secrets)), start)))
				}
				c.Disabled = !c.Disabled
				return nil
			})
		},
		"API key": func(meanwhile func(string) bool) error {
			return s.UpdateAPIKey(ctx, "k", func(k *store.APIKey) error {
				if meanwhile(k.Name) {
					must(t, s.UpdateAPIKey(ctx, "k", func(k *store.APIKey) error { k.Name += "x"; return nil }))
				}
				k.Owner += "o"
				return nil
			})
		},
	} {
		for _, times := range []int{3, 15, 100} {
			calls, seen := 0, map[string]bool{}
			err := update(func(other string) bool {
				calls++

				// Each try must read the record again.
				if seen[other] {
					t.Errorf("%s: try %d saw %q, which an earlier one saw", what, calls, other)
				}
				seen[other] = true
				return calls <= times
			})
			if times < 16 && (err != nil || calls != times+1) {
				t.Errorf("%s, changed %d times: got %v after %d tries", what, times, err, calls)
			}
			if times > 16 && (!errors.Is(err, store.ErrConflict) || calls != 16) {
				t.Errorf("%s, changed each time: got %v after %d tries, want %v after 16", what, err, calls, store.ErrConflict)
			}
		}
	}

	// An update must not revive a record that is deleted or revoked meanwhile.
	err := s.UpdateUser(ctx, "u", func(u *store.User) error { u.First = "F"; return s.DeleteUser(ctx, "u") })
	wantErr(t, "a user who is deleted meanwhile", err, store.ErrNotFound)
	err = s.UpdateAPIKey(ctx, "k", func(k *store.APIKey) error {
		k.Name = "revived"
		return s.Revoke(ctx, store.Change{Kind: store.KindAPIKey, ID: "k"})
	})
	wantErr(t, "a key that is revoked meanwhile", err, store.ErrNotFound)
	err = s.UpdateClient(ctx, "c", func(c *store.Client) error { c.Scopes = []string{"a"}; return s.DeleteClient(ctx, "c") })
	wantErr(t, "a client that is deleted meanwhile", err, store.ErrNotFound)
	_, err = s.Client(ctx, "c")
	wantErr(t, "a client that was deleted during an update", err, store.ErrNotFound)
}
