package admin

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
)

// older makes a store of an old version.
func older(t *testing.T, version int) *box {
	t.Helper()
	b := &box{t: t, file: filepath.Join(t.TempDir(), "auth.db")}
	db := b.raw(`PRAGMA application_id = 1635087464`,
		`CREATE TABLE authtier_migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL, sum TEXT NOT NULL, applied TEXT NOT NULL)`)
	defer db.Close()
	names, err := filepath.Glob("../../../../store/sqlite/migrations/*.sql")
	if err != nil || len(names) <= version {
		t.Fatalf("migrations %v, %v", names, err)
	}
	for n, name := range names[:version] {
		text, err := os.ReadFile(name)
		must(t, err)
		_, err = db.Exec(string(text))
		must(t, err)
		sum := sha256.Sum256(text)
		_, err = db.Exec(`INSERT INTO authtier_migrations VALUES ($1, $2, $3, '')`, n+1, filepath.Base(name), hex.EncodeToString(sum[:]))
		must(t, err)
	}
	return b
}

// raw opens the file without package sqlite, and runs statements.
func (b *box) raw(statements ...string) *sql.DB {
	b.t.Helper()
	db, err := sql.Open("sqlite", b.file)
	must(b.t, err)
	b.t.Cleanup(func() { db.Close() })
	for _, s := range statements {
		_, err := db.Exec(s)
		must(b.t, err)
	}
	return db
}

// TestMigrate brings an older store to the newest version.
func TestMigrate(t *testing.T) {
	b := older(t, 3)
	before, err := os.ReadFile(b.file)
	must(t, err)
	if v := b.json("migrate", "status"); v["stored"] != 3.0 || v["known"] != 5.0 || v["state"] != "older" {
		t.Errorf("status of an older store: %v", v)
	}
	b.fails(1, "authtier migrate up", "client", "list")
	if after, err := os.ReadFile(b.file); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the store was changed: %v", err)
	}

	if v := b.json("migrate", "up"); v["stored"] != 5.0 || v["state"] != "current" {
		t.Errorf("up: %v", v)
	}
	if v := b.json("migrate", "status"); v["stored"] != 5.0 || v["state"] != "current" {
		t.Errorf("status afterwards: %v", v)
	}
	b.ok("client", "list")
}

// TestMigrateNewer shows stores of newer versions.
func TestMigrateNewer(t *testing.T) {
	b := newBox(t)
	b.raw(`INSERT INTO authtier_migrations VALUES (6, 'x', 'x', '')`).Close()
	if v := b.json("migrate", "status"); v["stored"] != 6.0 || v["state"] != "newer" {
		t.Errorf("one version newer: %v", v)
	}
	if v := b.json("migrate", "up"); v["stored"] != 6.0 || v["state"] != "newer" {
		t.Errorf("up, one version newer: %v", v)
	}
	b.raw(`INSERT INTO authtier_migrations VALUES (7, 'x', 'x', '')`).Close()
	if v := b.json("migrate", "status"); v["stored"] != 7.0 || v["state"] != "too_new" {
		t.Errorf("two versions newer: %v", v)
	}
	b.fails(1, "run a newer authtier", "migrate", "up")
}
