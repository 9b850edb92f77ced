package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authtier/authtier/store/memory"
)

func TestTiers(t *testing.T) {
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
	login := httptest.NewRequest("POST", "/public/token", strings.NewReader(`{"grant_type":"password","username":"ada","password":"correct horse"}`))
	login.Header.Set("X-API-KEY", "my_api_key")
	var tokens struct {
		Access string `json:"access_token"`
	}
	if w := serve(login); w.Code != 200 || json.Unmarshal(w.Body.Bytes(), &tokens) != nil {
		t.Fatalf("login: got %d %s", w.Code, w.Body)
	}
	me := httptest.NewRequest("GET", "/user/me", nil)
	if w := serve(me); w.Code != 401 {
		t.Errorf("without credentials: got %d %s", w.Code, w.Body)
	}
	me.Header.Set("X-API-KEY", "my_api_key")
	me.Header.Set("Authorization", "Bearer "+tokens.Access)
	if w := serve(me); w.Code != 200 || w.Body.String() != "ada with app" {
		t.Errorf("with key and token: got %d %s", w.Code, w.Body)
	}
}
