package store_test

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/store"
)

// The old records could not be created today: every field that can be wrong is wrong.

func oldClient() store.Client {
	return store.Client{
		ID: "\x00", Scopes: []string{"a b", "", "a b"}, Default: []string{"other"}, Grants: []string{"implicit"}, Version: 3,
		Secrets: []store.Secret{{}, {}},
	}
}

func oldUser() store.User {
	return store.User{Login: "\xff", Password: "plain", First: "\x00", Last: "\n", Lang: "\x7f", Scopes: []string{"a b"}, Version: 3}
}

func oldAPIKey() store.APIKey {
	return store.APIKey{
		ID: "", Name: "\x00", Owner: "\n", Scopes: []string{"a b"}, Addrs: []netip.Prefix{{}}, Created: noon, Expires: noon,
	}
}

func TestClientCheckUpdate(t *testing.T) {
	old := oldClient()
	for name, tt := range map[string]struct {
		change func(*store.Client)
		fields []string
	}{
		"nothing":          {func(*store.Client) {}, nil},
		"disabled":         {func(c *store.Client) { c.Disabled = true }, nil},
		"same scopes":      {func(c *store.Client) { c.Scopes = slices.Clone(c.Scopes) }, nil},
		"last use":         {func(c *store.Client) { c.Secrets[0].LastUsed = noon }, nil},
		"mended":           {func(c *store.Client) { c.Scopes, c.Default, c.Grants = []string{"a"}, nil, nil }, nil},
		"scopes":           {func(c *store.Client) { c.Scopes = []string{"a "} }, []string{"Scopes", "Default"}},
		"scopes, default":  {func(c *store.Client) { c.Scopes = []string{"a"} }, []string{"Default"}},
		"default":          {func(c *store.Client) { c.Default = []string{"a"} }, []string{"Default"}},
		"grants":           {func(c *store.Client) { c.Grants = []string{"implicit", "password"} }, []string{"Grants"}},
		"ID":               {func(c *store.Client) { c.ID = "c" }, []string{"ID"}},
		"version":          {func(c *store.Client) { c.Version++ }, []string{"Version"}},
		"a secret less":    {func(c *store.Client) { c.Secrets = c.Secrets[:1] }, []string{"Secrets"}},
		"a secret's end":   {func(c *store.Client) { c.Secrets[0].Expires = noon }, []string{"Secrets"}},
		"a secret's birth": {func(c *store.Client) { c.Secrets[0].Created = noon }, []string{"Secrets"}},
		"a secret's ID":    {func(c *store.Client) { c.Secrets[0].ID = "s" }, []string{"Secrets"}},
		"another secret":   {func(c *store.Client) { c.Secrets[0].Digest = store.DigestOf("x") }, []string{"Secrets"}},
	} {
		c := oldClient()
		tt.change(&c)
		wantFaults(t, name, c.CheckUpdate(&old), tt.fields...)
	}
}

func TestUserCheckUpdate(t *testing.T) {
	old := oldUser()
	for name, tt := range map[string]struct {
		change func(*store.User)
		fields []string
	}{
		"nothing":      {func(*store.User) {}, nil},
		"disabled":     {func(u *store.User) { u.Disabled = true }, nil},
		"mended":       {func(u *store.User) { u.First, u.Last, u.Lang, u.Scopes = "F", "", "", nil }, nil},
		"a first name": {func(u *store.User) { u.First = "\x00\x00" }, []string{"First"}},
		"a last name":  {func(u *store.User) { u.Last = "\r" }, []string{"Last"}},
		"a language":   {func(u *store.User) { u.Lang = "\xff" }, []string{"Lang"}},
		"scopes":       {func(u *store.User) { u.Scopes = []string{"a"} }, []string{"Scopes"}},
		"a limit":      {func(u *store.User) { u.LimitScopes = true }, []string{"Scopes"}},
		"login":        {func(u *store.User) { u.Login = "u" }, []string{"Login"}},
		"version":      {func(u *store.User) { u.Version = 0 }, []string{"Version"}},
		"password":     {func(u *store.User) { u.Password = bcryptHash }, []string{"Password"}},
		"no password":  {func(u *store.User) { u.Password = "" }, []string{"Password"}},
	} {
		u := oldUser()
		tt.change(&u)
		wantFaults(t, name, u.CheckUpdate(&old), tt.fields...)
	}
}

