package main

import (
	"slices"
	"strings"
	"testing"
)

func TestAPIKeyHeader(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	missing := refusal{401, "AUTH-2", "invalid_request", challengeKey, `"X-API-KEY"`}
	malformed := refusal{401, "AUTH-3", "invalid_request", challengeKey, `"X-API-KEY"`}
	wrong := refusal{401, "AUTH-1", "invalid_token", challengeKey, ""}
	for _, tt := range []struct {
		name  string
		lines []string
		want  refusal
	}{
		{"none", nil, missing},
		{"H05 one empty", []string{"X-API-KEY:"}, missing},
		{"H05 one of blanks", []string{"X-API-KEY:  \t "}, missing},
		{"H14 two", []string{"X-API-KEY: my_api_key", "X-API-KEY: other"}, malformed},
		{"H14 the same twice", []string{"X-API-KEY: my_api_key", "x-api-key: my_api_key"}, malformed},
		{"H14 two, the first empty", []string{"X-API-KEY:", "X-API-KEY: my_api_key"}, malformed},
		{"H14 two, the second empty", []string{"X-API-KEY: my_api_key", "X-API-KEY:"}, malformed},
		{"H14 two, both empty", []string{"X-API-KEY:", "X-API-KEY:"}, malformed},
		{"H06 a tab inside", []string{"X-API-KEY: my_\tapi_key"}, malformed},
		{"H06 no ASCII", []string{"X-API-KEY: my_api_k\xe9y"}, malformed},
		{"H06 UTF-8", []string{"X-API-KEY: my_api_kéy"}, malformed},
		{"H06 a no-break space behind", []string{"X-API-KEY: my_api_key\u00a0"}, malformed},
		{"H08 over 8 KiB", []string{"X-API-KEY: " + strings.Repeat("a", 8193)}, malformed},
		{"H08 512 KiB", []string{"X-API-KEY: " + strings.Repeat("a", 512<<10)}, malformed},
		{"8 KiB", []string{"X-API-KEY: " + strings.Repeat("a", 8192)}, wrong},
		{"unknown", []string{"X-API-KEY: other"}, wrong},
		{"H14 a comma is a character", []string{"X-API-KEY: my_api_key,my_api_key"}, wrong},
		{"H14 a comma and a blank", []string{"X-API-KEY: my_api_key, other"}, wrong},
		{"H07 folded line", []string{"X-API-KEY: my_", " api_key"}, wrong},
		{"in another case", []string{"X-API-KEY: MY_API_KEY"}, wrong},
		{"cut", []string{"X-API-KEY: my_api_ke"}, wrong},
		{"longer", []string{"X-API-KEY: my_api_key1"}, wrong},
		{"quoted", []string{`X-API-KEY: "my_api_key"`}, wrong},
		{"with a scheme", []string{"X-API-KEY: ApiKey my_api_key"}, wrong},
		{"T06 a pattern", []string{"X-API-KEY: my%"}, wrong},
		{"generated look, wrong checksum", []string{"X-API-KEY: authtier_key_" + strings.Repeat("0", 49)}, wrong},
		{"H14 with underscores", []string{"X_API_KEY: my_api_key"}, missing},
		{"H14 another spelling", []string{"XAPIKEY: my_api_key", "X-Api-Key2: my_api_key"}, missing},
		{"in Authorization", []string{"Authorization: ApiKey my_api_key"}, missing},
		{"in a cookie", []string{"Cookie: X-API-KEY=my_api_key"}, missing},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.want.check(t, w.rawTarget("GET", "/public/ping", tt.lines...)) })
	}
	t.Run("H14 in the query", func(t *testing.T) {
		missing.check(t, w.do("GET", "/public/ping?X-API-KEY=my_api_key&api_key=my_api_key"))
	})
	t.Run("in a trailer", func(t *testing.T) {
		missing.check(t, w.raw("POST /public/token HTTP/1.1\r\nHost: h\r\nTrailer: X-API-KEY\r\nTransfer-Encoding: chunked\r\n\r\n"+
			"2\r\n{}\r\n0\r\nX-API-KEY: my_api_key\r\n\r\n"))
	})
	for name, line := range map[string]string{
		"as documented": "X-API-KEY: my_api_key", "the name in another case": "x-aPI-key: my_api_key", "blanks around": "X-API-KEY: \t my_api_key \t",
	} {
		t.Run(name, func(t *testing.T) { wantPong(t, w.rawTarget("GET", "/public/ping", line)) })
	}
}

