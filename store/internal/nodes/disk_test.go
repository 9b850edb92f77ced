//go:build linux

package nodes

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/services"
	"github.com/authtier/authtier/store/postgres"
	"github.com/authtier/authtier/store/sqlite"
)

// smallDisk mounts a file system of a few megabytes.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "disk")
	must(t, os.Mkdir(dir, 0o777))
	must(t, os.Chmod(dir, 0o777))
	for parent := filepath.Dir(dir); parent != os.TempDir() && parent != "/"; parent = filepath.Dir(parent) {
		must(t, os.Chmod(parent, 0o755)) // the server's user needs access
	}
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=4m,mode=777"); err != nil {
		if os.Getenv("AUTHTIER_REQUIRE_SERVICES") == "1" && os.Getuid() == 0 {
			t.Fatalf("mounting a small disk: %v", err)
		}
		t.Skipf("mounting a small disk: %v", err)
	}
	t.Cleanup(func() {
		eventually(t, 10*time.Second, "unmounted", func() bool { return syscall.Unmount(dir, 0) == nil })
	})
	return dir
}

// TestS01FullDisk writes until the disk is full. Writes must then fail with an error that
// is not an answer, and reads must work. With free space, everything must work again.
func TestS01FullDisk(t *testing.T) {
	for name, tt := range map[string]struct {
		open func(t *testing.T, disk string) store.Store
	}{
		"sqlite": {func(t *testing.T, disk string) store.Store {
			s, err := sqlite.Open(t.Context(), filepath.Join(disk, "a.db"))
			must(t, err)
			t.Cleanup(func() { s.Close() })
			return s
		}},
		"postgres": {func(t *testing.T, disk string) store.Store {
			server := services.Postgres(t)
			services.Give(t, disk)
			server.SQL(t, server.DSN(), `CREATE TABLESPACE small LOCATION '`+disk+`'`)
			dsn := server.DSN() + "&options=-c%20default_tablespace%3Dsmall"
			s, err := postgres.Open(t.Context(), dsn, &postgres.Config{AllowVolatile: true})
			must(t, err)
			t.Cleanup(func() { s.Close() })
			return s
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disk := smallDisk(t)
			ballast := filepath.Join(disk, "ballast")
			must(t, os.WriteFile(ballast, make([]byte, 1<<20), 0o600))
			s := tt.open(t, disk)
			put := func(secret string) error {
				token := refreshToken(secret)
				token.Family, token.Scopes = secret, strings.Repeat("x", 1000)
				return s.PutTokens(t.Context(), token)
			}
			must(t, put("first"))
			full := error(nil)
			for i := 0; full == nil; i++ {
				if i > 10_000 {
					t.Fatal("the disk is never full")
				}
				full = put(strings.Repeat("i", i%7) + time.Now().String())
			}
			if errors.Is(full, store.ErrNotFound) || errors.Is(full, store.ErrReused) || !strings.Contains(full.Error(), "full") && !strings.Contains(full.Error(), "space") {
				t.Errorf("a full disk: got %v", full)
			}
			if _, err := s.Token(t.Context(), store.DigestOf("first")); err != nil {
				t.Errorf("reading from a full disk: %v", err)
			}
			_, err := s.Token(t.Context(), store.DigestOf("unknown"))
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("an unknown token: %v", err)
			}
			must(t, os.Remove(ballast))
			eventually(t, 5*time.Second, "written again", func() bool { return put("again"+time.Now().String()) == nil })
			if _, err := s.Token(t.Context(), store.DigestOf("first")); err != nil {
				t.Error(err)
			}
		})
	}
}
