package meter_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store/memory"
)

// anybody accepts every credential.
type anybody struct{}

func (anybody) Validate(context.Context, middleware.Credential) (*middleware.Identity, error) {
	return &middleware.Identity{Client: "a", Issuer: "iss"}, nil
}

// TestRequestAfterClose makes a request after the meter was closed. It must be refused
// with AUTH-8, and not served without being counted.
func TestRequestAfterClose(t *testing.T) {
	for name, newMeter := range newMeters {
		m := newMeter(t, memory.New())
		served := 0
		h := middleware.Chain(middleware.APIKey(anybody{}, nil), middleware.Usage(product(t, m, "p"), nil))(
			http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served++ }))
		get := func() *httptest.ResponseRecorder {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("X-API-Key", "k")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w
		}
		if w := get(); w.Code != http.StatusOK || served != 1 {
			t.Fatalf("%s: before Close: got %d %s", name, w.Code, w.Body)
		}
		must(t, m.Close())
		if w := get(); !strings.Contains(w.Body.String(), "AUTH-8") || served != 1 {
			t.Errorf("%s: after Close: got %d %s, served %d, want AUTH-8", name, w.Code, w.Body, served)
		}
	}
}
