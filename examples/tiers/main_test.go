package main

import (
	"encoding/json"
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

// prepare makes two clients and a user in the program's folder and returns a key of
// each client.
func prepare(t *testing.T, dir string) (key, other string) {
	t.Helper()
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

	if err := iss.CreateUser(t.Context(), store.User{Login: "ada"}, "correct horse"); err != nil {
		t.Fatal(err)
	}
	for id, to := range map[string]*string{"app": &key, "other": &other} {
		client := store.Client{ID: id, Scopes: []string{"user"}, Default: []string{"user"}, Grants: []string{store.GrantPassword}}
		if _, err := iss.CreateClient(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		if *to, err = iss.CreateAPIKey(t.Context(), store.APIKey{Client: id}); err != nil {
			t.Fatal(err)
		}
	}
	return key, other
}

func TestTiers(t *testing.T) {
	program.Turn(t)
	dir := t.TempDir()
	key, other := prepare(t, dir)
	program.Start(t, dir)
	answer := program.Request(t, "POST", "/public/token", `{"grant_type": "password", "username": "ada", "password": "correct horse"}`, "X-API-KEY: "+key)
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(answer, "200 ")), &tokens); err != nil {
		t.Fatalf("got %s", answer)
	}

	bearer := "Authorization: Bearer " + tokens.AccessToken
	for _, tt := range []struct {
		path, want string
		lines      []string
	}{
		{"/user/me", "200 ada with app", []string{"X-API-KEY: " + key, bearer}},
		{"/user/me", `401 {"code":"AUTH-1"`, []string{"X-API-KEY: " + other, bearer}},
		{"/user/me", `401 {"code":"AUTH-2"`, []string{"X-API-KEY: " + key}},
		{"/user/me", `401 {"code":"AUTH-2"`, []string{bearer}},
		{"/ext/x", `404 {"code":"AUTH-6"`, nil},
		{"/public/x", `401 {"code":"AUTH-2"`, nil},
		{"/elsewhere", `404 {"code":"AUTH-6"`, []string{"X-API-KEY: " + key, bearer}},
	} {
		if got := program.Request(t, "GET", tt.path, "", tt.lines...); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s with %d headers: got %s, want %s", tt.path, len(tt.lines), got, tt.want)
		}
	}

	both := func(key string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("X-API-KEY", key)
			r.Header.Set("Authorization", "Bearer "+tokens.AccessToken)
		}
	}
	routes := []string{"GET /user/me", "GET /public/x", "GET /ext/x", "GET /elsewhere"}
	middlewaretest.Guarded(t, program.Handler(t), routes, "GET /ext/x", "GET /elsewhere")
	middlewaretest.Matrix(t, program.Handler(t), routes, map[string]func(*http.Request){
		"nobody":        nil,
		"key":           middlewaretest.Header("X-API-KEY", key),
		"token":         middlewaretest.Header("Authorization", "Bearer "+tokens.AccessToken),
		"user":          both(key),
		"two clients":   both(other),
		"a guessed key": both("a guess"),
	})
}
