package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware/middlewaretest"
)

// started is a running server with its issuer.
func started(t *testing.T) (base string, iss *issuer.Issuer, secret string) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	base = "http://" + server.Listener.Addr().String()
	iss, secret, err := openIssuer(t.Context(), base)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { iss.Close() })
	server.Config.Handler = handler(base, iss)
	server.Start()
	t.Cleanup(server.Close)
	return base, iss, secret
}

// TestClientFindsItsWay tests that the SDK's client, which knows the URL of the server
// alone, gets a token and calls a tool. With a wrong secret it gets none.
func TestClientFindsItsWay(t *testing.T) {
	base, _, secret := started(t)
	if got, err := call(t.Context(), base+"/mcp", &credentials{id: "agent", secret: secret}); err != nil || got != "hello agent" {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := call(t.Context(), base+"/mcp", &credentials{id: "agent", secret: "guess"}); err == nil {
		t.Errorf("with a wrong secret: got %q", got)
	}
}

// TestWrongTokens writes what this suite and the SDK's own middleware answer to the same
// tokens.
func TestWrongTokens(t *testing.T) {
	base, iss, _ := started(t)
	mint := func(scopes ...string) string {
		tokens, err := iss.Mint(context.Background(), issuer.Grant{Client: "agent", Scope: strings.Join(scopes, " ")})
		if err != nil {
			t.Fatal(err)
		}
		return tokens.AccessToken
	}
	good := mint("tools")
	revoked := mint("tools")
	if err := iss.RevokeToken(t.Context(), revoked); err != nil {
		t.Fatal(err)
	}

	ours := handler(base, iss)
	theirs := requireBearerToken(iss.Validator(), base+"/.well-known/oauth-protected-resource/mcp", http.NotFoundHandler())
	routes := http.NewServeMux()
	routes.Handle("/mcp", ours)
	routes.Handle("/sdk", theirs)
	bearer := func(token string) func(*http.Request) { return middlewaretest.Header("Authorization", "Bearer "+token) }
	middlewaretest.Guarded(t, ours, []string{"POST /mcp", "GET /.well-known/oauth-protected-resource/mcp"}, "GET /.well-known/oauth-protected-resource/mcp")
	middlewaretest.Matrix(t, routes, []string{"DELETE /mcp", "DELETE /sdk"}, map[string]func(*http.Request){
		"1 nobody":         nil,
		"2 garbled":        bearer("abc"),
		"3 forged":         bearer(good[:len(good)-8] + "AAAAAAAA"),
		"4 revoked":        bearer(revoked),
		"5 another scope":  bearer(mint("other")),
		"6 another scheme": middlewaretest.Header("Authorization", "Basic eDp5"),
		"7 right":          bearer(good),
		"8 a blank more":   middlewaretest.Header("Authorization", "Bearer  "+good+" "),
	})

	// The challenge of each 401 leads to the metadata.
	for path, h := range map[string]http.Handler{"/mcp": ours, "/sdk": theirs} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", path, nil))
		if got := w.Header().Get("WWW-Authenticate"); !strings.Contains(got, `resource_metadata="`+base+`/.well-known/oauth-protected-resource/mcp"`) {
			t.Errorf("%s: got the challenge %q", path, got)
		}
	}
}

// TestForgedHost tests that the metadata does not repeat what a request says of the host.
func TestForgedHost(t *testing.T) {
	base, iss, _ := started(t)
	r, w := httptest.NewRequest("GET", "/.well-known/oauth-protected-resource/mcp", nil), httptest.NewRecorder()
	r.Host = "evil.example"
	handler(base, iss).ServeHTTP(w, r)
	if w.Code != 200 || strings.Contains(w.Body.String(), "evil") || !strings.Contains(w.Body.String(), fmt.Sprintf("%q", base+"/mcp")) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}
