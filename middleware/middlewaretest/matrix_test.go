package middlewaretest_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/middlewaretest"
)

// server has an open route and two that need a token.
func server(writeScope string) http.Handler {
	tokens := middleware.ValidatorFunc(func(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
		if c.Secret == "guess" {
			return nil, errorsx.UnknownToken
		}
		return &middleware.Identity{Issuer: "i", Client: "app", Scopes: middleware.Scopes(c.Secret)}, nil
	})
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	bearer := middleware.Bearer(tokens, nil)
	mux := http.NewServeMux()
	mux.Handle("GET /health", ok)
	mux.Handle("GET /reports/{id}", bearer(middleware.Scope("read")(ok)))
	mux.Handle("POST /reports", bearer(middleware.Scope(writeScope)(ok)))
	return mux
}

var (
	routes     = []string{"GET /health", "GET /reports/7", "POST /reports"}
	identities = map[string]func(*http.Request){
		"nobody": nil,
		"reader": middlewaretest.Header("Authorization", "Bearer read"),
		"writer": middlewaretest.Header("Authorization", "Bearer write"),
		"thief":  middlewaretest.Header("Authorization", "Bearer guess"),
	}
)

// A report is a [testing.TB] that collects failures.
type report struct {
	testing.TB
	text strings.Builder
}

func (r *report) Helper()                      {}
func (r *report) Name() string                 { return "TestReport/of one" }
func (r *report) Errorf(s string, args ...any) { fmt.Fprintf(&r.text, s+"\n", args...) }
func (r *report) Fatalf(s string, args ...any) { r.Errorf(s, args...); panic(r) }
func (r *report) Fatal(args ...any)            { fmt.Fprint(&r.text, args...); panic(r) }

// reported returns the failures of f.
func reported(t *testing.T, f func(tb testing.TB)) string {
	r := &report{TB: t}
	func() {
		defer func() {
			if p := recover(); p != nil && p != any(r) {
				panic(p)
			}
		}()
		f(r)
	}()
	return r.text.String()
}

// TestMatrix writes a file, finds nothing to say about the same guards, and tells of
// others.
func TestMatrix(t *testing.T) {
	t.Chdir(t.TempDir())
	matrix := func(h http.Handler) string {
		return reported(t, func(tb testing.TB) { middlewaretest.Matrix(tb, h, routes, identities) })
	}
	if got := matrix(server("write")); !strings.Contains(got, "UPDATE_MATRIX=1") {
		t.Errorf("without a file: got %q", got)
	}
	t.Setenv("UPDATE_MATRIX", "1")
	if got := matrix(server("write")); got != "" {
		t.Errorf("writing: got %q", got)
	}

	t.Setenv("UPDATE_MATRIX", "")
	name := filepath.Join("testdata", "TestReport_of one.matrix")
	text, err := os.ReadFile(name)
	want := "" +
		"route           nobody      reader      thief        writer\n" +
		"GET /health     200         200         200          200\n" +
		"GET /reports/7  401 AUTH-2  200         404 AUTH-12  403 AUTH-7\n" +
		"POST /reports   401 AUTH-2  403 AUTH-7  404 AUTH-12  200\n"
	if err != nil || string(text) != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, text, want)
	}
	if got := matrix(server("write")); got != "" {
		t.Errorf("the same guards: got %q", got)
	}
	if err := os.WriteFile(name, []byte(strings.ReplaceAll(want, "\n", "\r\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := matrix(server("write")); got != "" {
		t.Errorf("other line ends: got %q", got)
	}
	if got := matrix(server("read")); !strings.Contains(got, "- POST /reports   401 AUTH-2  403 AUTH-7") || !strings.Contains(got, "+ POST /reports   401 AUTH-2  200") {
		t.Errorf("another guard: got %q", got)
	}
}

// TestMatrixMistakes tests arguments that say nothing.
func TestMatrixMistakes(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, got := range map[string]string{
		"no routes":     reported(t, func(tb testing.TB) { middlewaretest.Matrix(tb, server("write"), nil, identities) }),
		"no identities": reported(t, func(tb testing.TB) { middlewaretest.Matrix(tb, server("write"), routes, nil) }),
		"no method":     reported(t, func(tb testing.TB) { middlewaretest.Matrix(tb, server("write"), []string{"/reports"}, identities) }),
	} {
		if !strings.Contains(got, "expected") {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// TestGuarded tests lists of open routes.
func TestGuarded(t *testing.T) {
	for name, tt := range map[string]struct {
		open []string
		want string
	}{
		"right":             {[]string{"GET /health"}, ""},
		"not listed":        {nil, "GET /health without a credential answers 200"},
		"listed, and not":   {[]string{"GET /health", "POST /reports"}, "POST /reports is listed as open"},
		"not among routes":  {[]string{"GET /health", "GET /x"}, `"GET /x" is not among`},
		"an unknown path":   {[]string{"GET /health"}, ""},
		"a route's mistake": {[]string{"GET /health"}, ""},
	} {
		all := routes
		switch name {
		case "an unknown path":
			all, tt.want = append([]string{"GET /missing"}, routes...), "GET /missing without a credential answers 404"
		case "a route's mistake":
			all, tt.want = append([]string{"reports"}, routes...), "expected a method"
		}
		got := reported(t, func(tb testing.TB) { middlewaretest.Guarded(tb, server("write"), all, tt.open...) })
		if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}
