package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestFaultsFit checks that every fault still fits the source, and that there are at
// least forty.
func TestFaultsFit(t *testing.T) {
	if len(faults) < 40 {
		t.Errorf("%d faults, want at least 40", len(faults))
	}
	names := map[string]bool{}
	for _, f := range faults {
		code, err := os.ReadFile(filepath.Join("../..", f.file))
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := f.apply(string(code)); err != nil || f.old == f.new || names[f.name] {
			t.Errorf("%s: %v, or named twice, or no fault", f.name, err)
		}
		names[f.name] = true
	}
}
