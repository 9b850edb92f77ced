package sqlite_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authtier/authtier/store/sqlite"
)

// TestOpenErrors opens names that are no files of a database. The error must name all
// faults, and nothing may be made.
func TestOpenErrors(t *testing.T) {
	t.Chdir(t.TempDir())
	const here = "plain"
	if err := os.WriteFile(here, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	var noContext context.Context
	ended, end := context.WithCancel(t.Context())
	end()
	for name, tt := range map[string]struct {
		ctx   context.Context
		file  string
		wants []string
	}{
		"nothing":             {noContext, "", []string{"sqlite: Open: nil Context", `file is ""`}},
		"a blank":             {t.Context(), " ", []string{"sqlite: Open: ", `file is " "`}},
		"a line's end":        {t.Context(), "\n", []string{"sqlite: Open: ", `file is "\n"`}},
		"in memory":           {t.Context(), ":memory:", []string{`file is ":memory:"`}},
		"a URI":               {noContext, "file:a.db", []string{"nil Context", `file is "file:a.db"`}},
		"a folder":            {t.Context(), ".", []string{"is a directory"}},
		"a folder's name":     {t.Context(), "x/", []string{"sqlite: ", "is a directory"}},
		"a file as folder":    {t.Context(), filepath.Join(here, "a.db"), []string{"not a directory"}},
		"no folder":           {t.Context(), filepath.Join("x", "a.db"), []string{"no such file"}},
		"NUL":                 {t.Context(), "a\x00b", []string{"invalid argument"}},
		"a device":            {t.Context(), os.DevNull, []string{"opening the database"}},
		"a context that ends": {ended, "ended.db", []string{"canceled"}},
	} {
		s, err := sqlite.Open(tt.ctx, tt.file)
		if err == nil {
			s.Close()
			t.Errorf("%s: opened", name)
			continue
		}
		for _, want := range tt.wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %q, want %q in it", name, err, want)
			}
		}
	}
	if _, err := sqlite.Open(ended, "ended.db"); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: got %v", err)
	}
	entries, err := os.ReadDir(".")
	for _, e := range entries {
		if name := e.Name(); name != here && !strings.HasPrefix(name, "ended.db") {
			t.Errorf("%q was made", name)
		}
	}
	if err != nil {
		t.Error(err)
	}
}
