package middleware_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// echo accepts every credential and keeps the last one.
type echo struct{ last middleware.Credential }

func (e *echo) Validate(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
	e.last = c
	return &middleware.Identity{Issuer: "i", Client: "c"}, nil
}

func b64std(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestHeaders(t *testing.T) {
	long := strings.Repeat("a", 8192)
	for _, tt := range []struct {
		name   string
		guard  func(middleware.Validator) middleware.Wrapper
		values []string
		want   string // a code, or the credential
	}{
		{"H05 absent", bearerOf, nil, "AUTH-2"},
		{"H05 empty", bearerOf, []string{""}, "AUTH-2"},
		{"H05 scheme alone", bearerOf, []string{"Bearer"}, "AUTH-3"},
		{"H05 scheme and blank", bearerOf, []string{"Bearer "}, "AUTH-3"},
		{"H05 another scheme", bearerOf, []string{"Basic YTpi"}, "AUTH-3"},
		{"H01 two", bearerOf, []string{"Bearer a", "Bearer a"}, "AUTH-3"},
		{"H01 two, one empty", bearerOf, []string{"", "Bearer a"}, "AUTH-3"},
		{"H02 list", bearerOf, []string{"Bearer a, Bearer b"}, "AUTH-3"},
		{"H03 lower case", bearerOf, []string{"bearer abc"}, ":abc"},
		{"H03 upper case", bearerOf, []string{"BEARER abc"}, ":abc"},
		{"H04 spaces", bearerOf, []string{"Bearer   abc"}, ":abc"},
		{"H04 tab", bearerOf, []string{"Bearer\tabc"}, "AUTH-3"},
		{"H04 NBSP", bearerOf, []string{"Bearer\u00a0abc"}, "AUTH-3"},
		{"H06 NUL", bearerOf, []string{"Bearer a\x00b"}, "AUTH-3"},
		{"H06 high byte", bearerOf, []string{"Bearer a\xffb"}, "AUTH-3"},
		{"H07 folded line", bearerOf, []string{"Bearer a b"}, "AUTH-3"},
		{"H08 8192 bytes", bearerOf, []string{"Bearer " + long[7:]}, ":" + long[7:]},
		{"H08 8193 bytes", bearerOf, []string{"Bearer " + long[6:]}, "AUTH-3"},
		{"padding inside", bearerOf, []string{"Bearer a=b"}, "AUTH-3"},
		{"padding alone", bearerOf, []string{"Bearer =="}, "AUTH-3"},
		{"all of token68", bearerOf, []string{"Bearer aZ09-._~+/=="}, ":aZ09-._~+/=="},

		{"H09 no colon", basicOf, []string{"Basic " + b64std("ab")}, "AUTH-3"},
		{"H09 colon alone", basicOf, []string{"Basic " + b64std(":")}, "AUTH-1"},
		{"H09 no secret", basicOf, []string{"Basic " + b64std("id:")}, "AUTH-1"},
		{"H09 no user", basicOf, []string{"Basic " + b64std(":s")}, "AUTH-1"},
		{"H09 two colons", basicOf, []string{"Basic " + b64std("a:b:c")}, "a:b:c"},
		{"H09 UTF-8", basicOf, []string{"basic  " + b64std("é:ü")}, "é:ü"},
		{"H09 not UTF-8", basicOf, []string{"Basic " + b64std("a:\xff")}, "AUTH-3"},
		{"H09 bad base64", basicOf, []string{"Basic !!!!"}, "AUTH-3"},
		{"H09 URL-safe", basicOf, []string{"Basic " + base64.URLEncoding.EncodeToString([]byte("a:??>>"))}, "AUTH-3"},
		{"H09 unpadded", basicOf, []string{"Basic " + base64.RawStdEncoding.EncodeToString([]byte("a:bc"))}, "AUTH-3"},
		{"H09 stray bits", basicOf, []string{"Basic YWI6Yz=="}, "AUTH-3"},
		{"H09 line break", basicOf, []string{"Basic YWI6\nYw=="}, "AUTH-3"},
		{"H09 NUL inside", basicOf, []string{"Basic " + b64std("a:b\x00")}, "AUTH-3"},
		{"H09 C1 control inside", basicOf, []string{"Basic " + b64std("a:b\u0085")}, "AUTH-3"},
		{"H05 scheme alone, Basic", basicOf, []string{"Basic "}, "AUTH-3"},

		{"key", keyOf, []string{"my_api_key"}, ":my_api_key"},
		{"key with blank and comma", keyOf, []string{"a, b"}, ":a, b"},
		{"H14 twice", keyOf, []string{"a", "a"}, "AUTH-3"},
		{"H14 twice, one empty", keyOf, []string{"a", ""}, "AUTH-3"},
		{"H14 empty", keyOf, []string{""}, "AUTH-2"},
		{"key with a high byte", keyOf, []string{"a\xe9"}, "AUTH-3"},
		{"key with a tab", keyOf, []string{"a\tb"}, "AUTH-3"},
		{"H08 key of 8192 bytes", keyOf, []string{long}, ":" + long},
		{"H08 key of 8193 bytes", keyOf, []string{long + "a"}, "AUTH-3"},
	} {
		v := &echo{}
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Header["Authorization"], r.Header["X-Api-Key"] = tt.values, tt.values
		tt.guard(v)(whoami).ServeHTTP(w, r)
		got := code(w)
		if w.Code == 200 {
			got = v.last.Username + ":" + v.last.Secret
		}
		if got != tt.want {
			t.Errorf("%s: got %.60s, want %.60s", tt.name, got, tt.want)
		}
	}
}

func bearerOf(v middleware.Validator) middleware.Wrapper {
	return middleware.Bearer(v, nil)
}

func basicOf(v middleware.Validator) middleware.Wrapper {
	return middleware.Basic(v, nil)
}

func keyOf(v middleware.Validator) middleware.Wrapper {
	return middleware.APIKey(v, nil)
}

func TestH14OtherNamesAreNotRead(t *testing.T) {
	for _, line := range []string{"X_API_KEY: my_api_key", "X-API_KEY: my_api_key"} {
		if w := serve(keyOf(&echo{})(whoami), "GET", "/?X-API-KEY=my_api_key", line); code(w) != "AUTH-2" {
			t.Errorf("%s: got %d %s", line, w.Code, w.Body)
		}
	}
}

// FuzzBearer tests that a header is either refused as the client's fault, or read as
// one token. A header with that token alone must be read as the same token.
func FuzzBearer(f *testing.F) {
	for _, h := range []string{"Bearer abc", "bearer  abc==", "Bearer", "Basic YTpi", "Bearer a, b", "Bearer\tx", ""} {
		f.Add(h)
	}
	f.Fuzz(func(t *testing.T, h string) {
		v := &echo{}
		read := func(h string) (string, bool) {
			r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
			r.Header["Authorization"] = []string{h}
			bearerOf(v)(whoami).ServeHTTP(w, r)
			if w.Code != 200 && w.Code != 401 {
				t.Errorf("%q: got %d %s", h, w.Code, w.Body)
			}
			return v.last.Secret, w.Code == 200
		}
		token, ok := read(h)
		if !ok {
			return
		}
		if again, ok := read("Bearer " + token); !ok || again != token {
			t.Errorf("%q is read as %q, which is read as %q, %t", h, token, again, ok)
		}
	})
}

// FuzzBasic tests that an accepted header is the only encoding of the credential that
// is read from it.
func FuzzBasic(f *testing.F) {
	for _, h := range []string{"Basic " + b64std("a:b"), "basic  " + b64std("é::"), "Basic YWI6Yz==", "Basic Og==", "Bearer x", "Basic"} {
		f.Add(h)
	}
	f.Fuzz(func(t *testing.T, h string) {
		c, err := middleware.ReadBasic(&http.Request{Header: http.Header{"Authorization": {h}}}, "authorization")
		if err != nil {
			if e := errorsx.From(err); e.Code > errorsx.CredentialsMalformed {
				t.Errorf("%q: refused with %v", h, err)
			}
			return
		}
		encoded := strings.TrimLeft(h[len("Basic"):], " ")
		if b64std(c.Username+":"+c.Secret) != encoded || strings.Contains(c.Username, ":") {
			t.Errorf("%q is read as %q, %q", h, c.Username, c.Secret)
		}
	})
}
