package storetest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

func testClients(t *testing.T, s store.Store) {
	ctx := t.Context()
	in := store.Client{
		ID: "c", Scopes: []string{"a", "b"}, Default: []string{"a"}, Grants: []string{"password"},
		Secrets: []store.Secret{
			{ID: "1", Digest: digest("one"), Created: start.Add(-time.Hour), Expires: start}, {ID: "2", Digest: digest("two")},
		},
	}
	must(t, s.CreateClient(ctx, in))

	got, err := s.Client(ctx, "c")
	must(t, err)
	in.Version = got.Version
	if !sameClient(*got, in) {
		t.Errorf("got %+v, want %+v", got, in)
	}

	must(t, s.DeleteClient(ctx, "c"))
	_, err = s.Client(ctx, "c")
	wantErr(t, "deleted client", err, store.ErrNotFound)
}

func sameClient(a, b store.Client) bool {
	return a.ID == b.ID && slices.EqualFunc(a.Secrets, b.Secrets, sameSecret) && slices.Equal(a.Scopes, b.Scopes) &&
		slices.Equal(a.Default, b.Default) && slices.Equal(a.Grants, b.Grants) && a.Disabled == b.Disabled && a.Version == b.Version
}

func testUsers(t *testing.T, s store.Store) {
	ctx := t.Context()
	for _, in := range []store.User{
		{Login: "u", Password: hash('p'), First: "F", Last: "L", Lang: "ENU", Scopes: []string{"b", "a"}, LimitScopes: true},
		{Login: "may have no scope", LimitScopes: true}, {Login: "no limit"}, {Login: "disabled", Disabled: true},
	} {
		must(t, s.CreateUsers(ctx, in))
		got, err := s.User(ctx, in.Login)
		must(t, err)
		in.Version = got.Version
		if !sameUser(*got, in) {
			t.Errorf("got %#v, want %#v", *got, in)
		}
	}

	must(t, s.DeleteUser(ctx, "u"))
	_, err := s.User(ctx, "u")
	wantErr(t, "deleted user", err, store.ErrNotFound)
}

func sameUser(a, b store.User) bool {
	return a.Login == b.Login && a.Password == b.Password && a.First == b.First && a.Last == b.Last && a.Lang == b.Lang &&
		slices.Equal(a.Scopes, b.Scopes) && a.LimitScopes == b.LimitScopes && a.Disabled == b.Disabled && a.Version == b.Version
}

func testAPIKeys(t *testing.T, s store.Store) {
	ctx := t.Context()
	clients(t, s, "d")
	must(t, s.CreateClient(ctx, store.Client{ID: "c", Scopes: []string{"a"}}))
	in := store.APIKey{
		ID: "k", Name: "the é key", Client: "c", Digest: digest("key"), Scopes: []string{"a"}, Owner: "nobody's login",
		Addrs:   []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("192.0.2.7/32")},
		Created: start.Add(-time.Hour), Expires: start,
	}
	must(t, s.CreateAPIKeys(ctx, in, apiKey("of d", "d")))

	got, err := s.APIKey(ctx, digest("key"))
	must(t, err)
	if !sameAPIKey(*got, in) {
		t.Errorf("got %+v, want %+v", got, in)
	}

	must(t, s.Revoke(ctx, store.Change{Kind: store.KindAPIKey, ID: "k"}))
	_, err = s.APIKey(ctx, digest("key"))
	wantErr(t, "revoked key", err, store.ErrNotFound)

	// A client that is created again must not get the keys of the deleted one.
	must(t, s.CreateAPIKeys(ctx, apiKey("of c", "c")))
	must(t, s.DeleteClient(ctx, "c"))
	clients(t, s, "c")
	_, err = s.APIKey(ctx, digest("key of c"))
	wantErr(t, "key of a client that was deleted and created anew", err, store.ErrNotFound)
	_, err = s.APIKey(ctx, digest("key of d"))
	must(t, err)
}

