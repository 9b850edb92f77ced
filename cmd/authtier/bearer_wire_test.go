package main

import (
	"strings"
	"testing"
)

func TestBearerHeader(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	user, base := w.tiersGrant().text("access_token"), w.clientToken("base")
	session, cookie := w.sessionLogin()
	sessionCookie := "Cookie: " + cookieOf(cookie)

	// Each header is sent to all three systems that read tokens.
	for _, system := range []struct {
		name, path, header, token string
		lines                     []string // what the route needs beside the token
		malformed                 int
		otherScheme, garbled      int
	}{
		{"tiers", "/user/me", "Authorization", user, []string{"X-API-KEY: my_api_key"}, 401, 401, 404},
		{"oauth2", "/v1/me", "Authorization", base, nil, 400, 401, 401},
		{"oauth2 where the query is read", "/v1/img/a", "Authorization", base, nil, 400, 401, 401},
		{"session", "/api/me", "X-Simplicite-Authorization", session, []string{sessionCookie}, 401, 401, 401},
	} {
		name := `"` + system.header + `"`
		missing := refusal{401, "AUTH-2", "invalid_request", challengeBare, name}
		malformed := refusal{system.malformed, "AUTH-3", "invalid_request", challengeBearer("invalid_request"), name}
		other := refusal{system.otherScheme, "AUTH-3", "invalid_request", challengeBare, name}
		garbled := refusal{system.garbled, "AUTH-12", "invalid_token", challengeBearer("invalid_token"), ""}
		for _, tt := range []struct {
			name   string
			values []string
			want   refusal
		}{
			{"H05 none", nil, missing},
			{"H05 empty", []string{""}, missing},
			{"H05 blanks", []string{" \t "}, missing},
			{"H05 scheme alone", []string{"Bearer"}, malformed},
			{"H05 scheme and a blank", []string{"Bearer "}, malformed},
			{"H05 Basic", []string{"Basic " + b64("a:b")}, other},
			{"H05 Basic alone", []string{"Basic"}, other},
			{"H05 unknown scheme", []string{"Negotiate abc"}, other},
			{"H05 no scheme", []string{"$"}, other},
			{"longer scheme", []string{"Bearers $"}, other},
			{"H01 two lines", []string{"Bearer $", "Bearer x"}, malformed},
			{"H01 the same line twice", []string{"Bearer $", "Bearer $"}, malformed},
			{"H01 two lines, the second empty", []string{"Bearer $", ""}, malformed},
			{"H01 two lines, the first empty", []string{"", "Bearer $"}, malformed},
			{"H02 two in one line", []string{"Bearer $, Bearer $"}, malformed},
			{"H02 a comma behind", []string{"Bearer $,"}, malformed},
			{"H02 a parameter", []string{`Bearer $ realm="x"`}, malformed},
			{"H04 a tab", []string{"Bearer\t$"}, malformed},
			{"H04 a blank and a tab", []string{"Bearer \t$"}, malformed},
			{"H04 a no-break space", []string{"Bearer\u00a0$"}, malformed},
			{"H07 folded line", []string{"Bearer $", "\n x"}, malformed},
			{"two tokens", []string{"Bearer $ $"}, malformed},
			{"H06 no ASCII", []string{"Bearer caf\xe9"}, malformed},
			{"J17 quoted", []string{`Bearer "$"`}, malformed},
			{"J17 JSON", []string{`Bearer {"payload":"x"}`}, malformed},
			{"an equals sign inside", []string{"Bearer a=b"}, malformed},
			{"equals signs alone", []string{"Bearer ==="}, malformed},
			{"an escape", []string{"Bearer a%20b"}, malformed},
			{"H08 over 8 KiB", []string{"Bearer " + strings.Repeat("a", 8192-6)}, malformed},
			{"J27 512 KiB", []string{"Bearer " + strings.Repeat("a", 512<<10)}, malformed},
			{"8 KiB", []string{"Bearer " + strings.Repeat("a", 8192-7)}, garbled},
			{"all of token68", []string{"Bearer aZ09-._~+/=="}, garbled},
			{"equals signs behind", []string{"Bearer $="}, garbled},
			{"the scheme twice", []string{"Bearer Bearer"}, garbled},
		} {
			t.Run(system.name+" "+tt.name, func(t *testing.T) {
				lines := system.lines[:len(system.lines):len(system.lines)]
				for _, v := range tt.values {
					v = strings.ReplaceAll(v, "$", system.token)
					if folded, ok := strings.CutPrefix(v, "\n"); ok {
						lines = append(lines, folded)
						continue
					}
					lines = append(lines, system.header+": "+v)
				}
				tt.want.check(t, w.rawTarget("GET", system.path, lines...))
			})
		}
		for _, value := range []string{"Bearer $", "bearer $", "BEARER $", "bEaReR   $", " Bearer $ "} {
			t.Run(system.name+" H03 "+value, func(t *testing.T) {
				lines := append(system.lines[:len(system.lines):len(system.lines)], system.header+": "+strings.ReplaceAll(value, "$", system.token))
				w.rawTarget("GET", system.path, lines...).want(t, 200, "")
			})
		}
	}
}

