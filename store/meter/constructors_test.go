package meter_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/meter"
)

// TestOpenErrors passes invalid arguments. The error must name all of them.
func TestOpenErrors(t *testing.T) {
	var noContext context.Context
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	dangling := filepath.Join(dir, "dangling")
	must(t, os.Symlink(filepath.Join(dir, "nowhere"), dangling))
	for name, tt := range map[string]struct {
		ctx   context.Context
		dir   string
		u     store.Usage
		cfg   *meter.Config
		wants []string
	}{
		"nothing":          {noContext, "", nil, nil, []string{"nil Context", "dir is empty", "nil store.Usage"}},
		"everything":       {noContext, "", (*memory.Store)(nil), &meter.Config{MaxBytes: -1 << 63}, []string{"nil Context", "dir is empty", "nil store.Usage", "MaxBytes is -9223372036854775808"}},
		"less than a file": {t.Context(), filepath.Join(dir, "a"), memory.New(), &meter.Config{MaxBytes: 64<<10 - 1}, []string{"MaxBytes is 65535"}},
		"a file":           {t.Context(), file, memory.New(), nil, []string{file, "not a directory"}},
		"below a file":     {t.Context(), filepath.Join(file, "a"), memory.New(), nil, []string{file, "not a directory"}},
		"no parent":        {t.Context(), filepath.Join(dir, "x", "y"), memory.New(), nil, []string{"no such file"}},
		"a dangling link":  {t.Context(), dangling, memory.New(), nil, []string{"no such file"}},
		"NUL":              {t.Context(), "a\x00b", memory.New(), nil, []string{"invalid argument"}},
		"a device":         {t.Context(), os.DevNull, memory.New(), nil, []string{"not a directory"}},
	} {
		m, err := meter.Open(tt.ctx, tt.dir, tt.u, tt.cfg)
		if err == nil || m != nil || !strings.HasPrefix(err.Error(), "meter: Open: ") {
			t.Errorf("%s: got %v, %v", name, m, err)
			continue
		}
		for _, want := range tt.wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %q, want %q in it", name, err, want)
			}
		}
	}
}

// TestNewPanics passes no store. The panic must name the function.
func TestNewPanics(t *testing.T) {
	for name, u := range map[string]store.Usage{"nil": nil, "a nil pointer": (*memory.Store)(nil)} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); got != "meter: New: nil store.Usage" {
					t.Errorf("%s: got the panic %q", name, got)
				}
			}()
			meter.New(u)
		}()
	}
}

// TestProductErrors passes invalid names, to meters that New has not made. The error
// must name all faults.
func TestProductErrors(t *testing.T) {
	whole := meter.New(memory.New())
	defer whole.Close()
	for name, tt := range map[string]struct {
		m                *meter.Meter
		api, name, label string
		wants            []string
	}{
		"nothing":    {nil, "", "", "", []string{"does not come from New or Open", "neither may be empty"}},
		"a zero one": {&meter.Meter{}, "maps", "tile", "", []string{"does not come from New or Open"}},
		"everything": {&meter.Meter{}, "", "\xff", "a\x00" + strings.Repeat("x", 4096), []string{
			"does not come from New or Open", "neither may be empty", "bytes, 4070 at most", `name "\xff" is not UTF-8`, `name "a\x00`}},
		"no API": {whole, "", "tile", "", []string{`product "tile" of API ""`}},
	} {
		p, err := tt.m.Product(tt.api, tt.name, tt.label)
		if err == nil || p != nil || !strings.HasPrefix(err.Error(), "meter: ") {
			t.Errorf("%s: got %v, %v", name, p, err)
			continue
		}
		for _, want := range tt.wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %q, want %q in it", name, err, want)
			}
		}
	}
}
