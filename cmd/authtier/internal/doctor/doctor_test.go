package doctor

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/meter"
)

func timeNow() time.Time { return time.Now() }

func TestHealthy(t *testing.T) {
	h := newHome(t)
	found, status := h.examine(t)
	if len(found) != 0 || status != 0 {
		t.Errorf("status %d, found %v", status, found)
	}

	out, stderr, status := run(t, h.args()...)
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if status != 0 || stderr != "" || len(lines) < len(checks)-1 {
		t.Errorf("status %d, %s%s", status, out, stderr)
	}
	for _, line := range lines {
		if !strings.HasPrefix(line, "ok       ") {
			t.Errorf("got the line %q", line)
		}
	}
}

// TestFindings breaks one thing at a time, and expects that one finding.
func TestFindings(t *testing.T) {
	for name, tt := range map[string]struct {
		unix  bool // only where files have modes
		spoil func(t *testing.T, h *home)
		args  []string
		want  finding // with parts of the texts
	}{
		"no store":               {args: []string{"--store", "sqlite:none.db"}, want: finding{fault, "store", "there is no store yet", "run authtier init"}},
		"unreachable":            {args: []string{"--store", "postgres://127.0.0.1:1/none"}, want: finding{fault, "store", "cannot be reached", "--store"}},
		"an older store":         {spoil: sqlBreak(`DELETE FROM authtier_migrations WHERE version = (SELECT max(version) FROM authtier_migrations)`), want: finding{fault, "store", "this program knows version", "migrate up"}},
		"a newer store":          {spoil: newerStore(1), want: finding{warning, "store", "one more than this program knows", "newer authtier"}},
		"two newer":              {spoil: newerStore(2), want: finding{fault, "store", "this program knows version", "newer authtier"}},
		"store file":             {unix: true, spoil: chmod(func(h *home) string { return h.file }, 0o644), want: finding{warning, "store file", "mode 0644", "chmod 600"}},
		"a damaged store":        {spoil: damagedStore, want: finding{fault, "store", "the store is damaged", "restore a copy"}},
		"a store for everybody":  {unix: true, spoil: chmod(func(h *home) string { return h.file }, 0o666), want: finding{fault, "store", "mode 0666", "chmod 600"}},
		"no key file":            {spoil: func(t *testing.T, h *home) { check0(t, os.Remove(h.keyFile)) }, want: finding{fault, "key file", "does not exist", "copy the file"}},
		"key file's mode":        {unix: true, spoil: chmod(func(h *home) string { return h.keyFile }, 0o640), want: finding{fault, "key file", "mode 0640", "chmod 600"}},
		"another key file":       {spoil: writeKey("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="), want: finding{fault, "key file", "does not decrypt", "newest key file"}},
		"no key in the key file": {spoil: writeKey("not base64"), want: finding{fault, "key file", "does not decode", "newest key file"}},
		"no key signs":           {spoil: sqlBreak(`UPDATE authtier_signing_keys SET signs = 0, ends = 4000000000000000`), want: finding{fault, "signing keys", "none of 1 signing key signs", "restart"}},
		"no signing key":         {spoil: sqlBreak(`DELETE FROM authtier_signing_keys`), want: finding{fault, "signing keys", "has no signing key", "authtier signing-key rotate"}},
		"an old key":             {spoil: sqlBreak(`UPDATE authtier_signing_keys SET signs = ?`, timeNow().AddDate(-2, 0, 0).UnixMicro()), want: finding{warning, "signing keys", "has been signing for 7", "rotate"}},
		"a waiting key":          {spoil: waitingKey, want: finding{warning, "signing keys", "does not sign yet", "start a server"}},
		"unreachable issuer":     {args: []string{"--trust-issuer", "http://127.0.0.1:1,api"}, want: finding{fault, "trusted issuers", `the keys of "http://127.0.0.1:1" cannot be fetched`, "check the URL"}},

		"a client without credentials": {spoil: createClient(store.Client{ID: "idle"}), want: finding{warning, "clients", `1 client has neither a secret nor an API key ("idle")`, "give it"}},
		"two of them":                  {spoil: createClients("idle", "lazy"), want: finding{warning, "clients", `2 clients have neither a secret nor an API key ("idle", "lazy")`, "give it"}},
		"seven of them":                {spoil: createClients("a", "b", "c", "d", "e", "f", "g"), want: finding{warning, "clients", `"e" and 2 more)`, "give it"}},
		"expired credentials":          {spoil: expiredSecret, want: finding{warning, "clients", `1 client has only secrets and API keys that have expired ("late")`, "rotate-secret"}},
		"a client with a user's name":  {spoil: clientLikeUser, want: finding{warning, "clients", `1 client has the name of a user ("ada")`, "rename"}},
		"an old client":                {spoil: sqlBreak(`UPDATE authtier_clients SET lists = replace(lists, '"client_credentials"', '"implicit"')`), want: finding{warning, "clients", `1 client could not be created today ("app"): store: the client "app": Grants has "implicit"`, "correct"}},
		"no clients":                   {spoil: func(t *testing.T, h *home) { check0(t, h.db.DeleteClient(t.Context(), "app")) }, want: finding{warning, "clients", "there are no clients", "client create"}},

		"an expired key":           {spoil: sqlBreak(`UPDATE authtier_api_keys SET expires = created + 1`), want: finding{warning, "clients", "1 API key has expired (", "key rotate"}},
		"a key with more scopes":   {spoil: fewerScopes, want: finding{warning, "clients", "1 API key has a scope that its client does not have (", "works without"}},
		"a key of a stranger":      {spoil: sqlBreak(`UPDATE authtier_api_keys SET owner = CAST('bob' AS BLOB)`), want: finding{warning, "clients", "1 API key has an owner that is no user (", "key update"}},
		"a key of a disabled user": {spoil: disableUser, want: finding{warning, "clients", "1 API key is refused because its owner is disabled (", "another owner"}},
		"an old key record":        {spoil: sqlBreak(`UPDATE authtier_api_keys SET name = CAST('a' || char(7) AS BLOB)`), want: finding{warning, "clients", "Name contains a control character", "correct"}},

		"an old user":  {spoil: sqlBreak(`UPDATE authtier_users SET lang = CAST(printf('%300s', 'x') AS BLOB)`), want: finding{warning, "users", "Lang has 300 bytes", "correct"}},
		"no hash":      {spoil: sqlBreak(`UPDATE authtier_users SET password = CAST('plain text' AS BLOB)`), want: finding{warning, "users", "Password is not a hash", "correct"}},
		"cheap bcrypt": {spoil: cheapBcrypt, want: finding{warning, "users", `of 1 user have hashes that are cheaper to guess than today's ("bob")`, "next login"}},
		"costly bcrypt": {spoil: func(t *testing.T, h *home) {
			check0(t, h.db.CreateUsers(t.Context(), store.User{Login: "bob", Password: "$2b$16$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW"}))
		}, want: finding{fault, "users", `of 1 user have bcrypt hashes of a cost above 15 ("bob")`, "set-password"}},
		"cheap argon": {spoil: sqlBreak(`UPDATE authtier_users SET password = CAST(replace(CAST(password AS TEXT), 'm=19456', 'm=19455') AS BLOB)`), want: finding{warning, "users", `cheaper to guess than today's ("ada")`, "next login"}},

		"no journal":         {args: []string{"--usage-dir", filepath.Join("none", "usage")}, want: finding{fault, "journal", "does not exist", "--usage-dir"}},
		"a file, no journal": {spoil: func(t *testing.T, h *home) { h.usageDir = h.keyFile }, want: finding{fault, "journal", "is not a folder", "--usage-dir"}},
		"journal's mode":     {unix: true, spoil: chmod(func(h *home) string { return h.usageDir }, 0o777), want: finding{fault, "journal", "mode 0777", "chmod 700"}},
		"a foreign file":     {spoil: journalFile("notes.txt", "x", 0), want: finding{warning, "journal", `1 file that no server made ("notes.txt")`, "move"}},
		"a torn file":        {spoil: journalFile(timeNow().UTC().Format(time.DateOnly)+"-00112233445566778899aabbccddeeff.usage", "x", 0), want: finding{fault, "journal", "1 file that cannot be read, or only in part", "restore them"}},
		"an unreadable file": {unix: true, spoil: func(t *testing.T, h *home) {
			name := timeNow().UTC().Format(time.DateOnly) + "-00112233445566778899aabbccddeeff.usage"
			check0(t, os.Symlink(filepath.Join(h.usageDir, "nothing"), filepath.Join(h.usageDir, name)))
		}, want: finding{fault, "journal", "1 file that cannot be read", "let the user"}},
		"a late file":        {spoil: lateFile, want: finding{warning, "journal", `still holds 1 file of days that are over ("2026-01-01-`, "start a server"}},
		"an unfinished file": {spoil: journalFile("2026-01-01-00112233445566778899aabbccddeeff.usage.new", "", 2*time.Hour), want: finding{warning, "journal", `1 file whose making was interrupted`, "start a server"}},
		"a stalled stream":   {spoil: stalledStream, want: finding{warning, "usage", "usage is complete only through", "start a server"}},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.unix && runtime.GOOS == "windows" {
				t.Skip("files have no modes")
			}
			t.Parallel()
			h := newHome(t)
			if tt.spoil != nil {
				tt.spoil(t, h)
			}
			found, status := h.examine(t, tt.args...)
			if len(found) != 1 {
				t.Fatalf("found %v, want one finding", found)
			}
			got := found[0]
			if got.Level != tt.want.Level || got.Check != tt.want.Check || !strings.Contains(got.What, tt.want.What) || !strings.Contains(got.Do, tt.want.Do) {
				t.Errorf("got  %v\nwant %v", got, tt.want)
			}
			wantStatus := 0
			if tt.want.Level == fault {
				wantStatus = 1
			}
			if status != wantStatus {
				t.Errorf("got status %d, want %d", status, wantStatus)
			}
			if line := got.String(); strings.ContainsAny(line, "\n\x07") {
				t.Errorf("the line is not safe to print: %q", line)
			}
		})
	}
}

