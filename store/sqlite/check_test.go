package sqlite_test

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/sqlite"
)

// TestCheck overwrites a page of the file. Check finds that, also while the store is open,
// and finds nothing before.
func TestCheck(t *testing.T) {
	file := filepath.Join(t.TempDir(), "auth.db")
	db, err := sqlite.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.CreateClient(t.Context(), store.Client{ID: "acme"}); err != nil {
		t.Fatal(err)
	}
	if err := db.Check(t.Context()); err != nil {
		t.Errorf("an intact file: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	raw, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	var page int64
	if err := raw.QueryRow(`SELECT rootpage FROM sqlite_schema WHERE name = 'authtier_clients'`).Scan(&page); err != nil {
		t.Fatal(err)
	}
	raw.Close()
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xa5}, 4096), (page-1)*4096); err != nil {
		t.Fatal(err)
	}

	db, err = sqlite.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Check(t.Context()); !errors.Is(err, sqlite.ErrDamaged) || !strings.Contains(err.Error(), file) {
		t.Errorf("a damaged file: %v", err)
	}
}
