package store_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

var noon = time.Date(2100, 1, 2, 12, 0, 0, 0, time.UTC)

const (
	argonHash  = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b/dWRWJTmaaJObG"
	bcryptHash = "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"
)

func goodClient() store.Client {
	return store.Client{
		ID: "c", Scopes: []string{"a", "read:all"}, Default: []string{"a"},
		Grants: []string{store.GrantClientCredentials, store.GrantPassword, store.GrantRefreshToken},
		Secrets: []store.Secret{
			{ID: "1", Digest: store.DigestOf("one"), Created: noon, Expires: noon.Add(time.Hour)}, {ID: "2", Digest: store.DigestOf("two")},
		},
	}
}

func goodUser() store.User {
	return store.User{Login: "ada@example.com", Password: bcryptHash, First: "Ada", Last: "Lovelace", Lang: "ENU", Scopes: []string{"a"}, LimitScopes: true}
}

func goodAPIKey() store.APIKey {
	return store.APIKey{
		ID: "k", Name: "a key", Client: "c", Digest: store.DigestOf("k"), Scopes: []string{"a"}, Owner: "ada",
		Addrs:   []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("0.0.0.0/0")},
		Created: noon, Expires: noon.Add(time.Hour),
	}
}

// wantFaults checks that an error names each field. Without fields, err must be nil.
func wantFaults(t *testing.T, what string, err error, fields ...string) {
	t.Helper()
	if len(fields) == 0 && err != nil {
		t.Errorf("%s: got %v, want no error", what, err)
	}
	for _, field := range fields {
		if err == nil || !strings.Contains(err.Error(), field+" ") {
			t.Errorf("%s: got %v, want an error that names %s", what, err, field)
		}
	}
}

// badNames are invalid as names and as other texts.
var badNames = map[string]string{
	"256 bytes": strings.Repeat("x", 256), "256 bytes of two each": strings.Repeat("é", 128), "NUL": "a\x00b", "a line break": "a\nb",
	"DEL": "\x7f", "a control character of Unicode": "\u0085", "no UTF-8": "a\xff", "half a surrogate pair": "\xed\xa0\x80",
}

var goodNames = []string{"x", strings.Repeat("x", 255), "é", "e\u0301", "日本", " a ", "a'b\"c\\", "{a}*%", "\u00a0", "\ufeff", "\U0010ffff"}

// badScopes are not scope tokens (RFC 6749 section 3.3).
var badScopes = map[string][]string{
	"a blank": {"a b"}, "nothing": {""}, "a quote": {`a"`}, "a backslash": {`a\b`}, "beyond ASCII": {"é"}, "NUL": {"\x00"},
	"DEL": {"a\x7f"}, "twice": {"a", "b", "a"}, "256 bytes": {strings.Repeat("x", 256)}, "a tab": {"a\tb"},
}

