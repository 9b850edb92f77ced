package meter_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/meter"
)

// holes reports whether a file has unallocated blocks.
func holes(fi os.FileInfo) bool { return fi.Sys().(*syscall.Stat_t).Blocks*512 < fi.Size() }

// smallDisk mounts a file system of that size.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size="+size+",mode=700"); err != nil {
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

// TestFullDisk makes counters until the disk is full, which must give an error. Existing
// counters must work on. When there is space again, new ones can be made.
func TestFullDisk(t *testing.T) {
	for _, unmapped := range []bool{false, true} {
		dir := smallDisk(t, "600k")
		m := open(t, dir, memory.New(), meter.Config{Unmapped: unmapped})
		p := product(t, m, "p")
		ballast := filepath.Join(dir, "ballast")
		must(t, os.WriteFile(ballast, make([]byte, 200<<10), 0o600))
		full, made := error(nil), 0
		for ; full == nil && made < 1e5; made++ {
			_, full = p.Counter(day, "iss", clientName(made))
		}
		if full == nil || made < 300 {
			t.Fatalf("got %v after %d counters", full, made)
		}
		for i := range made - 1 {
			use(t, p, clientName(i), 2)
		}
		must(t, m.Flush(t.Context()))
		if n := len(journals(t, dir)); n != 3 {
			t.Errorf("%d files, want 3 and nothing half-made", n)
		}
		must(t, os.Remove(ballast))
		for full != nil { // the meter tries again only after a while
			_, full = p.Counter(day, "iss", clientName(made))
		}
		use(t, p, clientName(made), 2)
		if got := quantities(t, m); len(got) != made || got[clientName(0)+" p"] != 2 || got[clientName(made)+" p"] != 2 {
			t.Errorf("%d clients, want %d", len(got), made)
		}
		must(t, m.Close())
	}
}

// TestReadOnlyFolder opens a folder that cannot be written. Files in it must be recorded,
// and no counters can be made.
func TestReadOnlyFolder(t *testing.T) {
	dir := smallDisk(t, "600k")
	from, _ := left(t, "ab")
	must(t, os.CopyFS(dir, os.DirFS(from)))
	if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, "mode=700"); err != nil {
		t.Fatal(err)
	}
	m := open(t, dir, memory.New(), meter.Config{})
	if _, err := product(t, m, "p").Counter(day, "iss", "a"); err == nil {
		t.Error("a counter in a folder that cannot be written: no error")
	}
	if got := quantities(t, m); got["a p"] != 1 || got["b p"] != 2 {
		t.Errorf("got %v", got)
	}
}
