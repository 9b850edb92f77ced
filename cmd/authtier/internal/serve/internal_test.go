package serve

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/spf13/pflag"

	"github.com/authtier/authtier/cmd/authtier/internal/trust"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/sqlite"
)

func TestUnverifiedIssuer(t *testing.T) {
	for token, want := range map[string]string{
		"x.eyJpc3MiOiJodHRwczovL2EifQ.y":   "https://a", // {"iss":"https://a"}
		"x.eyJJU1MiOiJodHRwczovL2EifQ.y":   "",          // ISS
		"x.eyJpc3MiOiJhIiwiaXNzIjoiYiJ9.y": "",          // twice
		"x.eyJpc3MiOjF9.y":                 "",          // a number
		"x.W10.y":                          "",          // a list
		"x.eyJpc3MiOiJodHRwczovL2EifQ":     "",          // two segments
		"authtier_at_opaque":               "",
		"":                                 "",
		"..":                               "",
		"x.eyJpc3MiOiJodHRwczovL2EifQ==.y": "", // with padding
		"x.eyJpc3MiOiJodHRwczovL2EifQ.y.eyJpc3MiOiJiIn0": "https://a",
	} {
		if got := unverifiedIssuer(token); got != want {
			t.Errorf("%s: got %q, want %q", token, got, want)
		}
	}
}

func ready(t *testing.T, h *health) int {
	t.Helper()
	w := httptest.NewRecorder()
	h.ready(w, httptest.NewRequest("GET", "/readyz", nil))
	return w.Code
}

// A store that is closed, or that loses its signing keys, makes the server not ready.
func TestReady(t *testing.T) {
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "auth.db"))
	if err != nil {
		t.Fatal(err)
	}
	h := &health{keys: db}
	if got := ready(t, h); got != 503 {
		t.Errorf("without signing keys: %d, want 503", got)
	}

	h.keys = keys(nil)
	if got := ready(t, h); got != 200 {
		t.Errorf("%d, want 200", got)
	}
	h.drain()
	if got := ready(t, h); got != 503 {
		t.Errorf("draining: %d, want 503", got)
	}

	db.Close()
	if got := ready(t, &health{keys: db}); got != 503 {
		t.Errorf("closed: %d, want 503", got)
	}
}

// A store that does not answer makes the server not ready in time.
func TestReadyInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := keys(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		if got := ready(t, &health{keys: slow}); got != 503 {
			t.Errorf("%d, want 503", got)
		}
	})
}

// keys is a store with one signing key, unless it returns an error.
type keys func(ctx context.Context) error

func (k keys) SigningKeys(ctx context.Context, set string) ([]store.SigningKey, error) {
	switch {
	case set != "authtier":
		return nil, errors.New("another set")
	case k == nil:
		return make([]store.SigningKey, 1), nil
	}
	return nil, k(ctx)
}

func (keys) PutSigningKeys(context.Context, ...store.SigningKey) error {
	return errors.New("read only")
}

// Beyond loopback, plain HTTP is for the proxies alone.
func TestFromProxy(t *testing.T) {
	s := &site{settings: &settings{options: &options{}, proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::1/128")}}}
	for remote, want := range map[string]bool{
		"10.1.2.3:1": true, "[::ffff:10.1.2.3]:1": true, "[fd00::1]:1": true, "127.0.0.1:1": true, "[::1]:1": true,
		"11.0.0.1:1": false, "[fd00::2]:1": false, "[::ffff:11.0.0.1]:1": false, "": false, "@": false,
	} {
		if got := s.fromProxy(remote); got != want {
			t.Errorf("%q: got %v", remote, got)
		}
	}
	if s.proxied() != true || (&settings{options: &options{}, loopback: true}).proxied() || (&settings{options: &options{tlsCert: "x"}}).proxied() {
		t.Error("only plain HTTP beyond loopback is for proxies alone")
	}
}

// The page names each setting's variable, and each preset.
func TestHelp(t *testing.T) {
	cmd := Command()
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if variable := "(AUTHTIER_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_")) + ")"; !strings.Contains(f.Usage, variable) {
			t.Errorf("--%s has no variable in %q", f.Name, f.Usage)
		}
	})
	if !strings.Contains(cmd.Long, "\n"+trust.Forms()+"\n") {
		t.Error("the page does not show the presets")
	}
	lines := strings.Split(cmd.Long, "\n")
	if n := slices.IndexFunc(lines, func(l string) bool { return len(l) > 100 }); n >= 0 {
		t.Errorf("a line is too long: %s", lines[n])
	}
}

// A header has no names with control characters, which other issuers may give.
func TestIdentityHeaders(t *testing.T) {
	h := http.Header{}
	setIdentity(h, middleware.Identity{Client: "a\r\nAuthtier-User: root", Issuer: "https://id.example.com", Scopes: "a b"})
	if want := (http.Header{"Authtier-Issuer": {"https://id.example.com"}, "Authtier-Scope": {"a b"}}); !maps.EqualFunc(h, want, slices.Equal) {
		t.Errorf("got %v, want %v", h, want)
	}
}
