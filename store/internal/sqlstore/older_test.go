package sqlstore_test

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/services"
	"github.com/authtier/authtier/store/postgres"
	"github.com/authtier/authtier/store/sqlite"
)

// previous is the version of the database of the previous program.
const previous = 4

// oldNames are names that older programs stored, and that are invalid today.
var oldNames = []string{strings.Repeat("x", 64<<10), strings.Repeat("x", 64<<10) + "y", "a\x00b", "a\nb", "\xff\xfe", "\x01"}

// An old is a database of the previous program.
type old struct {
	*sql.DB
	t    *testing.T
	open func() store.Store
}

func (o *old) exec(query string, args ...any) {
	o.t.Helper()
	if _, err := o.Exec(query, args...); err != nil {
		o.t.Fatalf("%.200s: %v", query, err)
	}
}

// make runs the migrations of the previous program.
func (o *old) make(folder string) {
	o.t.Helper()
	o.exec(`CREATE TABLE authtier_migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL, sum TEXT NOT NULL, applied TEXT NOT NULL)`)
	names, err := filepath.Glob(filepath.Join(folder, "*.sql"))
	if err != nil || len(names) <= previous {
		o.t.Fatalf("migrations %v, %v", names, err)
	}
	for i, name := range names[:previous] {
		text, err := os.ReadFile(name)
		if err != nil {
			o.t.Fatal(err)
		}
		for statement := range strings.SplitSeq(string(text), ";\n") {
			if strings.TrimSpace(statement) != "" {
				o.exec(statement)
			}
		}
		sum := sha256.Sum256(text)
		o.exec(`INSERT INTO authtier_migrations VALUES ($1, $2, $3, '')`, i+1, filepath.Base(name), hex.EncodeToString(sum[:]))
	}
}

// These are the statements of the previous program.

func (o *old) putClient(id string, disabled int, lists string) {
	o.t.Helper()
	o.exec(`INSERT INTO authtier_clients (id_key, id, version, disabled, lists) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (id_key) DO UPDATE SET version = excluded.version, disabled = excluded.disabled, lists = excluded.lists`,
		key(id), []byte(id), 1, disabled, []byte(lists))
}

func (o *old) putUser(login, password, first string) {
	o.t.Helper()
	o.exec(`INSERT INTO authtier_users (login_key, login, version, disabled, password, first, last, lang)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (login_key) DO UPDATE SET version = excluded.version, disabled = excluded.disabled,
			password = excluded.password, first = excluded.first, last = excluded.last, lang = excluded.lang`,
		key(login), []byte(login), 1, 0, []byte(password), []byte(first), []byte{}, []byte{})
}

