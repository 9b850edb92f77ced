package main

import (
	"net/url"
	"strings"
	"testing"
)

const callback = "http://127.0.0.1:9/callback"

func TestD03LoginRedirects(t *testing.T) {
	w := sharedDemo(t)
	for _, tt := range []struct {
		name, method, uri, query string
		body                     option
		status                   int
		state                    string // kept, "" where there is none
	}{
		{"GET", "GET", callback, "", nil, 302, ""},
		{"POST", "POST", callback, "", nil, 303, ""},
		{"POST with a form", "POST", "", "", form("redirect_uri", callback, "username", "demo", "password", "demo-password"), 303, ""},
		{"POST with a multipart form", "POST", "", "", multipartBody("redirect_uri", callback), 303, ""},
		{"query and form agree", "POST", callback, "", form("redirect_uri", callback), 303, ""},
		{"state", "GET", callback + "?state=abc", "", nil, 302, "abc"},
		{"state with reserved characters", "GET", callback + "?state=a%26b%3Dc%20%2B%23", "", nil, 302, "a&b=c +#"},
		{"state in UTF-8", "GET", callback + "?state=%C3%A9", "", nil, 302, "é"},
		{"state with line breaks D04", "GET", callback + "?state=%0d%0aSet-Cookie:%20x=y", "", nil, 302, "\r\nSet-Cookie: x=y"},
		{"state like a URL", "GET", callback + "?state=http%3A%2F%2Fevil.example%2F", "", nil, 302, "http://evil.example/"},
		{"before _oauth2", "GET", callback, "&_oauth2=true", nil, 302, ""},
		{"before _output", "GET", callback, "&_output=json", nil, 302, ""},
		{"before _json", "GET", callback, "&_json=true", nil, 302, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			options := []option{header("Accept", "application/json")}
			if tt.body != nil {
				options = append(options, tt.body)
			}
			if tt.name != "POST with a form" {
				options = append(options, asDemoUser)
			}
			a := w.do(tt.method, "/api/login?redirect_uri="+url.QueryEscape(tt.uri)+tt.query, options...)
			a.want(t, tt.status, "")
			to, err := url.Parse(a.header.Get("Location"))
			if err != nil || to.Scheme+"://"+to.Host+to.EscapedPath() != callback || to.Fragment != "" || to.User != nil {
				t.Fatalf("Location is %q", a.header.Get("Location"))
			}
			q, err := url.ParseQuery(to.RawQuery)
			if err != nil || len(q["access_token"]) != 1 || q.Get("state") != tt.state || q.Has("state") != (tt.state != "") {
				t.Fatalf("Location's query is %q: %v", to.RawQuery, err)
			}
			if len(q) > 2 || strings.Contains(a.body, q.Get("access_token")) {
				t.Errorf("Location's query is %q, body %q", to.RawQuery, a.body)
			}
			if a.header.Get("Referrer-Policy") != "no-referrer" || a.header.Get("Cache-Control") != "no-store" { // D03
				t.Errorf("headers %v", a.header)
			}
			if len(a.cookies()) != 1 {
				t.Fatalf("cookies %v, want one", a.cookies())
			}
			s := opened{q.Get("access_token"), a.cookies()[0].Value}
			s.call(w, "GET", "/api/me").want(t, 200, "")
			s.cookie = ""
			s.call(w, "GET", "/api/me").want(t, 401, "AUTH-1")
		})
	}
}