func check0(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sqlBreak(statement string, args ...any) func(*testing.T, *home) {
	return func(t *testing.T, h *home) { h.exec(t, statement, args...) }
}

func newerStore(by int) func(*testing.T, *home) {
	return func(t *testing.T, h *home) {
		h.exec(t, `INSERT INTO authtier_migrations SELECT max(version) + ?, 'later', 'x', '' FROM authtier_migrations`, by)
		if by == 2 {
			h.exec(t, `INSERT INTO authtier_migrations SELECT max(version) - 1, 'between', 'x', '' FROM authtier_migrations`)
		}
	}
}

func chmod(name func(*home) string, mode os.FileMode) func(*testing.T, *home) {
	return func(t *testing.T, h *home) { check0(t, os.Chmod(name(h), mode)) }
}

func writeKey(text string) func(*testing.T, *home) {
	return func(t *testing.T, h *home) { check0(t, os.WriteFile(h.keyFile, []byte(text), 0o600)) }
}

func waitingKey(t *testing.T, h *home) {
	iss, err := issuer.New(t.Context(), backend.DefaultIssuer, h.db, &issuer.Config{KeyFile: h.keyFile})
	check0(t, err)
	defer iss.Close()
	_, err = iss.RotateSigningKey(t.Context())
	check0(t, err)
	h.exec(t, `UPDATE authtier_signing_keys SET published = ? WHERE signs = 0`, timeNow().Add(-time.Hour).UnixMicro())
}

func createClient(c store.Client) func(*testing.T, *home) {
	return func(t *testing.T, h *home) { check0(t, h.db.CreateClient(t.Context(), c)) }
}

func createClients(ids ...string) func(*testing.T, *home) {
	return func(t *testing.T, h *home) {
		for _, id := range ids {
			createClient(store.Client{ID: id})(t, h)
		}
	}
}

func expiredSecret(t *testing.T, h *home) {
	soon := timeNow().Add(time.Hour)
	createClient(store.Client{ID: "late", Secrets: []store.Secret{{ID: "s", Digest: store.DigestOf("secret"), Expires: soon}}})(t, h)
	h.exec(t, `UPDATE authtier_clients SET lists = CAST(replace(CAST(lists AS TEXT), ?, '1000000') AS BLOB) WHERE id = CAST('late' AS BLOB)`, soon.UnixMicro())
}

func clientLikeUser(t *testing.T, h *home) {
	createClient(store.Client{ID: "ada", Grants: []string{store.GrantClientCredentials}, Secrets: []store.Secret{{ID: "s", Digest: store.DigestOf("secret")}}})(t, h)
}

func fewerScopes(t *testing.T, h *home) {
	check0(t, h.db.UpdateClient(t.Context(), "app", func(c *store.Client) error {
		c.Scopes = nil
		return nil
	}))
}

func disableUser(t *testing.T, h *home) {
	check0(t, h.db.UpdateUser(t.Context(), "ada", func(u *store.User) error {
		u.Disabled = true
		return nil
	}))
}

func cheapBcrypt(t *testing.T, h *home) {
	for login, cost := range map[string]int{"bob": bcrypt.MinCost, "eve": leastBcrypt} {
		hash, err := bcrypt.GenerateFromPassword([]byte("pw"), cost)
		check0(t, err)
		check0(t, h.db.CreateUsers(t.Context(), store.User{Login: login, Password: string(hash)}))
		h.secrets = append(h.secrets, string(hash))
	}
}

func journalFile(name, content string, age time.Duration) func(*testing.T, *home) {
	return func(t *testing.T, h *home) {
		file := filepath.Join(h.usageDir, name)
		check0(t, os.WriteFile(file, []byte(content), 0o600))
		when := timeNow().Add(-age)
		check0(t, os.Chtimes(file, when, when))
	}
}

// lateFile leaves a journal of a day that is over.
func lateFile(t *testing.T, h *home) {
	dir := t.TempDir()
	m, err := meter.Open(t.Context(), dir, memory.New(), nil)
	check0(t, err)
	defer m.Close()
	p, err := m.Product("api", "product", "")
	check0(t, err)
	add, err := p.Counter(int(store.DayOf(timeNow())), "issuer", "client")
	check0(t, err)
	check0(t, add(1))

	names, err := filepath.Glob(filepath.Join(dir, "*.usage"))
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	content, err := os.ReadFile(names[0])
	check0(t, err)
	journalFile("2026-01-01-00112233445566778899aabbccddeeff.usage", string(content), 0)(t, h)
}

func damagedStore(t *testing.T, h *home) {
	check0(t, h.db.Close()) // which writes the whole file
	db, err := sql.Open("sqlite", h.file)
	check0(t, err)
	var root int64
	check0(t, db.QueryRow(`SELECT rootpage FROM sqlite_schema WHERE name = 'authtier_tokens'`).Scan(&root))
	check0(t, db.Close())
	f, err := os.OpenFile(h.file, os.O_RDWR, 0)
	check0(t, err)
	_, err = f.WriteAt(bytes.Repeat([]byte{0xa5}, 4096), (root-1)*4096)
	check0(t, errors.Join(err, f.Close()))
}

func stalledStream(t *testing.T, h *home) {
	through := timeNow().Add(-48 * time.Hour)
	_, err := h.db.Record(t.Context(), store.Stream{1}, store.Batch{Seq: 1, Through: through, Counts: []store.Count{
		{Counter: 1, Day: store.DayOf(through), Issuer: "i", Client: "c", API: "a", Product: "p", Total: 1},
	}})
	check0(t, err)
}

// A skewed is a store whose server has another time.
type skewed struct {
	store.Store
	by time.Duration
}

func (s skewed) Clock(context.Context) (time.Time, error) { return time.Now().Add(s.by), nil }

func TestClock(t *testing.T) {
	h := newHome(t)
	for by, want := range map[time.Duration]string{0: "", -time.Second: "", 5 * time.Second: warning, -5 * time.Second: warning, time.Minute: fault, -time.Hour: fault} {
		found := h.examineWith(t, func(e *examination) { e.db = skewed{h.db, by} })
		var got strings.Builder
		for _, f := range found {
			got.WriteString(f.Level)
		}
		if got.String() != want || want != "" && found[0].Check != "clock" {
			t.Errorf("%v apart: found %v, want %q", by, found, want)
		}
	}
}

// TestDSNFile warns of a DSN, which has a password, that others can read.
func TestDSNFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files have no modes")
	}
	h := newHome(t)
	dsn := h.file + ".dsn"
	check0(t, os.WriteFile(dsn, []byte("sqlite:"+h.file+"\n"), 0o644))
	out, _, status := run(t, "--store-file", dsn, "--key-file", h.keyFile, "--usage-dir", h.usageDir)
	if want := "warning  store file: others can read the DSN in the file of --store-file (mode 0644)"; status != 0 || !strings.Contains(out, want) {
		t.Errorf("status %d, got\n%s\nwant %s", status, out, want)
	}
}

