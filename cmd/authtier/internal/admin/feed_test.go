package admin

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/authtier/authtier/middleware"
)

// TestRevokedElsewhere revokes keys by commands while a server runs on the same store. The
// cache of the server knows the keys, and must forget them.
func TestRevokedElsewhere(t *testing.T) {
	b := newBox(t)
	b.ok("client", "create", "acme", "--scope", "a b")
	b.ok("user", "create", "ada", "--no-password")
	iss, _ := b.server(true)
	ok := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	cache, err := middleware.NewCache(iss, 100, nil)
	must(t, err)
	h := middleware.APIKey(cache, nil)(ok)
	status := func(key string) int {
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Header.Set("X-API-KEY", key)
		h.ServeHTTP(w, r)
		return w.Code
	}

	for _, tt := range []struct {
		name string
		args func(id string) []string
	}{
		{"revoke", func(id string) []string { return []string{"key", "revoke", id} }},
		{"rotate", func(id string) []string { return []string{"key", "rotate", id} }},
		{"revoke the owner", func(id string) []string { return []string{"user", "revoke", "ada"} }},
		{"disable the client", func(id string) []string { return []string{"client", "disable", "acme"} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			made := b.json("key", "create", "--client", "acme", "--owner", "ada")
			key := made["key"].(string)
			for range 2 { // the second time from the cache
				if got := status(key); got != http.StatusNoContent {
					t.Fatalf("status %d, want 204", got)
				}
			}

			b.ok(tt.args(made["id"].(string))...)
			for begin := time.Now(); status(key) != http.StatusUnauthorized; time.Sleep(5 * time.Millisecond) {
				if time.Since(begin) > 10*time.Second {
					t.Fatal("the key is still accepted")
				}
			}
		})
	}
}
