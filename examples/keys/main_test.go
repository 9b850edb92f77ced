package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/authtier/authtier/middleware/middlewaretest"

	"github.com/authtier/authtier/examples/internal/program"
)

func TestMain(m *testing.M) { program.Main(m, main) }

func TestKeys(t *testing.T) {
	program.Turn(t)
	program.Start(t, t.TempDir())
	for _, tt := range []struct{ path, line, want string }{
		{"/reports/7", "X-API-KEY: s3cret-key", "200 report 7 for acme"},
		{"/reports/7", "X-API-KEY: a guess", `401 {"code":"AUTH-1"`},
		{"/reports/7", "X-Other: s3cret-key", `401 {"code":"AUTH-2"`},
		{"/other", "X-API-KEY: s3cret-key", "404"},
		{"/other", "X-API-KEY: a guess", `401 {"code":"AUTH-1"`},
	} {
		if got := program.Request(t, "GET", tt.path, "", tt.line); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s with %s: got %s, want %s", tt.path, tt.line, got, tt.want)
		}
	}

	routes := []string{"GET /reports/7", "POST /reports/7", "GET /other"}
	middlewaretest.Guarded(t, program.Handler(t), routes)
	middlewaretest.Matrix(t, program.Handler(t), routes, map[string]func(*http.Request){
		"nobody": nil,
		"client": middlewaretest.Header("X-API-KEY", "s3cret-key"),
		"thief":  middlewaretest.Header("X-API-KEY", "a guess"),
	})
}