func TestBrokenFeed(t *testing.T) {
	h := newHome(t)
	found := h.examineWith(t, func(e *examination) { e.db = brokenFeed{h.db} })
	if len(found) != 1 || found[0].Level != fault || found[0].Check != "changes" || !strings.Contains(found[0].What, "the feed is broken") {
		t.Errorf("found %v", found)
	}
}

func TestFreeSpace(t *testing.T) {
	h := newHome(t)
	found := h.examineWith(t, func(e *examination) { e.freeBytes = func(string) (uint64, bool) { return leastFree - 1, true } })
	if len(found) != 1 || found[0].Level != warning || !strings.Contains(found[0].What, "only 255 MiB are free") {
		t.Errorf("found %v", found)
	}
}

// TestPages checks that records on later pages are checked too.
func TestPages(t *testing.T) {
	h := newHome(t)
	for _, id := range []string{"b", "c", "d", "e"} {
		createClient(store.Client{ID: id})(t, h)
		check0(t, h.db.CreateUsers(t.Context(), store.User{Login: "u-" + id}))
		check0(t, h.db.CreateAPIKeys(t.Context(), store.APIKey{ID: "k" + id, Client: "app", Owner: "nobody", Digest: store.DigestOf("key " + id)}))
	}
	h.exec(t, `UPDATE authtier_users SET lang = CAST(printf('%300s', 'x') AS BLOB)`)

	found := h.examineWith(t, func(e *examination) { e.page = 2 })
	var what []string
	for _, f := range found {
		what = append(what, f.What)
	}
	for _, want := range []string{"4 clients have neither", "4 API keys have owners that are no users", "5 users could not be created today"} {
		if !slices.ContainsFunc(what, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("found %q, want one that begins %q", what, want)
		}
	}
}

