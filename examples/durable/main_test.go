package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authtier/authtier/store/sqlite"
)

// TestDurable starts a server, ends it, and starts another on the same file.
func TestDurable(t *testing.T) {
	file, seal := filepath.Join(t.TempDir(), "auth.db"), make([]byte, 32)
	var token string
	for run := range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		db, err := sqlite.Open(ctx, file)
		if err != nil {
			t.Fatal(err)
		}
		if run == 0 {
			if err := fill(ctx, db); err != nil {
				t.Fatal(err)
			}
		}
		h, err := handler(ctx, db, seal)
		if err != nil {
			t.Fatal(err)
		}
		if run == 0 {
			token = grant(t, h)
		}
		r := httptest.NewRequest("GET", "/hello", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != 200 || w.Body.String() != "hello, app" {
			t.Errorf("run %d: got %d %s", run, w.Code, w.Body)
		}
		cancel()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

func grant(t *testing.T, h http.Handler) string {
	t.Helper()
	r := httptest.NewRequest("POST", "/oauth2/token", strings.NewReader("grant_type=client_credentials"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("app", "app-secret")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var answer struct {
		Access string `json:"access_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 200 {
		t.Fatalf("token: got %d %s, %v", w.Code, w.Body, err)
	}
	return answer.Access
}
