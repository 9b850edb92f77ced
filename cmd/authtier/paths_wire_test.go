package main

import (
	"strings"
	"testing"
)

func TestNoSuchPath(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	partner := basic("demo-partner", "demo-partner-secret")
	user := w.tiersGrant().text("access_token")
	session, cookie := w.sessionLogin()
	for _, tt := range []struct {
		path    string
		options []option
	}{
		{"/", nil},
		{"/ext", nil},
		{"/ext/", nil},
		{"/ext/anything", nil},
		{"/public", with(demoKey)},
		{"/public/anything", with(demoKey)},
		{"/user", with(demoKey, bearer(user))},
		{"/user/anything", with(demoKey, bearer(user))},
		{"/pro/anything", with(demoKey, bearer(user))},
		{"/v1", nil},
		{"/v1/", nil},
		{"/v1/img", nil},
		{"/v1/img/", nil},
		{"/v1/img/a/b", nil},
		{"/oauth2", nil},
		{"/oauth2/", nil},
		{"/oauth2/token/", with(basic("demo-client", "demo-secret"))},
		{"/.well-known/", nil},
		{"/.well-known/openid-configuration/", nil},
		{"/api", nil},
		{"/api/", nil},
		{"/api/login/", nil},
		{"/api/anything", with(custom("Bearer "+session), cookie)},
		{"/partner", nil},
		{"/partner/anything", with(partner)},
		{"/partner/tokens/", with(partner)},
		{"/partner/onboarding/x", with(partner)},
	} {
		t.Run(tt.path, func(t *testing.T) {
			for _, method := range []string{"GET", "POST", "PUT"} {
				refusal{404, "AUTH-6", "invalid_request", "", ""}.check(t, w.do(method, tt.path, tt.options...))
			}
		})
	}
	t.Run("a guard answers before", func(t *testing.T) {
		refusal{401, "AUTH-2", "invalid_request", challengeKey, "X-API-KEY"}.check(t, w.do("GET", "/public/anything"))
		refusal{401, "AUTH-2", "invalid_request", challengeBare, ""}.check(t, w.do("GET", "/user/anything", demoKey))
		refusal{401, "AUTH-2", "invalid_request", challengeBasic, ""}.check(t, w.do("GET", "/partner/anything"))
	})
}

func TestWrongMethodNamesTheRightOnes(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	partner := basic("demo-partner", "demo-partner-secret")
	user := w.tiersGrant().text("access_token")
	for _, tt := range []struct {
		method, path, allow string
		options             []option
	}{
		{"POST", "/ext/ping", "GET, HEAD", nil},
		{"DELETE", "/public/ping", "GET, HEAD", with(demoKey)},
		{"GET", "/public/token", "POST", with(demoKey)},
		{"PUT", "/public/token", "POST", with(demoKey)},
		{"POST", "/user/me", "GET, HEAD", with(demoKey, bearer(user))},
		{"OPTIONS", "/pro/ping", "GET, HEAD", with(demoKey, bearer(user))},
		{"GET", "/oauth2/token", "POST", nil},
		{"GET", "/oauth2/introspect", "POST", with(basic("demo-client", "demo-secret"))},
		{"DELETE", "/oauth2/revoke", "POST", nil},
		{"POST", "/.well-known/jwks.json", "GET, HEAD", nil},
		{"POST", "/.well-known/oauth-authorization-server", "GET, HEAD", nil},
		{"POST", "/.well-known/openid-configuration", "GET, HEAD", nil},
		{"POST", "/v1/img/a.png", "GET, HEAD", nil},
		{"GET", "/v1/files", "POST", nil},
		{"PATCH", "/v1/me", "GET, HEAD", nil},
		{"PUT", "/api/login", "GET, POST", nil},
		{"PUT", "/api/logout", "", nil},
		{"POST", "/api/me", "GET, HEAD", nil},
		{"DELETE", "/partner/", "GET, HEAD", with(partner)},
		{"GET", "/partner/tokens", "POST", with(partner)},
		{"GET", "/partner/tokens/verify", "POST", with(partner)},
		{"POST", "/partner/usages", "GET, HEAD", with(partner)},
		{"POST", "/partner/onboarding", "GET, HEAD", with(partner)},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			a := w.do(tt.method, tt.path, tt.options...)
			refusal{405, "AUTH-6", "invalid_request", "", ""}.check(t, a)
			got := a.header.Get("Allow")
			if got == "" || tt.allow != "" && got != tt.allow {
				t.Errorf("Allow %q, want %q", got, tt.allow)
			}
		})
	}
	t.Run("HEAD /oauth2/token", func(t *testing.T) {
		a := w.do("HEAD", "/oauth2/token")
		if a.status != 405 || a.header.Get("Allow") != "POST" || a.header.Get("Cache-Control") != "no-store" || a.body != "" {
			t.Errorf("got %d, Allow %q, Cache-Control %q, body %q", a.status, a.header.Get("Allow"), a.header.Get("Cache-Control"), a.body)
		}
	})
	t.Run("a guard answers before", func(t *testing.T) {
		w.do("POST", "/public/ping").want(t, 401, "AUTH-2")
		w.do("DELETE", "/user/me", demoKey).want(t, 401, "AUTH-2")
		w.do("DELETE", "/partner/tokens").want(t, 401, "AUTH-2")
	})
}

// A method that Allow names must not be refused as a wrong method itself.
func TestMethodsOfAllowAreAllowed(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	for _, path := range []string{
		"/ext/ping", "/oauth2/token", "/oauth2/introspect", "/oauth2/revoke", "/.well-known/jwks.json", "/.well-known/openid-configuration",
		"/v1/img/a", "/v1/files", "/v1/me", "/api/login", "/api/logout", "/api/me", "/partner/onboarding",
	} {
		allow := w.do("BREW", path).header.Get("Allow")
		if allow == "" {
			t.Errorf("BREW %s: no Allow", path)
		}
		for method := range strings.SplitSeq(allow, ", ") {
			if a := w.do(method, path); a.status == 405 {
				t.Errorf("%s %s is refused, and Allow says %q", method, path, allow)
			}
		}
	}
}

func TestServersOwnRefusalsStayPlain(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	for name, request := range map[string]string{
		"P12 target without a slash": "GET user/me HTTP/1.1\r\nHost: h\r\n\r\n",
		"no Host":                    "GET /ext/ping HTTP/1.1\r\n\r\n",
		"H06 NUL in a header":        "GET /ext/ping HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer a\x00b\r\n\r\n",
		"H06 DEL in a header":        "GET /ext/ping HTTP/1.1\r\nHost: h\r\nX-API-KEY: a\x7fb\r\n\r\n",
		"broken escape in the path":  "GET /ext/%zz HTTP/1.1\r\nHost: h\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			a := w.raw(request)
			if a.status != 400 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") || a.text("code") != "" {
				t.Errorf("got %d %q %s", a.status, a.header.Get("Content-Type"), a.body)
			}
		})
	}
}