func TestRedirectElsewhereIsRefused(t *testing.T) {
	w := sharedDemo(t)
	const long = 9000
	for _, uri := range []string{
		// D01
		"//evil.example", "//127.0.0.1:9/callback", `/\evil.example`, `\\evil.example`, "///evil.example", "/%09/evil.example",
		"https:evil.example", "javascript:alert(1)", "data:text/html,x", "/callback", "callback", "?", "#", ".", "*",
		"http://127.0.0.1:9@evil.example/callback", `http://127.0.0.1:9\@evil.example/callback`,
		"http://evil.example/callback", "http://evil.example/?" + callback, "http://evil.example/#" + callback,
		"http://127.0.0.1:9.evil.example/callback", "http://evil.example:9/callback", "/..//evil.example",
		callback + "\r\nSet-Cookie: x=y", callback + "\n", "\n" + callback, "http://127.0.0.1:9/\tcallback", callback + "\x00",
		`http:\\127.0.0.1:9\callback`, `http://127.0.0.1:9\callback`, "http:/127.0.0.1:9/callback", "http:127.0.0.1:9/callback",
		// D02
		"https://127.0.0.1:9/callback", "HTTP://127.0.0.1:9/callback", "http://localhost:9/callback", "http://[::1]:9/callback",
		"http://[::ffff:127.0.0.1]:9/callback", "http://127.1:9/callback", "http://2130706433:9/callback", "http://0177.0.0.1:9/callback",
		"http://①27.0.0.1:9/callback", "http://127.0.0.1.:9/callback", "http://127.0.0.1/callback", "http://127.0.0.1:/callback",
		"http://127.0.0.1:90/callback", "http://127.0.0.1:09/callback", "http://127.0.0.1:9", "http://127.0.0.1:9/",
		callback + "/", callback + "x", "http://127.0.0.1:9/Callback", "http://127.0.0.1:9//callback", "http://127.0.0.1:9/./callback",
		"http://127.0.0.1:9/callback/../x", "http://127.0.0.1:9/x/../callback", "http://127.0.0.1:9/callback/..", "http://127.0.0.1:9/%63allback",
		"http://127.0.0.1:9/callback%2f", callback + ";x", " " + callback, callback + " ", callback + "%20",
		"http://u@127.0.0.1:9/callback", "http://u:p@127.0.0.1:9/callback", "http://@127.0.0.1:9/callback", "http://:@127.0.0.1:9/callback",
		callback + "#", callback + "#x", callback + "?state=1#x", callback + "?state=1#", callback + "#?state=1",
		callback + "?access_token=x", callback + "?state=1&access_token=x", callback + "?state=1&%61ccess_token=x", callback + "?Access_Token=x",
		callback + "?state=1&state=1", callback + "?state=1&%73tate=2", callback + "?State=1", callback + "?state[]=1",
		callback + "?x=1", callback + "?state=1&x=1", callback + "?state=1;x=1", callback + "?state=%zz", callback + "?=1",
		callback + "?state=1?access_token=x&y=z", callback + strings.Repeat("/", long),
	} {
		t.Run(uri[:min(len(uri), 60)]+" D01 D02", func(t *testing.T) {
			for _, a := range []*answer{
				w.do("GET", "/api/login?redirect_uri="+url.QueryEscape(uri), asDemoUser),
				w.do("POST", "/api/login", asDemoUser, form("redirect_uri", uri)),
			} {
				a.want(t, 400, "AUTH-6")
				wantNoSession(t, a)
				if !strings.Contains(a.text("message"), "redirect_uri") || strings.Contains(a.body, "evil") {
					t.Errorf("body %s", a.body)
				}
			}
		})
	}
	for name, a := range map[string]*answer{
		"repeated O01":                 w.do("GET", "/api/login?redirect_uri="+callback+"&redirect_uri="+callback, asDemoUser),
		"query and form disagree":      w.do("POST", "/api/login?redirect_uri="+callback, asDemoUser, form("redirect_uri", callback+"?state=1")),
		"refused before _json":         w.do("GET", "/api/login?_json=true&redirect_uri=http://evil.example/", asDemoUser),
		"refused in spite of _output":  w.do("GET", "/api/login?_output=json&redirect_uri=http://evil.example/", asDemoUser),
		"allowed, but _output unknown": w.do("GET", "/api/login?_output=x&redirect_uri="+callback, asDemoUser),
	} {
		t.Run(name, func(t *testing.T) {
			a.want(t, 400, "AUTH-6")
			wantNoSession(t, a)
		})
	}
}
