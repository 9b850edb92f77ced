package main

import (
	"net/http/httptest"
	"testing"
)

func TestWrap(t *testing.T) {
	for _, tt := range []struct {
		path, key string
		status    int
		body      string
	}{
		{"/reports/7", "s3cret-key", 200, "report 7 for acme"},
		{"/reports/7", "guess", 401, ""},
		{"/reports/7", "", 401, ""},
		{"/reports/", "s3cret-key", 404, ""},
		{"/elsewhere", "s3cret-key", 404, ""},
	} {
		r, w := httptest.NewRequest("GET", tt.path, nil), httptest.NewRecorder()
		if tt.key != "" {
			r.Header.Set("X-API-KEY", tt.key)
		}
		handler().ServeHTTP(w, r)
		if w.Code != tt.status || tt.body != "" && w.Body.String() != tt.body {
			t.Errorf("%s with key %q: got %d %s, want %d %s", tt.path, tt.key, w.Code, w.Body, tt.status, tt.body)
		}
	}
}
