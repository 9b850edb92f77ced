package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/authtier/authtier/middleware/middlewaretest"

	"github.com/authtier/authtier/examples/internal/program"
	"github.com/authtier/authtier/middleware/idp/idptest"
)

func TestProvider(t *testing.T) {
	program.Turn(t)
	fake := idptest.New(t, "Auth0")
	ended := make(chan error, 1)
	go func() { ended <- run(t.Context(), fake.Config) }()
	program.Await(t, ended)

	ada := fake.Token(t, "person", map[string]any{"azp": "web", "scope": "reports:read"})
	machine := fake.Token(t, "machine", map[string]any{"scope": "reports:read reports:write"})
	stranger := idptest.New(t, "Auth0").Token(t, "person", map[string]any{"scope": "admin"})
	for _, tt := range []struct{ name, method, token, want string }{
		{"a user reads", "GET", ada, "200 web for auth0|65f0"},
		{"a user writes", "POST", ada, `403 {"code":"AUTH-7"`},
		{"a machine reads", "GET", machine, "200 cli2 for"},
		{"a machine writes", "POST", machine, "200 cli2 for"},
		{"another issuer's key", "GET", stranger, `400 {"code":"AUTH-10"`},
		{"nobody", "GET", "", `401 {"code":"AUTH-3"`},
	} {
		got := program.Request(t, tt.method, "/reports", "", "Authorization: Bearer "+tt.token)
		if !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}

	routes := []string{"GET /reports", "POST /reports"}
	middlewaretest.Guarded(t, program.Handler(t), routes)
	middlewaretest.Matrix(t, program.Handler(t), routes, map[string]func(*http.Request){
		"nobody":  nil,
		"reader":  middlewaretest.Header("Authorization", "Bearer "+ada),
		"machine": middlewaretest.Header("Authorization", "Bearer "+machine),
		"forger":  middlewaretest.Header("Authorization", "Bearer "+stranger),
		"admin":   middlewaretest.Header("Authorization", "Bearer "+fake.Token(t, "person", map[string]any{"scope": "admin"})),
	})
}