// TestIntended checks that what may be intended is told without a warning.
func TestIntended(t *testing.T) {
	h := newHome(t)
	createClient(store.Client{ID: "off", Disabled: true})(t, h)
	createClient(store.Client{ID: "basic", Secrets: []store.Secret{{ID: "s", Digest: store.DigestOf("secret")}}})(t, h)
	out, _, status := run(t, h.args()...)
	for _, want := range []string{`ok       clients: 1 client is disabled ("off")`, `ok       clients: 1 client may use no grant, and can authenticate with Basic but get no token ("basic")`} {
		if !strings.Contains(out, want) || status != 0 {
			t.Errorf("status %d, got\n%s\nwant %s", status, out, want)
		}
	}
}

func TestTrustedIssuers(t *testing.T) {
	h := newHome(t)
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	iss, err := issuer.New(t.Context(), server.URL, h.db, &issuer.Config{KeyFile: h.keyFile})
	check0(t, err)
	defer iss.Close()
	iss.Register(mux)

	out, _, status := run(t, h.args("--trust-issuer", server.URL+",api")...)
	if want := `"` + server.URL + `" has 1 key, fetched in `; status != 0 || !strings.Contains(out, want) {
		t.Errorf("status %d, got\n%s\nwant %s", status, out, want)
	}
}