func TestClientCheck(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*store.Client)
		fields []string
	}{
		"good":             {func(*store.Client) {}, nil},
		"nothing but ID":   {func(c *store.Client) { *c = store.Client{ID: "c"} }, nil},
		"disabled":         {func(c *store.Client) { c.Disabled, c.Version = true, 7 }, nil},
		"no ID":            {func(c *store.Client) { c.ID = "" }, []string{"ID"}},
		"unknown grant":    {func(c *store.Client) { c.Grants = []string{"password", "client-credentials"} }, []string{"Grants"}},
		"grant in capital": {func(c *store.Client) { c.Grants = []string{"Password"} }, []string{"Grants"}},
		"default outside":  {func(c *store.Client) { c.Default = []string{"a", "b"} }, []string{"Default"}},
		"default alone":    {func(c *store.Client) { c.Scopes = nil }, []string{"Default"}},
		"several":          {func(c *store.Client) { c.ID, c.Scopes, c.Grants = "", []string{"a", " "}, []string{"x"} }, []string{"ID", "Scopes", "Grants"}},
		"secret's ID":      {func(c *store.Client) { c.Secrets[1].ID = "" }, []string{"Secrets[1].ID"}},
		"no digest":        {func(c *store.Client) { c.Secrets[0].Digest = store.Digest{} }, []string{"Secrets[0].Digest"}},
		"an empty secret":  {func(c *store.Client) { c.Secrets[0].Digest = store.DigestOf("") }, []string{"Secrets[0].Digest"}},
		"expired at birth": {func(c *store.Client) { c.Secrets[0].Expires = noon }, []string{"Secrets[0].Expires"}},
		"no end":           {func(c *store.Client) { c.Secrets[0].Expires = time.Time{} }, nil},
		"expired long ago": {func(c *store.Client) { c.Secrets[1].Expires = time.Unix(0, 0) }, []string{"Secrets[1].Expires"}},
		"one ID twice":     {func(c *store.Client) { c.Secrets[1].ID = "1" }, []string{"Secrets[1]"}},
		"one secret twice": {func(c *store.Client) { c.Secrets[1].Digest = c.Secrets[0].Digest }, []string{"Secrets[1]"}},
	} {
		c := goodClient()
		tt.change(&c)
		wantFaults(t, name, c.Check(), tt.fields...)
	}
	for name, scopes := range badScopes {
		wantFaults(t, "scopes: "+name, (&store.Client{ID: "c", Scopes: scopes}).Check(), "Scopes")
	}
	for name, id := range badNames {
		wantFaults(t, "ID: "+name, (&store.Client{ID: id}).Check(), "ID")
	}
	for _, id := range goodNames {
		wantFaults(t, "ID "+id, (&store.Client{ID: id}).Check())
	}
}

func TestUserCheck(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*store.User)
		fields []string
	}{
		"good":              {func(*store.User) {}, nil},
		"argon2id":          {func(u *store.User) { u.Password = argonHash }, nil},
		"no password":       {func(u *store.User) { u.Password = "" }, nil},
		"limited to none":   {func(u *store.User) { u.Scopes = nil }, nil},
		"no login":          {func(u *store.User) { u.Login = "" }, []string{"Login"}},
		"limits nothing":    {func(u *store.User) { u.LimitScopes = false }, []string{"Scopes"}},
		"plain password":    {func(u *store.User) { u.Password = "hunter2" }, []string{"Password"}},
		"half a hash":       {func(u *store.User) { u.Password = bcryptHash[:59] }, []string{"Password"}},
		"more than a hash":  {func(u *store.User) { u.Password = bcryptHash + "x" }, []string{"Password"}},
		"after a hash":      {func(u *store.User) { u.Password = "x\n" + bcryptHash }, []string{"Password"}},
		"another argon":     {func(u *store.User) { u.Password = strings.Replace(argonHash, "argon2id", "argon2i", 1) }, []string{"Password"}},
		"a hash of another": {func(u *store.User) { u.Password = "$1$abc$def" }, []string{"Password"}},
	} {
		u := goodUser()
		tt.change(&u)
		wantFaults(t, name, u.Check(), tt.fields...)
	}
	for name, text := range badNames {
		wantFaults(t, name, (&store.User{Login: text, First: text, Last: text, Lang: text}).Check(), "Login", "First", "Last", "Lang")
	}
	for _, text := range goodNames {
		wantFaults(t, text, (&store.User{Login: text, First: text, Last: text, Lang: text}).Check())
	}
	for name, scopes := range badScopes {
		wantFaults(t, "scopes: "+name, (&store.User{Login: "u", Scopes: scopes, LimitScopes: true}).Check(), "Scopes")
	}
}

// TestCheckHidesPasswords checks that no error or log line contains a part of a password.
func TestCheckHidesPasswords(t *testing.T) {
	u := store.User{Login: "u", Password: "correct horse"}
	for _, err := range []error{u.Check(), store.CheckPasswordHash("correct horse")} {
		if err == nil || strings.Contains(err.Error(), "horse") {
			t.Errorf("got %v, want an error that does not repeat the password", err)
		}
	}
	for _, hash := range []string{"", bcryptHash, argonHash} {
		if err := store.CheckPasswordHash(hash); err != nil {
			t.Errorf("%q: %v", hash, err)
		}
	}
}

