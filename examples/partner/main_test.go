package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/middleware/middlewaretest"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

func TestPartner(t *testing.T) {
	db := memory.New()
	if err := fill(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	h, err := handler(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	rival := store.Client{ID: "rival", Secrets: []store.Secret{{ID: "s1", Digest: store.DigestOf("rival-secret")}}, Scopes: []string{"maps"}}
	if err := db.CreateClient(t.Context(), rival); err != nil {
		t.Fatal(err)
	}
	get := func(path, secret string) *httptest.ResponseRecorder {
		r, w := httptest.NewRequest("GET", path, nil), httptest.NewRecorder()
		client, _, _ := strings.Cut(secret, "-")
		r.SetBasicAuth(client, secret)
		h.ServeHTTP(w, r)
		return w
	}
	for range 3 {
		if w := get("/tiles/7", "acme-secret"); w.Code != 200 || w.Body.String() != "tile 7" {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	}
	if w := get("/tiles/7", "rival-secret"); w.Code != 200 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if w := get("/tiles/7", "acme-guess"); w.Code != 401 {
		t.Errorf("with a wrong secret: got %d %s", w.Code, w.Body)
	}
	routes := []string{"GET /tiles/7", "GET /partner/", "GET /partner/tokens", "POST /partner/tokens"}
	middlewaretest.Guarded(t, h, routes)
	middlewaretest.Matrix(t, h, []string{"GET /partner/", "GET /partner/tokens"}, map[string]func(*http.Request){
		"nobody": nil,
		"client": func(r *http.Request) { r.SetBasicAuth("acme", "acme-secret") },
		"thief":  func(r *http.Request) { r.SetBasicAuth("acme", "a guess") },
	})
	from, to := time.Now().AddDate(0, 0, -1).UTC(), time.Now().AddDate(0, 0, 1).UTC()
	w := get("/partner/usages?api_name=maps&start_date="+from.Format(time.DateOnly)+"&end_date="+to.Format(time.DateOnly), "acme-secret")
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"products":[{"product":"tile","label":"map tiles","quantities":3}]`) || strings.Contains(w.Body.String(), "rival") {
		t.Errorf("report: got %d %s", w.Code, w.Body)
	}
}