func testVersions(t *testing.T, s store.Store) {
	ctx := t.Context()
	client := func() uint64 {
		t.Helper()
		c, err := s.Client(ctx, "c")
		must(t, err)
		return c.Version
	}
	user := func() uint64 {
		t.Helper()
		u, err := s.User(ctx, "u")
		must(t, err)
		return u.Version
	}
	raised := func(what string, version func() uint64, before uint64) uint64 {
		t.Helper()
		after := version()
		if after <= before {
			t.Errorf("%s: version went from %d to %d, want it raised", what, before, after)
		}
		return after
	}
	stays := func(what string, version func() uint64, before uint64) {
		t.Helper()
		if after := version(); after != before {
			t.Errorf("%s: version went from %d to %d, want it as it was", what, before, after)
		}
	}

	// A caller that chose the version could make revoked tokens valid again.
	must(t, s.CreateClient(ctx, store.Client{ID: "c", Version: 99}))
	v := client()
	if v == 99 {
		t.Error("the caller chose the version")
	}

	// A raised version ends all tokens: only disabling, revoking and deleting raise it.
	must(t, s.UpdateClient(ctx, "c", func(c *store.Client) error { c.Scopes = []string{"a"}; return nil }))
	stays("new scope", client, v)
	must(t, s.UpdateClient(ctx, "c", func(c *store.Client) error { c.Disabled = true; return nil }))
	v = raised("disabled client", client, v)
	must(t, s.UpdateClient(ctx, "c", func(c *store.Client) error { c.Scopes = nil; return nil }))
	stays("disabled client, changed", client, v)
	must(t, s.UpdateClient(ctx, "c", func(c *store.Client) error { c.Disabled = false; return nil }))
	stays("enabled client", client, v)
	must(t, s.Revoke(ctx, store.Change{Kind: store.KindClient, ID: "c"}))
	v = raised("revoked client", client, v)
	must(t, s.DeleteClient(ctx, "c"))
	must(t, s.CreateClient(ctx, store.Client{ID: "c"}))
	raised("client created anew", client, v)

	// For users, a new password ends all tokens too.
	must(t, s.CreateUsers(ctx, store.User{Login: "u", Password: hash('a'), Version: 99}))
	if v = user(); v == 99 {
		t.Error("the caller chose the version")
	}

	must(t, s.UpdateUser(ctx, "u", func(u *store.User) error { u.First = "F"; return nil }))
	stays("new first name", user, v)
	must(t, s.SetPassword(ctx, "u", hash('b')))
	v = raised("new password", user, v)
	must(t, s.SetPassword(ctx, "u", ""))
	v = raised("no password", user, v)
	must(t, s.UpdateUser(ctx, "u", func(u *store.User) error { u.Disabled = true; return nil }))
	v = raised("disabled user", user, v)
	must(t, s.UpdateUser(ctx, "u", func(u *store.User) error { u.Disabled = false; return nil }))
	stays("enabled user", user, v)
	must(t, s.DeleteUser(ctx, "u"))
	must(t, s.CreateUsers(ctx, store.User{Login: "u"}))
	raised("user created anew", user, v)
}

