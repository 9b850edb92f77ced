package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRun(t *testing.T) {
	for kind, dsn := range map[string]string{"memory": "", "sqlite": filepath.Join(t.TempDir(), "a.db")} {
		var out strings.Builder
		if err := run(t.Context(), &out, kind, dsn, 100, 0, 10*time.Millisecond); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if !strings.Contains(out.String(), "64 refreshes at once") {
			t.Errorf("%s wrote\n%s", kind, out.String())
		}
	}
	if err := run(t.Context(), &strings.Builder{}, "none", "", 100, 0, time.Second); err == nil {
		t.Error("an unknown store: accepted")
	}
}