func cookieOf(o option) string {
	r := &req{header: map[string][]string{}}
	o(r)
	return r.header.Get("Cookie")
}

// Each route reads its own header and no other.
func TestTokenInAnotherHeaderIsNotRead(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	base, user := w.clientToken("base"), w.tiersGrant().text("access_token")
	session, cookie := w.sessionLogin()
	missing := func(name string) refusal { return refusal{401, "AUTH-2", "invalid_request", challengeBare, name} }
	w.exchanges(t, []exchange{
		{"H11 session token in Authorization", "GET", "/api/me", with(bearer(session), cookie), missing("X-Simplicite-Authorization")},
		{"H11 token in the custom header", "GET", "/v1/me", with(custom("Bearer " + base)), missing(`"Authorization"`)},
		{"H11 user token in the custom header", "GET", "/user/me", with(demoKey, custom("Bearer "+user)), missing(`"Authorization"`)},
		{"Proxy-Authorization", "GET", "/v1/me", with(header("Proxy-Authorization", "Bearer "+base)), missing(`"Authorization"`)},
		{"cookie", "GET", "/v1/me", with(header("Cookie", "access_token="+base+"; Authorization=Bearer "+base)), missing(`"Authorization"`)},
		{"body", "POST", "/v1/files", with(form("access_token", base)), missing(`"Authorization"`)},
		{"session token in the query", "GET", "/api/me?access_token=" + session, with(cookie), missing("X-Simplicite-Authorization")},
	})
	t.Run("H11 both disagree", func(t *testing.T) {
		a := w.do("GET", "/api/me", custom("Bearer "+session), bearer(base), cookie)
		a.want(t, 200, "")
		if a.text("user") != "demo" || a.text("client_id") != "" {
			t.Errorf("identity %s", a.body)
		}
		w.do("GET", "/v1/me", custom("garbage"), bearer(base)).want(t, 200, "")
	})
}