func TestAPIKeyCheckUpdate(t *testing.T) {
	old := oldAPIKey()
	for name, tt := range map[string]struct {
		change func(*store.APIKey)
		fields []string
	}{
		"nothing":   {func(*store.APIKey) {}, nil},
		"same time": {func(k *store.APIKey) { k.Expires = k.Expires.In(time.FixedZone("", 3600)) }, nil},
		"mended": {func(k *store.APIKey) {
			k.Name, k.Owner, k.Scopes, k.Addrs = "n", "o", nil, nil
		}, nil},
		"name":     {func(k *store.APIKey) { k.Name = "\n" }, []string{"Name"}},
		"owner":    {func(k *store.APIKey) { k.Owner = "\x00" }, []string{"Owner"}},
		"scopes":   {func(k *store.APIKey) { k.Scopes = []string{""} }, []string{"Scopes"}},
		"networks": {func(k *store.APIKey) { k.Addrs = append(k.Addrs, netip.MustParsePrefix("::1/128")) }, []string{"Addrs"}},
		"expires":  {func(k *store.APIKey) { k.Expires = noon.Add(-1) }, []string{"Expires"}},
		"ID":       {func(k *store.APIKey) { k.ID = "k" }, []string{"ID"}},
		"client":   {func(k *store.APIKey) { k.Client = "c" }, []string{"Client"}},
		"digest":   {func(k *store.APIKey) { k.Digest = store.DigestOf("x") }, []string{"Digest"}},
		"created":  {func(k *store.APIKey) { k.Created = time.Time{} }, []string{"Created"}},
		"last use": {func(k *store.APIKey) { k.LastUsed = noon }, []string{"LastUsed"}},
	} {
		k := oldAPIKey()
		tt.change(&k)
		wantFaults(t, name, k.CheckUpdate(&old), tt.fields...)
	}
}

// TestAPIKeyCheckUpdateExpires moves the end of a key. Only an earlier time is accepted.
func TestAPIKeyCheckUpdateExpires(t *testing.T) {
	for name, tt := range map[string]struct {
		old, changed time.Time
		fields       []string
	}{
		"sooner":          {noon.Add(time.Hour), noon.Add(time.Minute), nil},
		"at once":         {time.Time{}, time.Now(), nil},
		"an end to none":  {time.Time{}, noon, nil},
		"later":           {noon, noon.Add(1), []string{"Expires"}},
		"never":           {noon, time.Time{}, []string{"Expires"}},
		"again, by a day": {time.Now().Add(-time.Hour), noon, []string{"Expires"}},
	} {
		old := store.APIKey{ID: "k", Client: "c", Digest: store.DigestOf("k"), Expires: tt.old}
		changed := old
		changed.Expires = tt.changed
		wantFaults(t, name, changed.CheckUpdate(&old), tt.fields...)
	}
}

// TestCheckClock checks that a key can be created until its expiry, and not afterwards.
func TestCheckClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := store.APIKey{ID: "k", Client: "c", Digest: store.DigestOf("k"), Expires: time.Now().Add(time.Minute)}
		s := store.Secret{ID: "s", Digest: store.DigestOf("s"), Expires: k.Expires}
		time.Sleep(time.Minute - time.Nanosecond)
		wantFaults(t, "a key before its end", k.Check())
		wantFaults(t, "a secret before its end", s.Check())
		time.Sleep(time.Nanosecond)
		wantFaults(t, "a key at its end", k.Check(), "Expires")
		wantFaults(t, "a secret at its end", s.Check(), "Expires")
		wantFaults(t, "a key that is updated at its end", k.CheckUpdate(&k))
	})
}
