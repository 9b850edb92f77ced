package issuer_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/partner"
	"github.com/authtier/authtier/issuer/session"
	"github.com/authtier/authtier/middleware"
)

// TestRegisterBesideAProgram registers all three systems on a mux on which the program
// has a pattern for everything else.
func TestRegisterBesideAProgram(t *testing.T) {
	db := newStore(t)
	iss := newIssuer(t, db, issuer.Config{AllowUnthrottled: true})
	sessions, err := session.New(iss, db, nil)
	must(t, err)
	partners, err := partner.New(iss, db, nil)
	must(t, err)
	for _, pattern := range []string{"/", "GET /", "GET /{path...}", "POST /{path...}", "/oauth2/", "GET /partner/", "/{tenant}/token", ""} {
		for _, first := range []bool{false, true} {
			mux := http.NewServeMux()
			program := func() {
				if pattern != "" {
					mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) })
				}
			}
			if first {
				program()
			}
			iss.Register(mux)
			sessions.Register(mux)
			partners.Register(mux)
			if !first {
				program()
			}
			for path, allow := range map[string]string{
				"/oauth2/token": "POST", "/oauth2/introspect": "POST", "/oauth2/revoke": "POST",
				"/.well-known/jwks.json": "GET, HEAD", "/.well-known/openid-configuration": "GET, HEAD", "/.well-known/oauth-authorization-server": "GET, HEAD",
				"/api/login": "GET, POST", "/api/logout": "GET, HEAD, POST",
				"/partner/": "GET, HEAD", "/partner/tokens": "POST", "/partner/tokens/verify": "POST", "/partner/usages": "GET, HEAD",
			} {
				wantAllow(t, mux, pattern, path, allow)
			}
			for _, path := range []string{"/", "/oauth2/", "/oauth2", "/oauth2/token/", "/oauth2/x", "/.well-known/", "/api/", "/api/me", "/partner/x", "/.well-known/jwks.json/"} {
				h, got := mux.Handler(httptest.NewRequest("GET", path, nil))
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
				if w.Code != http.StatusTeapot && w.Code != 404 && w.Code != 405 && w.Code != 307 && w.Code != 301 {
					t.Errorf("with %q, GET %s is served by %q: %d", pattern, path, got, w.Code)
				}
			}
		}
	}
}

// wantAllow sends a request of each method to a path.
func wantAllow(t *testing.T, mux *http.ServeMux, pattern, path, allow string) {
	t.Helper()
	serves := errorsx.Mux(mux)
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
		r, w := httptest.NewRequest(method, path, nil), httptest.NewRecorder()
		r.SetBasicAuth("app", "app-secret")
		serves.ServeHTTP(w, r)
		ok := false
		for name := range strings.SplitSeq(allow, ", ") {
			ok = ok || name == method
		}
		known := method != "BREW" || pattern == "" || strings.Contains(pattern, " ") // otherwise the program's pattern takes it
		switch {
		case ok && (w.Code == 405 || w.Code == 404 || w.Code == http.StatusTeapot):
			t.Errorf("with %q, %s %s: got %d", pattern, method, path, w.Code)
		case !ok && known && (w.Code != 405 || w.Header().Get("Allow") != allow || method != "HEAD" && !strings.Contains(w.Body.String(), "AUTH-6")):
			t.Errorf("with %q, %s %s: got %d, Allow %q, %s; want 405 and %q", pattern, method, path, w.Code, w.Header().Get("Allow"), w.Body, allow)
		}
	}
}

// TestRegisterAddsItsOwnPathsAlone registers on an empty mux.
func TestRegisterAddsItsOwnPathsAlone(t *testing.T) {
	h := registered(newIssuer(t, nil, issuer.Config{}))
	for _, path := range []string{"/", "/oauth2", "/oauth2/", "/oauth2/token/", "/oauth2/token/x", "/.well-known/", "/x"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 404 {
			t.Errorf("%s: got %d", path, w.Code)
		}
	}
}

// TestMetadataStatesTheConfiguration compares the metadata with the configuration.
func TestMetadataStatesTheConfiguration(t *testing.T) {
	for _, allow := range []bool{false, true} {
		iss := newIssuer(t, nil, issuer.Config{AllowPassword: allow, BehindAPIKey: allow, Base: "/auth"})
		h := middleware.APIKey(iss, &middleware.APIKeyConfig{AllowAnonymous: true})(registered(iss))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/.well-known/oauth-authorization-server", nil))
		for text, want := range map[string]bool{
			`"password"`: allow, `"client_secret_basic"`: !allow, testURL + "/auth/token": true, testURL + "/oauth2": false,
		} {
			if strings.Contains(w.Body.String(), text) != want {
				t.Errorf("allowed %t: %s in %s, want %t", allow, text, w.Body, want)
			}
		}
	}
}
