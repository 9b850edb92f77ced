package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/sqlite"
	"github.com/authtier/authtier/store/storetest"
)

func open(t *testing.T, file string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), file)
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
