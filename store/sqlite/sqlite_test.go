package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/sqlite"
	"github.com/authtier/authtier/store/storetest"
)

func open(t *testing.T, file string) *sqlite.Store {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel() // the context bounds the opening alone
	s, err := sqlite.Open(ctx, file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, filepath.Join(t.TempDir(), "a b?.db")) })
}

func TestShared(t *testing.T) {
	storetest.RunShared(t, func(t *testing.T) (a, b store.Store) {
		file := filepath.Join(t.TempDir(), "a.db")
		return open(t, file), open(t, file)
	})
}

// raw opens the file without this package, and runs statements.
func raw(t *testing.T, file string, statements ...string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return db
}

func TestS02OpenRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		make func(t *testing.T, file string)
		want string // in the error
	}{
		"no database": {func(t *testing.T, file string) {
			os.WriteFile(file, bytes.Repeat([]byte("no database\n"), 1000), 0o600)
		}, "not a database"},
		"another program's": {func(t *testing.T, file string) {
			raw(t, file, `CREATE TABLE cats (name TEXT)`)
		}, "another program's"},
		"another program's, by its mark": {func(t *testing.T, file string) {
			raw(t, file, `PRAGMA application_id = 1196444487`)
		}, "another program's"},
		"two versions newer": {func(t *testing.T, file string) {
			open(t, file)
			raw(t, file, `INSERT INTO authtier_migrations VALUES (6, '6', '', ''), (7, '7', '', '')`)
		}, "at most one newer"},
		"a migration that was changed": {func(t *testing.T, file string) {
			open(t, file)
			raw(t, file, `UPDATE authtier_migrations SET sum = 'x' WHERE version = 1`)
		}, "0001_records.sql differs"},
		"corrupt": {func(t *testing.T, file string) {
			open(t, file).Close()
			b, _ := os.ReadFile(file)
			for i := 100; i < len(b); i++ {
				b[i] = 0xaa
			}
			os.WriteFile(file, b, 0o600)
		}, "malformed"},
		"a folder": {func(t *testing.T, file string) { os.Mkdir(file, 0o700) }, "is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "a.db")
			tt.make(t, file)
			before, _ := os.ReadFile(file)
			s, err := sqlite.Open(t.Context(), file)
			if err == nil {
				s.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), file) {
				t.Errorf("got %v, want one that names %s and says %q", err, file, tt.want)
			}
			if after, _ := os.ReadFile(file); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
	for _, file := range []string{"", ":memory:", "file:a.db", filepath.Join(t.TempDir(), "none", "a.db")} {
		if _, err := sqlite.Open(t.Context(), file); err == nil {
			t.Errorf("%q: opened", file)
		}
	}
}

// TestS02OneVersionNewer opens a database to which a newer program has added a table.
func TestS02OneVersionNewer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.db")
	open(t, file)
	raw(t, file, `INSERT INTO authtier_migrations VALUES (6, '0006_more.sql', 'x', '')`, `CREATE TABLE authtier_more (x)`)
	if err := open(t, file).CreateClient(t.Context(), store.Client{ID: "c"}); err != nil {
		t.Error(err)
	}
}

func TestFileIsPrivate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.db")
	open(t, file)
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(file + suffix)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got %v, %v, want mode 600", suffix, info.Mode(), err)
		}
	}
}

// TestS01Locked locks the file as another process would. Writes must soon fail with an
// error that is not an answer. Reads must work, and so must writes afterwards.
func TestS01Locked(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.db")
	s, other := open(t, file), raw(t, file)
	token := store.Token{ID: "t", Family: "f", Client: "c", Digest: store.DigestOf("t"), Refresh: true, Expires: time.Now().Add(time.Hour)}
	next := token
	next.ID, next.Digest = "next", store.DigestOf("next")
	if err := s.PutTokens(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Exec(`BEGIN EXCLUSIVE`); err != nil {
		t.Fatal(err)
	}
	for what, call := range map[string]func() error{
		"PutTokens": func() error { return s.PutTokens(t.Context(), next) },
		"Rotate":    func() error { return s.RotateRefreshToken(t.Context(), token.Digest, "c", time.Now(), 0) },
		"Revoke":    func() error { return s.Revoke(t.Context(), store.Change{Kind: store.KindFamily, ID: "f"}) },
	} {
		began := time.Now()
		if err := call(); err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrReused) {
			t.Errorf("%s: got %v", what, err)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%s took %v, want at most two seconds", what, took)
		}
	}
	if r, err := s.Token(t.Context(), token.Digest); err != nil || r.Used {
		t.Errorf("reading: got %+v, %v", r, err)
	}
	if _, err := other.Exec(`ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	if err := s.RotateRefreshToken(t.Context(), token.Digest, "c", time.Now(), 0, next); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
