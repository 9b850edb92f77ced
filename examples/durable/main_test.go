package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/sqlite"
)

// TestDurable starts a server, ends it, and starts another on the same file.
func TestDurable(t *testing.T) {
	file, key := filepath.Join(t.TempDir(), "auth.db"), filepath.Join(t.TempDir(), "auth.key")
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
		h, err := handler(ctx, db, key)
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

// TestStartDoesNotUndoARotation starts again after the secret was replaced because it
// leaked: the old one stays dead, and the new one works.
func TestStartDoesNotUndoARotation(t *testing.T) {
	file, key := filepath.Join(t.TempDir(), "auth.db"), filepath.Join(t.TempDir(), "auth.key")
	var fresh string
	for run := range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		db, err := sqlite.Open(ctx, file)
		if err != nil {
			t.Fatal(err)
		}
		if err := fill(ctx, db); err != nil {
			t.Fatalf("run %d: %v", run, err)
		}
		h, err := handler(ctx, db, key)
		if err != nil {
			t.Fatal(err)
		}

		if run == 0 {
			grant(t, h)
			fresh = rotated(t, db)
		} else {
			if w := asked(h, "app-secret"); w.Code != 401 {
				t.Errorf("run %d, the leaked secret: got %d %s", run, w.Code, w.Body)
			}
			if w := asked(h, fresh); w.Code != 200 {
				t.Errorf("run %d, the new secret: got %d %s", run, w.Code, w.Body)
			}
		}
		cancel()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// rotated replaces the secret of client app at once, as another program would, and
// returns the new one.
func rotated(t *testing.T, db store.Store) string {
	t.Helper()
	iss, err := issuer.New(t.Context(), "http://127.0.0.1:8080", db, &issuer.Config{AllowEphemeralKeys: true})
	if err != nil {
		t.Fatal(err)
	}
	secret, _, err := iss.RotateSecret(t.Context(), "app", 0)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// asked is the answer to a request for a token with that secret.
func asked(h http.Handler, secret string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/oauth2/token", strings.NewReader("grant_type=client_credentials"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("app", secret)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func grant(t *testing.T, h http.Handler) string {
	t.Helper()
	w := asked(h, "app-secret")
	var answer struct {
		Access string `json:"access_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 200 {
		t.Fatalf("token: got %d %s, %v", w.Code, w.Body, err)
	}
	return answer.Access
}
