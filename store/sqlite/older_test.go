package sqlite_test

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

// older makes the database of an old version of the program.
func older(t *testing.T, file string, version int) *sql.DB {
	t.Helper()
	db := raw(t, file, fmt.Sprintf(`PRAGMA application_id = %d`, 0x61757468),
		`CREATE TABLE authtier_migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL, sum TEXT NOT NULL, applied TEXT NOT NULL)`)
	names, err := filepath.Glob("migrations/*.sql")
	if err != nil || len(names) <= version {
		t.Fatalf("migrations %v, %v", names, err)
	}
	for i, name := range names[:version] {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(string(text)); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(text)
		_, err = db.Exec(`INSERT INTO authtier_migrations VALUES ($1, $2, $3, '')`, i+1, filepath.Base(name), hex.EncodeToString(sum[:]))
		if err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// key returns the key by which a name is looked up.
func key(name string) []byte {
	sum := sha256.Sum256([]byte(name))
	return sum[:]
}

// TestOlderRecords migrates records from before secrets had IDs and first uses had a time.
// An old program then writes to the same database.
func TestOlderRecords(t *testing.T) {
	ctx, file := t.Context(), filepath.Join(t.TempDir(), "a.db")
	db := older(t, file, 2)
	d := store.DigestOf("one")
	exec := func(query string, args ...any) {
		t.Helper()
		if _, err := db.Exec(query, args...); err != nil {
			t.Fatal(err)
		}
	}
	putClient := func(lists string) {
		t.Helper()
		exec(`INSERT INTO authtier_clients (id_key, id, version, disabled, lists) VALUES ($1, $2, 1, 0, $3)
			ON CONFLICT (id_key) DO UPDATE SET version = excluded.version, disabled = excluded.disabled, lists = excluded.lists`,
			key("c"), []byte("c"), []byte(lists))
	}
	putClient(`{"Secrets":[{"Digest":"/////////////////////////////////////////w8=","Expires":0}],"Scopes":["a"],"Default":null,"Grants":null}`)
	putKey := `INSERT INTO authtier_api_keys (id_key, id, digest, client_key, client, scopes, expires) VALUES ($1, $2, $3, $4, $5, $6, 0)`
	exec(putKey, key("k"), []byte("k"), d[:], key("c"), []byte("c"), []byte(`["a"]`))
	putToken := func(secret, family string, used int) {
		t.Helper()
		d := store.DigestOf(secret)
		exec(`INSERT INTO authtier_tokens (digest, id_key, id, family_key, family, client, login, audience, scopes,
			refresh, used, client_version, user_version, issued, expires, family_ends, droppable)
			VALUES ($1, $2, $3, $4, $5, $6, x'', x'', x'', 1, $7, 1, 1, 0, $8, $8, $8)`,
			d[:], key(secret), []byte(secret), key(family), []byte(family), []byte("c"), used, time.Now().Add(time.Hour).UnixMicro())
	}
	putToken("used", "f", 1)
	putToken("unused", "g", 0)

	s, now := open(t, file), time.Now().UTC().Truncate(time.Second)
	putToken("beside", "h", 0)
	exec(`UPDATE authtier_tokens SET used = 1 WHERE id = $1`, []byte("beside"))
	for secret, want := range map[string]error{"used": store.ErrReused, "unused": nil, "beside": store.ErrReused} {
		if got, err := s.Token(ctx, store.DigestOf(secret)); err != nil || got.Used != (want != nil) || !got.UsedAt.IsZero() {
			t.Errorf("token %s: got %+v, %v", secret, got, err)
		}
		if err := s.RotateRefreshToken(ctx, store.DigestOf(secret), "c", now, time.Minute); !errors.Is(err, want) {
			t.Errorf("token %s, with a grace: got %v, want %v", secret, err, want)
		}
	}
	c, err := s.Client(ctx, "c")
	if err != nil || len(c.Secrets) != 1 || c.Secrets[0].ID != "" || !c.Secrets[0].Expires.IsZero() {
		t.Errorf("client: got %+v, %v", c, err)
	}
	if k, err := s.APIKey(ctx, d); err != nil || k.ID != "k" || !k.Created.IsZero() {
		t.Errorf("API key: got %+v, %v", k, err)
	}
	for _, err := range []error{
		s.ReplaceSecrets(ctx, "c", store.Secret{ID: "s", Digest: d}, now.Add(time.Hour)),
		s.Touch(ctx, store.Use{ID: "k", At: now}, store.Use{Client: "c", At: now}, store.Use{Client: "c", ID: "s", At: now}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if k, err := s.APIKeyByID(ctx, "k"); err != nil || !k.LastUsed.Equal(now) {
		t.Errorf("API key used: got %+v, %v", k, err)
	}
	if secrets, err := s.SecretsOf(ctx, "c"); err != nil || len(secrets) != 2 || !secrets[0].LastUsed.IsZero() || !secrets[1].LastUsed.Equal(now) {
		t.Errorf("secrets: got %+v, %v", secrets, err)
	}
	two := store.DigestOf("two")
	exec(putKey, key("k2"), []byte("k2"), two[:], key("c"), []byte("c"), []byte(`null`))
	putClient(`{"Secrets":null}`)
	if k, err := s.APIKeyByID(ctx, "k2"); err != nil || !k.LastUsed.IsZero() {
		t.Errorf("API key written beside: got %+v, %v", k, err)
	}
	if secrets, err := s.SecretsOf(ctx, "c"); err != nil || len(secrets) != 0 {
		t.Errorf("client written beside: got %+v, %v", secrets, err)
	}
}
