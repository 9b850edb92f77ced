package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authtier/authtier/middleware/middlewaretest"

	"github.com/authtier/authtier/store/memory"
)

func TestOAuth2(t *testing.T) {
	db := memory.New()
	if err := fill(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	h, err := handler(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	serve := func(r *http.Request) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	token := func(scope string) string {
		r := httptest.NewRequest("POST", "/oauth2/token", strings.NewReader("grant_type=client_credentials&scope="+scope))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth("app", "app-secret")
		var answer struct {
			Access string `json:"access_token"`
		}
		if w := serve(r); w.Code != 200 || json.Unmarshal(w.Body.Bytes(), &answer) != nil {
			t.Fatalf("token: got %d %s", w.Code, w.Body)
		}
		return answer.Access
	}
	if w := serve(httptest.NewRequest("GET", "/v1/files/a.png?access_token="+token("files"), nil)); w.Code != 200 || w.Body.String() != "app may files" {
		t.Errorf("files in the URL: got %d %s", w.Code, w.Body)
	}
	if w := serve(httptest.NewRequest("GET", "/v1/files/a.png?access_token="+token("base"), nil)); w.Code != 403 {
		t.Errorf("base in the URL: got %d %s", w.Code, w.Body)
	}
	r := httptest.NewRequest("GET", "/v1/me", nil)
	r.Header.Set("Authorization", "Bearer "+token("base"))
	if w := serve(r); w.Code != 200 || w.Body.String() != "app may base" {
		t.Errorf("base in the header: got %d %s", w.Code, w.Body)
	}

	routes := []string{"GET /v1/me", "GET /v1/files/a.png"}
	middlewaretest.Guarded(t, h, routes)
	middlewaretest.Matrix(t, h, routes, map[string]func(*http.Request){
		"nobody": nil,
		"base":   middlewaretest.Header("Authorization", "Bearer "+token("base")),
		"files":  middlewaretest.Header("Authorization", "Bearer "+token("files")),
	})
}
