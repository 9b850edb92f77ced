package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authtier/authtier/middleware/middlewaretest"

	"github.com/authtier/authtier/examples/internal/program"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/sqlite"
)

func TestMain(m *testing.M) { program.Main(m, main) }

// prepare makes a client in the program's folder and returns a key of it that may see
// the bill.
func prepare(t *testing.T, dir string) string {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(dir, "auth.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	iss, err := issuer.Open(t.Context(), url, db, &issuer.Config{KeyFile: filepath.Join(dir, "auth.key")})
	if err != nil {
		t.Fatal(err)
	}
	defer iss.Close()

	if _, err := iss.CreateClient(t.Context(), store.Client{ID: "acme", Scopes: []string{"usage:read"}}); err != nil {
		t.Fatal(err)
	}
	key, err := iss.CreateAPIKey(t.Context(), store.APIKey{Client: "acme", Scopes: []string{"usage:read"}})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestUsage(t *testing.T) {
	program.Turn(t)
	dir := t.TempDir()
	key := "X-API-KEY: " + prepare(t, dir)
	p := program.Start(t, dir)
	for range 3 {
		if got := program.Request(t, "GET", "/tiles/7", "", key); got != "200 tile 7" {
			t.Errorf("a tile: got %s", got)
		}
	}
	if got := program.Request(t, "GET", "/tiles/7", "", "X-API-KEY: a guess"); !strings.HasPrefix(got, `401 {"code":"AUTH-1"`) {
		t.Errorf("a guess: got %s", got)
	}
	if got := program.Request(t, "GET", "/bill", "", key); !strings.HasPrefix(got, "200 acme map tiles 3\ncomplete through ") {
		t.Errorf("the bill: got %s, want 3 tiles", got)
	}

	routes := []string{"GET /bill"}
	middlewaretest.Guarded(t, program.Handler(t), append(routes, "GET /tiles/7"))
	middlewaretest.Matrix(t, program.Handler(t), routes, map[string]func(*http.Request){
		"nobody": nil,
		"client": middlewaretest.Header("X-API-KEY", strings.TrimPrefix(key, "X-API-KEY: ")),
		"thief":  middlewaretest.Header("X-API-KEY", "a guess"),
	})

	// No counted use is lost when the program is killed.
	p.Stop()
	program.Start(t, dir)
	if got := program.Request(t, "GET", "/bill", "", key); !strings.HasPrefix(got, "200 acme map tiles 3\n") {
		t.Errorf("the bill after a kill: got %s, want 3 tiles", got)
	}
}
