package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authtier/authtier/middleware/middlewaretest"

	"github.com/authtier/authtier/examples/internal/program"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store/sqlite"
)

func TestMain(m *testing.M) { program.Main(m, main) }

func TestIssuer(t *testing.T) {
	program.Turn(t)
	dir := t.TempDir()
	p := program.Start(t, dir)
	_, secret, ok := strings.Cut(strings.TrimSpace(p.Output()), "client app, secret ")
	if !ok {
		t.Fatalf("the first start prints %q, want the client's secret", p.Output())
	}

	answer := program.Request(t, "POST", "/oauth2/token", "grant_type=client_credentials&client_id=app&client_secret="+secret,
		"Content-Type: application/x-www-form-urlencoded")
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(answer, "200 ")), &tokens); err != nil {
		t.Fatalf("got %s", answer)
	}
	bearer := "Authorization: Bearer " + tokens.AccessToken
	for _, tt := range []struct{ method, path, line, want string }{
		{"GET", "/reports", bearer, "200 reports of app"},
		{"GET", "/reports", "X: y", `401 {"code":"AUTH-2"`},
		{"GET", "/oauth2/token", "X: y", `405 {"code":"AUTH-6"`},
		{"GET", "/.well-known/jwks.json", "X: y", `200 {"keys":[`},
		{"GET", "/other", "X: y", "404 404 page not found"},
		{"POST", "/reports", bearer, "405 Method Not Allowed"},
	} {
		if got := program.Request(t, tt.method, tt.path, "", tt.line); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s %s: got %s, want %s", tt.method, tt.path, got, tt.want)
		}
	}

	routes := []string{"GET /reports", "POST /oauth2/token", "GET /.well-known/jwks.json", "GET /.well-known/oauth-authorization-server"}
	middlewaretest.Guarded(t, program.Handler(t), routes[:1])
	middlewaretest.Matrix(t, program.Handler(t), routes, map[string]func(*http.Request){
		"nobody": nil,
		"client": middlewaretest.Header("Authorization", "Bearer "+tokens.AccessToken),
	})
	if info, err := os.Stat(filepath.Join(dir, "auth.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key file: %v, %v, want mode 0600", info, err)
	}

	// A second start prints no secret, and the token is still valid.
	p.Stop()
	p = program.Start(t, dir)
	if got := program.Request(t, "GET", "/reports", "", bearer); got != "200 reports of app" || p.Output() != "" {
		t.Errorf("after a restart: got %s, and %q printed", got, p.Output())
	}
}

// TestStartDoesNotUndoARotation checks that the program, which creates its client at
// every start, does not bring a replaced secret back. The new secret works.
func TestStartDoesNotUndoARotation(t *testing.T) {
	program.Turn(t)
	dir := t.TempDir()
	p := program.Start(t, dir)
	_, old, _ := strings.Cut(strings.TrimSpace(p.Output()), "client app, secret ")
	p.Stop()

	db, err := sqlite.Open(t.Context(), filepath.Join(dir, "auth.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	iss, err := issuer.Open(t.Context(), program.URL, db, &issuer.Config{KeyFile: filepath.Join(dir, "auth.key")})
	if err != nil {
		t.Fatal(err)
	}
	defer iss.Close()
	secret, _, err := iss.RotateSecret(t.Context(), "app", 0)
	if err != nil {
		t.Fatal(err)
	}

	program.Start(t, dir)
	for s, want := range map[string]string{old: `401 {"code":"AUTH-1"`, secret: `200 {"access_token":`} {
		got := program.Request(t, "POST", "/oauth2/token", "grant_type=client_credentials&client_id=app&client_secret="+s,
			"Content-Type: application/x-www-form-urlencoded")
		if !strings.HasPrefix(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
