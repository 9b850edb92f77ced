package errorsx_test

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/authtier/authtier/errorsx"
)

// TestResourceMetadata tests that each challenge of a 401 and of an insufficient
// scope at a resource has the URL, and that no other challenge has it (RFC 9728
// section 5.1).
func TestResourceMetadata(t *testing.T) {
	const url = "https://api.example/.well-known/oauth-protected-resource/a"
	const param = `, resource_metadata="` + url + `"`
	for _, tt := range []struct {
		dialect errorsx.Dialect
		err     error
		want    []string
	}{
		{errorsx.RFC, errorsx.CredentialsMissing, []string{`Bearer realm="api"` + param, `ApiKey realm="api"` + param}},
		{errorsx.RFC, errorsx.TokenExpired, []string{`Bearer realm="api", error="invalid_token", error_description="Token expired"` + param, `ApiKey realm="api"` + param}},
		{errorsx.Table, errorsx.TokenExpired, []string{`Bearer realm="api", error="invalid_token", error_description="Token expired"`, `ApiKey realm="api"`}},
		{errorsx.Table, &errorsx.Error{Code: errorsx.ScopeNotAuthorized, Message: "m", Scope: "a b"}, []string{
			`Bearer realm="api", error="insufficient_scope", error_description="m", scope="a b"` + param, `ApiKey realm="api"` + param}},
		{errorsx.Table, &errorsx.Error{Code: errorsx.ScopeNotAuthorized, Message: "m", OAuthError: "invalid_scope"}, []string{
			`Bearer realm="api", error="invalid_scope", error_description="m"`, `ApiKey realm="api"`}},
		{errorsx.RFC, errorsx.CredentialsMalformed, []string{
			`Bearer realm="api", error="invalid_request", error_description="Invalid Authorization header"`, `ApiKey realm="api"`}},
		{errorsx.RFC, errorsx.Internal, nil},
		{errorsx.RFC, errorsx.NotFound(), nil},
	} {
		rec := httptest.NewRecorder()
		w := &errorsx.Writer{Dialect: tt.dialect, ResourceMetadata: url, Log: discard}
		w.Refuse(rec, httptest.NewRequest("GET", "/", nil), "Bearer", tt.err, "ApiKey")
		if got := rec.Header().Values("WWW-Authenticate"); !slices.Equal(got, tt.want) {
			t.Errorf("%v: got %q, want %q", tt.err, got, tt.want)
		}

		rec = httptest.NewRecorder()
		w.RefuseAtTokenEndpoint(rec, httptest.NewRequest("POST", "/", nil), "Bearer", tt.err)
		if got := rec.Header().Get("WWW-Authenticate"); strings.Contains(got, "resource_metadata") {
			t.Errorf("%v at the token endpoint: got %s", tt.err, got)
		}
	}
}

// TestResourceMetadataQuoted tests that no text can end its quoted-string early,
// whether or not Check was called.
func TestResourceMetadataQuoted(t *testing.T) {
	w := &errorsx.Writer{ResourceMetadata: "https://a.example/\", error=\"x\\\r\nSet-Cookie: a"}
	got := resource(w, "Basic", errorsx.CredentialsMissing).Header().Get("WWW-Authenticate")
	want := `Basic realm="api", charset="UTF-8", resource_metadata="https://a.example/\", error=\"x\\Set-Cookie: a"`
	if got != want || w.Check() == nil {
		t.Errorf("got %s, want %s; Check: %v", got, want, w.Check())
	}
}

func TestCheck(t *testing.T) {
	for url, ok := range map[string]bool{
		"": true,
		"https://api.example/.well-known/oauth-protected-resource":         true,
		"https://api.example/.well-known/oauth-protected-resource/a/b?x=1": true,
		"http://127.0.0.1:8080/.well-known/oauth-protected-resource":       true,
		"api.example/.well-known/oauth-protected-resource":                 false,
		"/.well-known/oauth-protected-resource":                            false,
		"//api.example/.well-known/oauth-protected-resource":               false,
		"ftp://api.example/":             false,
		"https://user:pass@api.example/": false,
		"https://api.example/#":          false,
		"https://api.example/#x":         false,
		"https://":                       false,
		"https://api.example/\"":         false,
		"https://api.example/a b":        false,
		"https://api.example/é":          false,
		"https://api.example/\r\n":       false,
		"https:api.example":              false,
		" https://api.example/.well-known/oauth-protected-resource":          false,
		"https://api.example/.well-known/oauth-protected-resource?a=%22%0d%": true, // a query is opaque
	} {
		if err := (&errorsx.Writer{ResourceMetadata: url}).Check(); (err == nil) != ok {
			t.Errorf("%q: got %v", url, err)
		}
	}
	if err := (*errorsx.Writer)(nil).Check(); err != nil {
		t.Errorf("nil: %v", err)
	}
}