func wantPong(t *testing.T, a *answer) {
	t.Helper()
	if a.status != 200 || a.body != "pong" {
		t.Errorf("got %d %s, want 200 pong", a.status, a.body)
	}
}

// keptFrom checks what an answer says to shared caches.
func (a *answer) keptFrom(t *testing.T, cache, referrer string, vary ...string) {
	t.Helper()
	var got []string
	for _, line := range a.header.Values("Vary") {
		for name := range strings.SplitSeq(line, ",") {
			got = append(got, strings.ToLower(strings.TrimSpace(name)))
		}
	}
	slices.Sort(got)
	for i, name := range vary {
		vary[i] = strings.ToLower(name)
	}
	slices.Sort(vary)
	if !slices.Equal(got, vary) || a.header.Get("Cache-Control") != cache || a.header.Get("Referrer-Policy") != referrer {
		t.Errorf("Vary %q, Cache-Control %q, Referrer-Policy %q, want %q, %q, %q",
			got, a.header.Get("Cache-Control"), a.header.Get("Referrer-Policy"), vary, cache, referrer)
	}
}

// Shared caches protect only requests with an Authorization header by themselves (C20).
func TestAnswersSayWhatTheyDependOn(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	user := w.tiersGrant().text("access_token")
	files, base, upload := w.clientToken("files"), w.clientToken("base"), w.clientToken("upload_files")
	session, cookie := w.sessionLogin()
	partner := basic("demo-partner", "demo-partner-secret")
	for _, tt := range []struct {
		name, method, path string
		options            []option
		status             int
		cache, referrer    string
		vary               []string
	}{
		{"API key", "GET", "/public/ping", with(demoKey), 200, "private", "", []string{"X-API-KEY"}},
		{"API key, HEAD", "HEAD", "/public/ping", with(demoKey), 200, "private", "", []string{"X-API-KEY"}},
		{"API key and token", "GET", "/user/me", with(demoKey, bearer(user)), 200, "private", "", []string{"X-API-KEY"}},
		{"API key, no such path", "GET", "/public/x", with(demoKey), 404, "no-store", "", []string{"X-API-KEY"}},
		{"API key, wrong method", "PUT", "/public/ping", with(demoKey), 405, "no-store", "", []string{"X-API-KEY"}},
		{"API key, token refused", "GET", "/user/me", with(demoKey, bearer("x")), 404, "no-store", "", []string{"X-API-KEY"}},
		{"API key, handler's own", "POST", "/public/token", with(demoKey, form("grant_type", "refresh_token")), 422, "no-store", "", []string{"X-API-KEY"}},
		{"custom header and cookie", "GET", "/api/me", with(custom("Bearer "+session), cookie), 200, "private", "", []string{"X-Simplicite-Authorization", "Cookie"}},
		{"query token", "GET", "/v1/img/a?access_token=" + files, nil, 200, "private", "no-referrer", []string{"Authorization"}},
		{"query token, HEAD", "HEAD", "/v1/img/a?access_token=" + files, nil, 200, "private", "no-referrer", []string{"Authorization"}},
		{"Authorization alone", "GET", "/v1/me", with(bearer(base)), 200, "", "", nil},
		{"Authorization where the query is read", "GET", "/v1/img/a", with(bearer(files)), 200, "", "", nil},
		{"Authorization, scope refused", "GET", "/v1/me", with(bearer(upload)), 403, "no-store", "", nil},
		{"Basic", "GET", "/partner/onboarding", with(partner), 200, "", "", nil},
		{"nobody", "GET", "/ext/ping", nil, 200, "", "", nil},
		{"a key that nobody needs", "GET", "/ext/ping", with(demoKey), 200, "", "", nil},
		{"login", "GET", "/api/login", with(custom("Basic ZGVtbzpkZW1vLXBhc3N3b3Jk")), 200, "no-store", "", []string{"X-Simplicite-Authorization"}},
		{"logout", "POST", "/api/logout", with(custom("Bearer "+session), cookie), 204, "no-store", "", []string{"X-Simplicite-Authorization", "Cookie"}},
	} {
		t.Run("C20 "+tt.name, func(t *testing.T) {
			a := w.do(tt.method, tt.path, tt.options...)
			if a.status != tt.status {
				t.Errorf("got %d %s, want %d", a.status, a.body, tt.status)
			}
			a.keptFrom(t, tt.cache, tt.referrer, tt.vary...)
		})
	}
}
