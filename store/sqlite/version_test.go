package sqlite_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/sqlite"
)

// newest is the version of a new database.
func newest(t *testing.T) int {
	t.Helper()
	names, err := filepath.Glob("migrations/*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("migrations %v, %v", names, err)
	}
	return len(names)
}

// contents returns the names and contents of the files in the folder of a database.
func contents(t *testing.T, file string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(filepath.Dir(file), e.Name()))
		all.WriteString(e.Name() + "\n" + string(b) + "\n")
		if err != nil && !e.IsDir() {
			t.Fatal(err)
		}
	}
	return all.String()
}

// TestVersion reads the versions of databases of all ages. It must change none of them.
func TestVersion(t *testing.T) {
	known := newest(t)
	for name, tt := range map[string]struct {
		make   func(t *testing.T, file string)
		stored int
	}{
		"an empty file": {func(t *testing.T, file string) { os.WriteFile(file, nil, 0o600) }, 0},
		"no table": {func(t *testing.T, file string) {
			raw(t, file, `PRAGMA application_id = 1635087464`).Close()
		}, 0},
		"new": {func(t *testing.T, file string) { open(t, file).Close() }, known},
		"one version older": {func(t *testing.T, file string) {
			open(t, file).Close()
			raw(t, file, `DELETE FROM authtier_migrations WHERE version = (SELECT max(version) FROM authtier_migrations)`).Close()
		}, known - 1},
		"three versions older": {func(t *testing.T, file string) { older(t, file, known-3).Close() }, known - 3},
		"one version newer": {func(t *testing.T, file string) {
			open(t, file).Close()
			raw(t, file, `INSERT INTO authtier_migrations VALUES (6, '6', '', '')`).Close()
		}, known + 1},
		"two versions newer": {func(t *testing.T, file string) {
			open(t, file).Close()
			raw(t, file, `INSERT INTO authtier_migrations VALUES (6, '6', '', ''), (7, '7', '', '')`).Close()
		}, known + 2},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "a.db")
			tt.make(t, file)
			before := contents(t, file)
			stored, newest, err := sqlite.Version(t.Context(), file)
			if stored != tt.stored || newest != known || err != nil {
				t.Errorf("got %d, %d, %v, want %d, %d", stored, newest, err, tt.stored, known)
			}
			if contents(t, file) != before {
				t.Error("the file was changed, or there are other files")
			}
		})
	}
}

// TestVersionBeside reads the version while the database is in use.
func TestVersionBeside(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.db")
	s := open(t, file)
	write(t, s)
	if stored, known, err := sqlite.Version(t.Context(), file); stored != newest(t) || known != stored || err != nil {
		t.Errorf("got %d, %d, %v", stored, known, err)
	}
	write(t, s)
}

// TestVersionRefuses reads the version of files that are not databases of this package.
func TestVersionRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		make func(t *testing.T, file string)
		want string // in the error
	}{
		"no database": {func(t *testing.T, file string) {
			os.WriteFile(file, bytes.Repeat([]byte("no database\n"), 1000), 0o600)
		}, "not a database"},
		"another program's": {func(t *testing.T, file string) { raw(t, file, `CREATE TABLE cats (name TEXT)`).Close() }, "another program's"},
		"another program's, by its mark": {func(t *testing.T, file string) {
			raw(t, file, `PRAGMA application_id = 1196444487`).Close()
		}, "another program's"},
		"a folder": {func(t *testing.T, file string) { os.Mkdir(file, 0o700) }, "sqlite: Version: "},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "a.db")
			tt.make(t, file)
			before := contents(t, file)
			stored, known, err := sqlite.Version(t.Context(), file)
			if stored != 0 || known != 0 || err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), file) {
				t.Errorf("got %d, %d, %v, want an error that names %s and says %q", stored, known, err, file, tt.want)
			}
			if contents(t, file) != before {
				t.Error("the file was changed")
			}
		})
	}

	for _, file := range []string{"", ":memory:", "file:a.db"} {
		if _, _, err := sqlite.Version(t.Context(), file); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: got %v, want an error about the name", file, err)
		}
	}
	file := filepath.Join(t.TempDir(), "none.db")
	if _, _, err := sqlite.Version(t.Context(), file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: got %v", err)
	}
	if got := contents(t, file); got != "" {
		t.Errorf("a missing file was made: %q", got)
	}
}

// write writes to the database.
func write(t *testing.T, s *sqlite.Store) {
	t.Helper()
	if err := s.Revoke(t.Context(), store.Change{Kind: store.KindToken, ID: "t"}); err != nil {
		t.Fatal(err)
	}
}
