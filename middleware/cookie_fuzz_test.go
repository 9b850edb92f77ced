package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// FuzzCookie tests that only a cookie that package http reads as the token is admitted,
// and that no other cookie counts as missing.
func FuzzCookie(f *testing.F) {
	for _, line := range []string{"sid=good", "a=b; sid=good", "sid=good; sid=good", `sid="good"`, "sid=good;sid=", " sid = good", "SID=good", "sid=a b", "sid", "=good; sid=good", "sid=go;od", "sid;sid=good"} {
		f.Add(line)
	}
	wrapper := middleware.Bearer(placed, &middleware.BearerConfig{Cookie: "sid", CrossOrigin: http.NewCrossOriginProtection()})
	f.Fuzz(func(t *testing.T, line string) {
		// Package http answers such a header with 400, before any handler.
		if strings.ContainsFunc(line, unicode.IsControl) {
			return
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Cookie"] = []string{line}
		_, err := middleware.Check(r, wrapper)

		cookies := r.CookiesNamed("sid")
		admitted := len(cookies) == 1 && cookies[0].Value == "good"
		// A second cookie of the name is refused even if package http drops it.
		if err == nil && !admitted {
			t.Errorf("Cookie %q: got %v, package http reads %v", line, err, cookies)
		}
		if err != nil && len(cookies) > 0 && cookies[0].Value != "" && errorsx.From(err).Code == errorsx.CredentialsMissing {
			t.Errorf("Cookie %q: got %v, though there is a cookie", line, err)
		}
	})
}
