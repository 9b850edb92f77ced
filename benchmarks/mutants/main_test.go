package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestFaultsFit wants each fault to be still there to be planted, and forty of
// them.
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
