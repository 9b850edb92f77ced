package meter_test

import (
	"path/filepath"
	"testing"

	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/meter"
)

// TestNil makes meters and products from the nil values that a constructor returns beside
// an ignored error.
func TestNil(t *testing.T) {
	for what, u := range map[string]store.Usage{"nil": nil, "a nil pointer": (*memory.Store)(nil)} {
		dir := filepath.Join(t.TempDir(), "usage")
		if m, err := meter.Open(t.Context(), dir, u, nil); err == nil || m != nil {
			t.Errorf("Open with %s: got %v, %v", what, m, err)
		}
		if got := journals(t, dir); len(got) != 0 {
			t.Errorf("Open with %s made %q", what, got)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("New with %s: no panic", what)
				}
			}()
			meter.New(u)
		}()
	}

	if p, err := (*meter.Meter)(nil).Product("api", "p", ""); err == nil || p != nil {
		t.Errorf("a product of a nil meter: got %v, %v", p, err)
	}
	for what, p := range map[string]middleware.Meter{"a nil product": (*meter.Product)(nil), "a product of no meter": &meter.Product{}} {
		if add, err := p.Counter(day, "iss", "a"); err == nil || add != nil {
			t.Errorf("%s counts: %v", what, err)
		}
	}
}
