package sqlite_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestLocksAreKept opens a database a second time in one process. If anything but SQLite
// opened and closed its file, the process would lose its locks. Another program would then
// believe that nobody else uses the database, and remove the log that is still written to.
func TestLocksAreKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.db")
	open(t, file)
	before := locks(t, file)
	if before == 0 {
		t.Fatal("no locks: nothing is tested")
	}
	if err := open(t, file).Close(); err != nil {
		t.Fatal(err)
	}
	if after := locks(t, file); after != before {
		t.Errorf("%d locks after the second opening, want %d", after, before)
	}
}

// locks returns how many locks this process has on the files of a database.
func locks(t *testing.T, file string) (n int) {
	t.Helper()
	all, err := os.ReadFile("/proc/locks")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, file + "-shm"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		inode := fmt.Sprintf(":%d ", info.Sys().(*syscall.Stat_t).Ino)
		for line := range strings.Lines(string(all)) {
			if strings.Contains(line, fmt.Sprintf(" %d ", os.Getpid())) && strings.Contains(line, inode) {
				n++
			}
		}
	}
	return n
}