// TestIssuerWithoutKeys checks that an issuer whose key set is empty is a fault.
func TestIssuerWithoutKeys(t *testing.T) {
	h := newHome(t)
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, server.URL, server.URL+"/keys")
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"keys":[]}`) })

	found, status := h.examine(t, "--trust-issuer", server.URL+",api")
	if status != 1 || len(found) != 1 || found[0].Level != fault || found[0].Check != "trusted issuers" {
		t.Errorf("status %d, found %v", status, found)
	}
}

// TestNothingChanges checks that an installation whose faults a server would mend stays
// as it is.
func TestNothingChanges(t *testing.T) {
	h := newHome(t)
	h.exec(t, `UPDATE authtier_signing_keys SET signs = 0, ends = 4000000000000000`)
	before, err := h.db.SigningKeys(t.Context(), backend.KeySet)
	check0(t, err)
	h.examine(t)
	after, err := h.db.SigningKeys(t.Context(), backend.KeySet)
	if err != nil || len(after) != len(before) {
		t.Errorf("the store had %d signing keys and has %d, %v", len(before), len(after), err)
	}

	check0(t, os.Remove(h.keyFile))
	h.exec(t, `DELETE FROM authtier_signing_keys`)
	h.examine(t)
	if _, err := os.Stat(h.keyFile); !os.IsNotExist(err) {
		t.Errorf("the key file was made: %v", err)
	}
	h.file += ".none"
	h.examine(t)
	if _, err := os.Stat(h.file); !os.IsNotExist(err) {
		t.Errorf("the store was made: %v", err)
	}
}

func TestWrongUsage(t *testing.T) {
	h := newHome(t)
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"output":   {[]string{"--output", "xml"}, "expected text or json"},
		"trust":    {[]string{"--trust-issuer", "example.com"}, "expected https://ISSUER,AUDIENCE"},
		"argument": {[]string{"more"}, "expected no argument"},
		"password": {[]string{"--store", "postgres://u:hunter2@127.0.0.1/x"}, "a password on the command line"},
	} {
		out, stderr, status := run(t, h.args(tt.args...)...)
		if status != 2 || !strings.Contains(stderr, tt.want) || strings.Contains(out+stderr, "hunter2") {
			t.Errorf("%s: got status %d, %s%s", name, status, out, stderr)
		}
	}
}
