package meter_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/meter"
)

// mapped reports whether the process has mapped files of a folder.
func mapped(t *testing.T, dir string) bool {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	must(t, err)
	return strings.Contains(string(maps), dir)
}

// TestUnmapping checks that memory stays mapped as long as a counter can be reached, even
// after the meter is closed and the file is gone. After that it must be unmapped.
func TestUnmapping(t *testing.T) {
	parent, err := os.MkdirTemp("/dev/shm", "meter") // a tmpfs, whose files are mapped
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(parent) })
	dir := filepath.Join(parent, "usage")
	m, err := meter.Open(t.Context(), dir, memory.New(), nil)
	must(t, err)
	add := adder(t, product(t, m, "p"), "a")
	if !mapped(t, dir) {
		t.Fatal("the journal is not mapped")
	}
	must(t, m.Close())
	must(t, os.RemoveAll(dir))
	m = nil
	for range 5 {
		runtime.GC()
		if err := add(1); !errors.Is(err, meter.ErrClosed) {
			t.Fatalf("got %v", err)
		}
	}
	add = nil
	for deadline := time.Now().Add(10 * time.Second); mapped(t, dir); runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatal("nobody can reach the memory, and it is still mapped")
		}
		time.Sleep(time.Millisecond)
	}
}
