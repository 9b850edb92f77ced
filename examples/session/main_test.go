package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/authtier/authtier/middleware/middlewaretest"

	"github.com/authtier/authtier/store/memory"
)

func TestSession(t *testing.T) {
	db := memory.New()
	if err := fill(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	h, err := handler(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	login := httptest.NewRequest("GET", "/api/login", nil)
	login.SetBasicAuth("ada", "correct horse")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, login)
	if w.Code != 200 || len(w.Result().Cookies()) != 1 {
		t.Fatalf("login: got %d %s", w.Code, w.Body)
	}
	token, cookie := w.Body.String(), w.Result().Cookies()[0]
	call := func(path string, cookies ...*http.Cookie) *httptest.ResponseRecorder {
		r, w := httptest.NewRequest("GET", path, nil), httptest.NewRecorder()
		r.Header.Set("X-Simplicite-Authorization", "Bearer "+token)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		h.ServeHTTP(w, r)
		return w
	}
	if w := call("/api/me", cookie); w.Code != 200 || w.Body.String() != "hello, ada\n" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if w := call("/api/me"); w.Code != 401 {
		t.Errorf("without the cookie: got %d %s", w.Code, w.Body)
	}
	routes := []string{"GET /api/me"}
	middlewaretest.Guarded(t, h, routes)
	middlewaretest.Matrix(t, h, routes, map[string]func(*http.Request){
		"nobody": nil,
		"person": func(r *http.Request) {
			r.Header.Set("X-Simplicite-Authorization", "Bearer "+token)
			r.AddCookie(cookie)
		},
		"thief": middlewaretest.Header("X-Simplicite-Authorization", "Bearer "+token),
	})
	if w := call("/api/logout", cookie); w.Code != 204 {
		t.Errorf("logout: got %d %s", w.Code, w.Body)
	}
	if w := call("/api/me", cookie); w.Code != 401 {
		t.Errorf("after the logout: got %d %s", w.Code, w.Body)
	}
}