func TestQueryToken(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	files, base, upload, both := w.clientToken("files"), w.clientToken("base"), w.clientToken("upload_files"), w.clientToken("files base")
	mixed := w.clientToken("files upload_files")
	missing := refusal{401, "AUTH-2", "invalid_request", challengeBare, `"Authorization"`}
	malformed := refusal{400, "AUTH-3", "invalid_request", challengeBearer("invalid_request"), ""}
	garbled := refusal{401, "AUTH-12", "invalid_token", challengeBearer("invalid_token"), ""}
	exposed := refusal{403, "AUTH-7", "insufficient_scope", challengeScope("files"), ""}
	const img = "/v1/img/a.png?"

	w.exchanges(t, []exchange{
		{"a base token", "GET", img + "access_token=" + base, nil, exposed},
		{"another scope", "GET", img + "access_token=" + upload, nil, exposed},
		{"one safe scope and base", "GET", img + "access_token=" + both, nil, exposed},
		{"one safe scope and one that is not", "GET", img + "access_token=" + mixed, nil, exposed},
		{"garbled", "GET", img + "access_token=junk", nil, garbled},
		{"H13 empty", "GET", img + "access_token=", nil, malformed},
		{"H13 no value", "GET", img + "access_token", nil, malformed},
		{"H13 twice", "GET", img + "access_token=" + files + "&access_token=" + files, nil, malformed},
		{"H13 twice, one empty", "GET", img + "access_token=" + files + "&access_token=", nil, malformed},
		{"H13 twice, one escaped", "GET", img + "access_token=" + files + "&%61ccess_token=" + files, nil, malformed},
		{"H13 semicolon", "GET", img + "a;b&access_token=" + files, nil, malformed},
		{"H13 semicolon behind the token", "GET", img + "access_token=" + files + ";a=b", nil, malformed},
		{"H13 broken escape", "GET", img + "access_token=" + files + "&x=%zz", nil, malformed},
		{"H13 broken escape in the token", "GET", img + "access_token=%zz", nil, malformed},
		{"H13 broken query beside a header", "GET", img + "a;b=access_token", with(bearer(files)), malformed},
		{"H13 broken query alone", "GET", img + "x=%zz&y=access_token", nil, malformed},
		{"H13 broken query without a token", "GET", img + "x=%zz", nil, missing},
		{"H13 empty beside a header", "GET", img + "access_token=", with(bearer(files)), malformed},
		{"H12 beside a header", "GET", img + "access_token=" + files, with(bearer(files)), malformed},
		{"H12 beside another header", "GET", img + "access_token=" + files, with(bearer(base)), malformed},
		{"H12 beside two headers", "GET", img + "access_token=" + files, with(bearer(base), bearer(base)), malformed},
		{"J27 over 8 KiB", "GET", img + "access_token=" + strings.Repeat("a", 8193), nil, malformed},
		{"8 KiB", "GET", img + "access_token=" + strings.Repeat("a", 8192), nil, garbled},
		{"H13 brackets", "GET", img + "access_token[]=" + files, nil, missing},
		{"H13 mixed case", "GET", img + "Access_Token=" + files, nil, missing},
		{"H12 a route that reads none", "GET", "/v1/me?access_token=" + base, nil, missing},
		{"H12 POST", "POST", "/v1/files?access_token=" + upload, nil, missing},
		{"H12 broken query where none is read", "GET", "/v1/me?a;b&x=%zz", nil, missing},
		{"H12 tiers", "GET", "/user/me?access_token=" + base, with(demoKey), missing},
		{"H12 partner", "GET", "/partner/?access_token=" + base, nil, refusal{401, "AUTH-2", "invalid_request", challengeBasic, ""}},
	})
	for _, tt := range []struct {
		name, method, path string
		options            []option
	}{
		{"safe token", "GET", img + "access_token=" + files, nil},
		{"safe token, HEAD", "HEAD", img + "access_token=" + files, nil},
		{"safe token, name escaped", "GET", img + "%61ccess_token=" + files, nil},
		{"safe token, signature escaped", "GET", img + "access_token=" + strings.ReplaceAll(files, ".", "%2E"), nil},
		{"beside an empty header", "GET", img + "access_token=" + files, with(header("Authorization", ""))},
		{"beside other parameters", "GET", img + "a=1&access_token=" + files + "&a=2", nil},
		{"base by header", "GET", img + "a=1", with(bearer(base))},
		{"H12 beside a header where none is read", "GET", "/v1/me?access_token=junk&access_token=junk", with(bearer(base))},
		{"H12 broken query where none is read", "GET", "/v1/me?a;b&access_token=%zz", with(bearer(base))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if a := w.do(tt.method, tt.path, tt.options...); a.status != 200 {
				t.Errorf("got %d %s, want 200", a.status, a.body)
			}
		})
	}
	t.Run("H12 POST beside a header", func(t *testing.T) {
		w.do("POST", "/v1/files?access_token=junk&a;b", bearer(upload)).want(t, 201, "")
	})
	t.Run("HEAD refused", func(t *testing.T) {
		a := w.do("HEAD", img+"access_token="+base)
		if a.status != 403 || a.body != "" || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), challengeBare+`, error="insufficient_scope"`) {
			t.Errorf("got %d %q %q", a.status, a.header.Get("WWW-Authenticate"), a.body)
		}
	})
}

func TestQueryTokenWithoutScopeIsExposed(t *testing.T) {
	t.Parallel()
	f := startForger(t)
	token := f.forge(t, f.clientToken("files"), nil, rawJSON{"scope": ""})
	refusal{403, "AUTH-7", "insufficient_scope", challengeScope("files"), ""}.check(t, f.do("GET", "/v1/img/a?access_token="+token))
}
