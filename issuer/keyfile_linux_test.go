package issuer_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store/memory"
)

// smallDisk mounts a file system of 64 KiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=64k,mode=700"); err != nil {
		if os.Getenv("AUTHTIER_REQUIRE_SERVICES") == "1" && os.Getuid() == 0 {
			t.Fatalf("mounting a small disk: %v", err)
		}
		t.Skipf("mounting a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func remount(t *testing.T, dir string, flags uintptr) {
	t.Helper()
	must(t, syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT|flags, "mode=700"))
}

// TestKeyFileOnAReadOnlyDisk opens without a key file, and with one. Only the second
// works.
func TestKeyFileOnAReadOnlyDisk(t *testing.T) {
	dir := smallDisk(t)
	db, file := memory.New(), filepath.Join(dir, "auth.key")
	remount(t, dir, syscall.MS_RDONLY)
	err := openWith(t, db, issuer.Config{KeyFile: file})
	if !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), file) || signingKeys(t, db) != 0 {
		t.Errorf("without a file: got %v, and %d signing keys", err, signingKeys(t, db))
	}

	remount(t, dir, 0)
	must(t, os.WriteFile(file, []byte(keyText), 0o400))
	remount(t, dir, syscall.MS_RDONLY)
	for range 2 {
		if err := openWith(t, db, issuer.Config{KeyFile: file}); err != nil || signingKeys(t, db) != 1 {
			t.Errorf("with a file: got %v, and %d signing keys", err, signingKeys(t, db))
		}
	}
}

// TestKeyFileOnAFullDisk opens without space for the file, and then with space. The
// first must leave nothing behind.
func TestKeyFileOnAFullDisk(t *testing.T) {
	dir := smallDisk(t)
	db, file, ballast := memory.New(), filepath.Join(dir, "auth.key"), filepath.Join(dir, "ballast")
	must(t, os.WriteFile(ballast, make([]byte, 64<<10), 0o600))
	err := openWith(t, db, issuer.Config{KeyFile: file})
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), file) || signingKeys(t, db) != 0 {
		t.Errorf("full: got %v, and %d signing keys", err, signingKeys(t, db))
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("full: in the folder: %v, %v", entries, err)
	}

	must(t, os.Remove(ballast))
	must(t, openWith(t, db, issuer.Config{KeyFile: file}))
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
}

// TestKeyFileInAFolderOfOthers opens as a user who cannot write to the folder.
func TestKeyFileInAFolderOfOthers(t *testing.T) {
	dir, db := t.TempDir(), memory.New()
	must(t, os.Chmod(dir, 0o500))
	if os.Geteuid() == 0 {
		// Root can write to every folder, so this thread uses files as another user.
		const nobody = 65534
		must(t, os.Chmod(filepath.Dir(dir), 0o755))
		must(t, os.Chmod(dir, 0o755))
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		must(t, syscall.Setfsuid(nobody))
		defer syscall.Setfsuid(0)
	}

	err := openWith(t, db, issuer.Config{KeyFile: filepath.Join(dir, "auth.key")})
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), dir) || signingKeys(t, db) != 0 {
		t.Errorf("got %v, and %d signing keys", err, signingKeys(t, db))
	}
}