func (o *old) putAPIKey(id, client string) {
	o.t.Helper()
	d := store.DigestOf(id)
	o.exec(`DELETE FROM authtier_api_keys WHERE id_key = $1`, key(id))
	o.exec(`INSERT INTO authtier_api_keys (id_key, id, digest, client_key, client, scopes, created, expires, last_used)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		key(id), []byte(id), d[:], key(client), []byte(client), []byte(`["a"]`), 0, 0, 0)
}

func key(name string) []byte {
	sum := sha256.Sum256([]byte(name))
	return sum[:]
}

func forEach(t *testing.T, test func(t *testing.T, o *old)) {
	t.Run("sqlite", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "a.db")
		o := &old{DB: database(t, "sqlite", file), t: t}
		o.exec(fmt.Sprintf(`PRAGMA application_id = %d`, 0x61757468))
		o.make("../../sqlite/migrations")
		o.open = func() store.Store {
			s, err := sqlite.Open(t.Context(), file)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return s
		}
		test(t, o)
	})
	t.Run("postgres", func(t *testing.T) {
		dsn := services.SharedPostgres(t).Database(t, "")
		o := &old{DB: database(t, "pgx", dsn), t: t}
		o.make("../../postgres/migrations")
		o.open = func() store.Store {
			s, err := postgres.Open(t.Context(), dsn, &postgres.Config{AllowVolatile: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return s
		}
		test(t, o)
	})
}

func database(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestOldNames migrates records that could not be created today. It must be possible to
// read, list, disable, revoke and delete them.
func TestOldNames(t *testing.T) {
	forEach(t, func(t *testing.T, o *old) {
		ctx := t.Context()
		const lists = `{"Secrets":null,"Scopes":["a b",""],"Default":["none of them"],"Grants":["no grant"]}`
		for _, name := range oldNames {
			o.putClient(name, 0, lists)
			o.putUser(name, "plain", "First\x00")
			o.putAPIKey(name, name)
		}
		s := o.open()
		want := slices.Sorted(slices.Values(oldNames))
		wantNames(t, s, want)

		for _, name := range want {
			must(t, s.UpdateClient(ctx, name, func(c *store.Client) error { c.Disabled = true; return nil }))
			must(t, s.UpdateUser(ctx, name, func(u *store.User) error { u.Disabled = true; return nil }))
			must(t, s.UpdateAPIKey(ctx, name, func(k *store.APIKey) error { k.Expires = time.Unix(1, 0); return nil }))
			c, err := s.Client(ctx, name)
			must(t, err)
			u, err := s.User(ctx, name)
			must(t, err)
			k, err := s.APIKey(ctx, store.DigestOf(name))
			must(t, err)
			if !c.Disabled || c.Version < 2 || !slices.Equal(c.Scopes, []string{"a b", ""}) || c.Grants[0] != "no grant" {
				t.Errorf("client %.20q: got %.200v", name, c)
			}
			if !u.Disabled || u.Version < 2 || u.Password != "plain" || u.First != "First\x00" || u.LimitScopes || len(u.Scopes) > 0 {
				t.Errorf("user %.20q: got %.200v", name, u)
			}
			if !k.Expires.Equal(time.Unix(1, 0)) || k.Client != name || k.Name+k.Owner != "" || len(k.Addrs) > 0 {
				t.Errorf("API key %.20q: got %.200v", name, k)
			}
			must(t, s.SetPassword(ctx, name, ""))
			must(t, s.ReplaceSecrets(ctx, name, store.Secret{ID: "s", Digest: store.DigestOf("s")}, time.Now()))
		}
		wantNames(t, s, want)

		for i, name := range want {
			must(t, s.Revoke(ctx, store.Change{Kind: store.KindAPIKey, ID: name}, store.Change{Kind: store.KindUser, ID: name}))
			must(t, s.DeleteUser(ctx, name))
			must(t, s.DeleteClient(ctx, name))
			wantNames(t, s, want[i+1:])
		}
	})
}

// wantNames reads the names of all records in pages of one record.
func wantNames(t *testing.T, s store.Store, want []string) {
	t.Helper()
	ctx := t.Context()
	for what, next := range map[string]func(after string) (string, error){
		"clients": func(after string) (string, error) {
			cs, err := s.ListClients(ctx, after, 1)
			return (append(cs, store.Client{}))[0].ID, err
		},
		"users": func(after string) (string, error) {
			us, err := s.ListUsers(ctx, after, 1)
			return (append(us, store.User{}))[0].Login, err
		},
		"API keys": func(after string) (string, error) {
			ks, err := s.ListAPIKeys(ctx, "", after, 1)
			return (append(ks, store.APIKey{}))[0].ID, err
		},
	} {
		var got []string
		name, err := next("")
		for ; name != "" && len(got) <= len(want); name, err = next(name) {
			got = append(got, name)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %.20q, %v, want %.20q", what, got, err, want)
		}
	}
}

// TestPreviousVersionRunsOn lets the previous program write records of this program, and
// read the others.
func TestPreviousVersionRunsOn(t *testing.T) {
	forEach(t, func(t *testing.T, o *old) {
		ctx := t.Context()
		o.putClient("c", 0, `{"Secrets":null,"Scopes":["a"]}`)
		o.putUser("u", "", "F")
		o.putAPIKey("k", "c")
		s := o.open()
		must(t, s.UpdateUser(ctx, "u", func(u *store.User) error { u.LimitScopes, u.Scopes = true, []string{"a"}; return nil }))
		must(t, s.CreateAPIKeys(ctx, store.APIKey{ID: "new", Client: "c", Owner: "u", Digest: store.DigestOf("new")}))

		o.putClient("c", 1, `{"Secrets":null,"Scopes":["b"]}`)
		o.putUser("u", "hash", "G")
		o.putUser("v", "", "")
		o.putAPIKey("k", "c")
		o.putAPIKey("k2", "c")
		if u, err := s.User(ctx, "u"); err != nil || u.First != "G" || !u.LimitScopes || !slices.Equal(u.Scopes, []string{"a"}) {
			t.Errorf("user written beside: got %+v, %v, want the limit kept", u, err)
		}
		if v, err := s.User(ctx, "v"); err != nil || v.LimitScopes || len(v.Scopes) > 0 {
			t.Errorf("user made beside: got %+v, %v, want no limit", v, err)
		}
		if c, err := s.Client(ctx, "c"); err != nil || !c.Disabled || !slices.Equal(c.Scopes, []string{"b"}) {
			t.Errorf("client written beside: got %+v, %v", c, err)
		}
		ks, err := s.ListAPIKeys(ctx, "c", "", 9)
		must(t, err)
		if len(ks) != 3 || ks[0].Owner+ks[1].Owner != "" || ks[2].Owner != "u" {
			t.Errorf("API keys: got %+v, want k and k2 without an owner, and new with one", ks)
		}

		var first, scopes []byte
		must(t, o.QueryRow(`SELECT first FROM authtier_users WHERE login_key = $1`, key("u")).Scan(&first))
		must(t, o.QueryRow(`SELECT scopes FROM authtier_api_keys WHERE digest = $1`, digest("new")).Scan(&scopes))
		if string(first) != "G" || string(scopes) != "null" {
			t.Errorf("read by the previous program: %q and %q", first, scopes)
		}
	})
}

func digest(secret string) []byte {
	d := store.DigestOf(secret)
	return d[:]
}

// TestUpdateSeesThePreviousVersion changes a record with a statement of the previous
// program during an update. The update must begin again.
func TestUpdateSeesThePreviousVersion(t *testing.T) {
	forEach(t, func(t *testing.T, o *old) {
		ctx := t.Context()
		o.putClient("c", 0, `{"Secrets":null,"Scopes":["a"]}`)
		s := o.open()
		calls := 0
		must(t, s.UpdateClient(ctx, "c", func(c *store.Client) error {
			if calls++; calls == 1 {
				o.putClient("c", 0, `{"Secrets":null,"Scopes":["a","b"]}`)
			}
			c.Default = []string{"a"}
			return nil
		}))
		c, err := s.Client(ctx, "c")
		if err != nil || calls != 2 || !slices.Equal(c.Scopes, []string{"a", "b"}) || !slices.Equal(c.Default, []string{"a"}) {
			t.Errorf("got %+v, %v after %d calls, want the scopes of the other program", c, err, calls)
		}

		err = s.UpdateClient(ctx, "c", func(c *store.Client) error {
			calls++
			o.putClient("c", 0, fmt.Sprintf(`{"Secrets":null,"Scopes":["a","%d"]}`, calls))
			c.Disabled = true
			return nil
		})
		if !errors.Is(err, store.ErrConflict) || calls != 18 {
			t.Errorf("a record that keeps changing: got %v after %d calls, want %v after 16 more", err, calls, store.ErrConflict)
		}
	})
}