func TestAPIKeyCheck(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*store.APIKey)
		fields []string
	}{
		"good":              {func(*store.APIKey) {}, nil},
		"the least":         {func(k *store.APIKey) { *k = store.APIKey{ID: "k", Client: "c", Digest: store.DigestOf("k")} }, nil},
		"no ID":             {func(k *store.APIKey) { k.ID = "" }, []string{"ID"}},
		"no client":         {func(k *store.APIKey) { k.Client = "" }, []string{"Client"}},
		"no digest":         {func(k *store.APIKey) { k.Digest = store.Digest{} }, []string{"Digest"}},
		"an empty key":      {func(k *store.APIKey) { k.Digest = store.DigestOf("") }, []string{"Digest"}},
		"expired at birth":  {func(k *store.APIKey) { k.Expires = k.Created }, []string{"Expires"}},
		"expired before":    {func(k *store.APIKey) { k.Expires = k.Created.Add(-time.Second) }, []string{"Expires"}},
		"birth unknown":     {func(k *store.APIKey) { k.Created = time.Time{} }, nil},
		"expired long ago":  {func(k *store.APIKey) { k.Created, k.Expires = time.Time{}, time.Unix(0, 0) }, []string{"Expires"}},
		"no end":            {func(k *store.APIKey) { k.Expires = time.Time{} }, nil},
		"no network":        {func(k *store.APIKey) { k.Addrs[1] = netip.Prefix{} }, []string{"Addrs"}},
		"host bits":         {func(k *store.APIKey) { k.Addrs[0] = netip.MustParsePrefix("10.0.0.1/8") }, []string{"Addrs"}},
		"IPv4 within IPv6":  {func(k *store.APIKey) { k.Addrs[0] = netip.MustParsePrefix("::ffff:10.0.0.0/104") }, []string{"Addrs"}},
		"everything at one": {func(k *store.APIKey) { *k = store.APIKey{} }, []string{"ID", "Client", "Digest"}},
	} {
		k := goodAPIKey()
		tt.change(&k)
		wantFaults(t, name, k.Check(), tt.fields...)
	}
	for name, text := range badNames {
		k := goodAPIKey()
		k.ID, k.Name, k.Client, k.Owner = text, text, text, text
		wantFaults(t, name, k.Check(), "ID", "Name", "Client", "Owner")
	}
	for name, scopes := range badScopes {
		k := goodAPIKey()
		k.Scopes = scopes
		wantFaults(t, "scopes: "+name, k.Check(), "Scopes")
	}
}

func TestOtherChecks(t *testing.T) {
	token := store.Token{ID: "t", Client: "c", Digest: store.DigestOf("t"), Expires: noon}
	session := store.Session{ID: "s", User: "u", Token: store.DigestOf("t"), Cookie: store.DigestOf("c"), Expires: noon, Ends: noon}
	signing := store.SigningKey{ID: "k", Set: "set", Alg: "ES256", Sealed: []byte("s")}
	secret := store.Secret{ID: "s", Digest: store.DigestOf("s"), Created: noon, Expires: noon.Add(1)}
	for name, err := range map[string]error{
		"token": token.Check(), "session": session.Check(), "signing key": signing.Check(), "secret": secret.Check(),
	} {
		wantFaults(t, name, err)
	}
	wantFaults(t, "no token", (&store.Token{}).Check(), "ID", "Client", "Digest", "Expires")
	wantFaults(t, "no session", (&store.Session{}).Check(), "ID", "User", "Token", "Expires or Ends")
	wantFaults(t, "no signing key", (&store.SigningKey{}).Check(), "ID", "Set", "Alg", "Sealed")
	wantFaults(t, "no secret", (&store.Secret{}).Check(), "ID", "Digest")
	session.Ends = time.Time{}
	wantFaults(t, "an endless session", session.Check(), "Expires or Ends")
	secret.Expires = noon
	wantFaults(t, "a secret that expires at birth", secret.Check(), "Expires")
}