// testNames checks that names are stored and compared byte by byte, and that invalid names
// are refused.
func testNames(t *testing.T, s store.Store) {
	ctx := t.Context()

	// Some names hold quotes or separators. A database may take others for equal.
	names := []string{
		"a", "A", "a ", " a", "a%", "a_", "a'--", `a"`, `a\`, "a:b", "é", "e\u0301", "😀", "*", "{a}",
		strings.Repeat("x", 255), strings.Repeat("x", 254), strings.Repeat("é", 127),
	}
	for i, n := range names {
		must(t, s.CreateUsers(ctx, store.User{Login: n, First: fmt.Sprint(i)}))
		must(t, s.CreateClient(ctx, store.Client{ID: n, Scopes: []string{fmt.Sprint(i)}}))
		must(t, s.CreateAPIKeys(ctx, store.APIKey{ID: n, Client: n, Digest: digest(n)}))
	}

	for i, n := range names {
		u, err := s.User(ctx, n)
		if err != nil || u.Login != n || u.First != fmt.Sprint(i) {
			t.Errorf("user %.20q: got %+v, %v", n, u, err)
		}
		c, err := s.Client(ctx, n)
		if err != nil || c.ID != n || !slices.Equal(c.Scopes, []string{fmt.Sprint(i)}) {
			t.Errorf("client %.20q: got %+v, %v", n, c, err)
		}
		k, err := s.APIKeyByID(ctx, n)
		if err != nil || k.ID != n || k.Client != n {
			t.Errorf("API key %.20q: got %+v, %v", n, k, err)
		}
	}

	for _, n := range []string{
		"", "a\x00", "\x00", "a\x00b", "a\nb", "\x1b", "\x7f", "\u0085", "\xff", "e\xcc", strings.Repeat("x", 256), strings.Repeat("x", 64<<10),
	} {
		wantRefused(t, fmt.Sprintf("user %.20q", n), s.CreateUsers(ctx, store.User{Login: n}), "Login")
		wantRefused(t, fmt.Sprintf("client %.20q", n), s.CreateClient(ctx, store.Client{ID: n}), "ID")
		wantRefused(t, fmt.Sprintf("API key %.20q", n), s.CreateAPIKeys(ctx, store.APIKey{ID: n, Client: "a", Digest: digest("refused")}), "ID")
	}
	// Refused names must not be stored.
	slices.Sort(names)
	for what, got := range map[string][]string{"users": logins(t, s), "clients": clientIDs(t, s), "API keys": keyIDs(t, s, "")} {
		if !slices.Equal(got, names) {
			t.Errorf("%s after refusals: got %.40q, want %.40q", what, got, names)
		}
	}
}

// testNoSharing checks that the store and its callers do not share slices.
func testNoSharing(t *testing.T, s store.Store) {
	ctx := t.Context()
	scopes := []string{"a"}
	must(t, s.CreateClient(ctx, store.Client{ID: "c", Scopes: scopes, Default: []string{"a"}, Grants: []string{"password"}}))
	must(t, s.CreateAPIKeys(ctx, store.APIKey{ID: "k", Client: "c", Digest: digest("k"), Scopes: scopes}))
	must(t, s.CreateUsers(ctx, store.User{Login: "u", Scopes: scopes, LimitScopes: true}))

	read := func() (*store.Client, *store.APIKey, *store.User) {
		t.Helper()
		c, err := s.Client(ctx, "c")
		must(t, err)
		k, err := s.APIKey(ctx, digest("k"))
		must(t, err)
		u, err := s.User(ctx, "u")
		must(t, err)
		return c, k, u
	}

	// A write to a slice must not change rights in the store, from either side.
	scopes[0] = "admin"
	c, k, u := read()
	if c.Scopes[0] != "a" || k.Scopes[0] != "a" || u.Scopes[0] != "a" {
		t.Error("the store kept the caller's slice")
	}
	// Appending to one returned list must not change another.
	_, _ = append(c.Scopes, "admin"), append(c.Default, "admin")
	if c.Default[0] != "a" || c.Grants[0] != "password" {
		t.Error("what is appended to one slice is in another")
	}
	c.Scopes[0], k.Scopes[0], u.Scopes[0] = "admin", "admin", "admin"
	if c, k, u = read(); c.Scopes[0] != "a" || k.Scopes[0] != "a" || u.Scopes[0] != "a" {
		t.Error("the store gave its own slice away")
	}

	var kept []string
	must(t, s.UpdateUser(ctx, "u", func(u *store.User) error { u.Scopes[0], kept = "b", u.Scopes; return nil }))
	kept[0] = "admin"
	if _, _, u = read(); u.Scopes[0] != "b" {
		t.Error("the store kept the slice of an update's function")
	}
}
