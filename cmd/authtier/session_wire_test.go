package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// asDemoUser is the login of the session system.
var asDemoUser = basic("demo", "demo-password")

// sessionHeader sends the session system's own header.
func sessionHeader(value string) option { return header("X-Simplicite-Authorization", value) }

// An opened session holds the token and the cookie of a login.
type opened struct{ token, cookie string }

func openSession(t *testing.T, w *wire) opened {
	t.Helper()
	a := w.do("GET", "/api/login?_json=true", asDemoUser)
	a.want(t, 200, "")
	return opened{a.text("authtoken"), a.text("sessionid")}
}

func (o opened) call(w *wire, method, path string, options ...option) *answer {
	return w.do(method, path, append(options, sessionHeader("Bearer "+o.token), header("Cookie", "JSESSIONID="+o.cookie))...)
}

func (a *answer) cookies() []*http.Cookie { return (&http.Response{Header: a.header}).Cookies() }

// wantNoSession checks that a refused login set no cookie and returned no token.
func wantNoSession(t *testing.T, a *answer) {
	t.Helper()
	if len(a.cookies()) > 0 || a.header.Get("Location") != "" || strings.Contains(a.body, "authtier_st") {
		t.Errorf("a refusal with cookies %v, Location %q, body %s", a.cookies(), a.header.Get("Location"), a.body)
	}
}

func TestLoginCredentials(t *testing.T) {
	w := sharedDemo(t)
	right := "Basic ZGVtbzpkZW1vLXBhc3N3b3Jk"
	wrong := "Basic ZGVtbzp3cm9uZw=="
	fields := []string{"username", "demo", "password", "demo-password"}
	query := "?username=demo&password=demo-password"
	for _, tt := range []struct {
		name, method, query string
		options             []option
		code                string // "" if the login succeeds
	}{
		{"custom header", "GET", "", []option{sessionHeader(right)}, ""},
		{"custom header, POST", "POST", "", []option{sessionHeader(right)}, ""},
		{"Authorization", "GET", "", []option{header("Authorization", right)}, ""},
		{"Authorization, POST", "POST", "", []option{header("Authorization", right)}, ""},
		{"urlencoded form", "POST", "", []option{form(fields...)}, ""},
		{"multipart form", "POST", "", []option{multipartBody(fields...)}, ""},
		{"query", "GET", query, nil, ""},
		{"empty headers count as missing", "GET", query, []option{sessionHeader(""), header("Authorization", "")}, ""},
		{"empty headers and form", "POST", "", []option{sessionHeader(""), header("Authorization", ""), form(fields...)}, ""},
		{"empty custom header", "GET", "", []option{sessionHeader(""), header("Authorization", right)}, ""},

		{"custom header before Authorization", "GET", "", []option{sessionHeader(right), header("Authorization", wrong)}, ""},
		{"custom header before a garbled Authorization", "GET", "", []option{sessionHeader(right), header("Authorization", "?")}, ""},
		{"custom header before several Authorization", "GET", "", []option{sessionHeader(right), header("Authorization", wrong), header("Authorization", wrong)}, ""},
		{"Authorization before the form", "POST", "", []option{header("Authorization", right), form("username", "demo", "password", "wrong")}, ""},
		{"Authorization before the query", "GET", "?username=demo&password=wrong", []option{header("Authorization", right)}, ""},
		{"form alone on POST", "POST", "?username=demo&password=wrong", []option{form(fields...)}, ""},

		{"wrong custom header decides H11", "GET", "", []option{sessionHeader(wrong), header("Authorization", right)}, "AUTH-1"},
		{"malformed custom header decides", "GET", "", []option{sessionHeader("Basic ?"), header("Authorization", right)}, "AUTH-3"},
		{"custom header of another scheme decides", "GET", "", []option{sessionHeader("Bearer x"), header("Authorization", right)}, "AUTH-3"},
		{"several custom headers decide", "GET", "", []option{sessionHeader(right), sessionHeader(right), header("Authorization", right)}, "AUTH-3"},
		{"wrong Authorization decides", "POST", "", []option{header("Authorization", wrong), form(fields...)}, "AUTH-1"},
		{"malformed Authorization decides", "POST", "", []option{header("Authorization", "Basic"), form(fields...)}, "AUTH-3"},
		{"Authorization of another scheme decides", "GET", query, []option{bearer("x")}, "AUTH-3"},
		{"wrong form decides", "POST", query, []option{form("username", "demo", "password", "wrong")}, "AUTH-1"},

		{"nothing", "GET", "", nil, "AUTH-2"},
		{"nothing, POST", "POST", "", nil, "AUTH-2"},
		{"query on POST", "POST", query, nil, "AUTH-2"},
		{"query on POST with a form", "POST", query, []option{form("x", "y")}, "AUTH-2"},
		{"JSON body", "POST", "", []option{body(mimeJSON, `{"username":"demo","password":"demo-password"}`)}, "AUTH-2"},
		{"unknown user", "GET", "", []option{basic("nobody", "demo-password")}, "AUTH-1"},
		{"another system's user", "GET", "", []option{basic(userLogin, userPassword)}, "AUTH-1"},
		{"another system's client", "GET", "", []option{asDemoClient}, "AUTH-1"},
		{"no password", "GET", "", []option{basic("demo", "")}, "AUTH-1"},
		{"no login", "GET", "", []option{basic("", "demo-password")}, "AUTH-1"},
		{"wrong password in the query", "GET", "?username=demo&password=wrong", nil, "AUTH-1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.do(tt.method, "/api/login"+tt.query, tt.options...)
			if tt.code == "" {
				a.want(t, 200, "")
				if len(a.cookies()) != 1 || a.cookies()[0].Value == "" {
					t.Errorf("cookies %v, want one", a.cookies())
				}
				return
			}
			a.want(t, 401, tt.code)
			wantNoSession(t, a)
			if got := a.header.Get("WWW-Authenticate"); got != `Basic realm="api", charset="UTF-8"` {
				t.Errorf("WWW-Authenticate is %q", got)
			}
			if got := a.header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control is %q O10", got)
			}

			// A browser must not open its own dialog for a script.
			script := w.do(tt.method, "/api/login"+tt.query, append(tt.options, header("Sec-Fetch-Dest", "empty"))...)
			script.want(t, 401, tt.code)
			wantNoSession(t, script)
			if got := script.header.Values("WWW-Authenticate"); !slices.Equal(got, []string{challengeBare}) {
				t.Errorf("WWW-Authenticate for a script is %q", got)
			}
			if script.body != a.body {
				t.Errorf("the body for a script is %s, want %s", script.body, a.body)
			}
		})
	}
	for name, a := range map[string]*answer{
		"form without password":  w.do("POST", "/api/login", form("username", "demo")),
		"form without username":  w.do("POST", "/api/login", form("password", "demo-password")),
		"form, empty password":   w.do("POST", "/api/login", form("username", "demo", "password", "")),
		"query without password": w.do("GET", "/api/login?username=demo"),
		"query without username": w.do("GET", "/api/login?password=demo-password"),
		"half in form and query": w.do("POST", "/api/login?password=demo-password", form("username", "demo")),
	} {
		if a.status != 401 {
			t.Errorf("%s: got %d %s", name, a.status, a.body)
		}
		wantNoSession(t, a)
	}
}

func TestQueryCredentialsNeverGoWithARedirect(t *testing.T) {
	w := sharedDemo(t)
	const query = "username=demo&password=demo-password"
	for _, a := range []*answer{
		w.do("GET", "/api/login?"+query+"&redirect_uri=http://127.0.0.1:9/callback"),
		w.do("GET", "/api/login?redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fcallback&"+query),
	} {
		a.want(t, 401, "AUTH-2")
		wantNoSession(t, a)
	}
}

func TestLoginOutputs(t *testing.T) {
	w := sharedDemo(t)
	accept := func(values ...string) option {
		return func(r *req) { r.header["Accept"] = values }
	}
	none := form()
	const text, object, oauth2 = "text", "JSON", "oauth2"
	for _, tt := range []struct {
		name, query string
		body        option // of a POST
		accept      option
		want        string
	}{
		{"nothing", "", nil, accept(), text},
		{"nothing, POST", "", none, accept(), text},
		{"_json", "_json=true", nil, accept(), object},
		{"_json on POST", "_json=true", none, accept(), object},
		{"_json in a form", "", form("_json", "true"), accept(), object},
		{"_json in a multipart form", "", multipartBody("_json", "true"), accept(), object},
		{"_json in both", "_json=true", form("_json", "true"), accept(), object},
		{"_json without value", "_json=", nil, accept(), text},
		{"_json=false", "_json=false", nil, accept(), text},
		{"_output", "_output=json", nil, accept(), object},
		{"_output in a form", "", form("_output", "json"), accept(), object},
		{"_output and _json", "_output=json&_json=true", nil, accept(), object},
		{"_output before Accept", "_output=json", nil, accept("text/plain"), object},
		{"_json before Accept", "_json=true", nil, accept("text/plain"), object},
		{"_oauth2=false", "_oauth2=false", nil, accept(), text},

		{"Accept names JSON", "", nil, accept("application/json"), object},
		{"Accept names JSON, POST", "", none, accept("application/json"), object},
		{"Accept names JSON in upper case", "", nil, accept("Application/JSON"), object},
		{"Accept names JSON with a weight", "", nil, accept("text/html, application/json;q=0.9"), object},
		{"Accept names JSON in the second line", "", nil, accept("text/html", "application/json"), object},
		{"Accept names text too", "", nil, accept("application/json, text/plain;q=0.1"), text},
		{"Accept names text in another line", "", nil, accept("application/json", "text/plain"), text},
		{"Accept names all too", "", nil, accept("application/json, */*"), text},
		{"Accept names all", "", nil, accept("*/*"), text},
		{"Accept names a type of JSON", "", nil, accept("application/problem+json"), text},
		{"Accept names something else", "", nil, accept("text/html"), text},

		{"_oauth2", "_oauth2=true", nil, accept(), oauth2},
		{"_oauth2 in a form", "", form("_oauth2", "true"), accept(), oauth2},
		{"_output=oauth2", "_output=oauth2", nil, accept(), oauth2},
		{"_oauth2 and _output", "_oauth2=true&_output=oauth2", nil, accept(), oauth2},
		{"_oauth2 before _json", "_oauth2=true&_json=true", nil, accept(), oauth2},
		{"_output=oauth2 before _json", "_output=oauth2&_json=true", nil, accept(), oauth2},
		{"_oauth2 before Accept", "_oauth2=true", nil, accept("application/json"), oauth2},

		{"_json in neither form", "_json=maybe", nil, accept(), "AUTH-6"},
		{"_oauth2 in neither form", "_oauth2=1", nil, accept(), "AUTH-6"},
		{"unknown _output", "_output=xml", nil, accept(), "AUTH-6"},
		{"_output twice", "_output=json&_output=oauth2", nil, accept(), "AUTH-6"},
		{"_json twice O01", "_json=true&_json=false", nil, accept(), "AUTH-6"},
		{"query and form contradict each other", "_json=true", form("_json", "false"), accept(), "AUTH-6"},
		{"_output of query and form contradict each other", "_output=json", form("_output", "oauth2"), accept(), "AUTH-6"},
		{"_output contradicts _json=false", "_output=json&_json=false", nil, accept(), "AUTH-6"},
		{"_output contradicts _oauth2=false", "_output=oauth2&_oauth2=false", nil, accept(), "AUTH-6"},
		{"_output contradicts _oauth2", "_output=json&_oauth2=true", nil, accept(), "AUTH-6"},
		{"_output contradicts _oauth2 in the form", "_output=json", form("_oauth2", "true"), accept(), "AUTH-6"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			method, options := "GET", []option{asDemoUser, tt.accept}
			if tt.body != nil {
				method, options = "POST", append(options, tt.body)
			}
			a := w.do(method, "/api/login?"+tt.query, options...)
			switch tt.want {
			case text:
				wantTextLogin(t, w, a)
			case object:
				wantJSONLogin(t, w, a)
			default: // the demo has no TLS: an answer for OAuth 2.0 is refused
				a.want(t, 400, "AUTH-6")
				wantNoSession(t, a)
				if tls := strings.Contains(a.text("message"), "TLS"); tls != (tt.want == oauth2) {
					t.Errorf("message %q", a.text("message"))
				}
			}
		})
	}
}

func wantTextLogin(t *testing.T, w *wire, a *answer) {
	t.Helper()
	a.want(t, 200, "")
	if ct := a.header.Get("Content-Type"); !strings.HasPrefix(ct, "text/plain") || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("Content-Type %q, Cache-Control %q", ct, a.header.Get("Cache-Control"))
	}
	if len(a.cookies()) != 1 {
		t.Fatalf("cookies %v, want one", a.cookies())
	}
	opened{a.body, a.cookies()[0].Value}.call(w, "GET", "/api/me").want(t, 200, "")
}

func wantJSONLogin(t *testing.T, w *wire, a *answer) {
	t.Helper()
	a.want(t, 200, "")
	wantMembers(t, a, "authtoken", "sessionid", "login", "firstname", "lastname", "lang")
	if a.text("login") != "demo" || a.text("firstname") != "Demo" || a.text("lastname") != "User" || a.text("lang") != "ENU" {
		t.Errorf("got %s", a.body)
	}
	if a.header.Get("Content-Type") != "application/json" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", a.header)
	}
	if c := a.cookies(); len(c) != 1 || c[0].Value != a.text("sessionid") {
		t.Fatalf("cookies %v, sessionid %q", c, a.text("sessionid"))
	}
	opened{a.text("authtoken"), a.text("sessionid")}.call(w, "GET", "/api/me").want(t, 200, "")
}

func TestOAuth2LoginTrustsNoProxy(t *testing.T) {
	w := sharedDemo(t)
	for _, options := range [][]option{
		{header("X-Forwarded-Proto", "https")},
		{header("X-Forwarded-Proto", "https"), header("X-Forwarded-For", "127.0.0.1"), header("Forwarded", "proto=https")},
		{header("X-Forwarded-Ssl", "on"), header("Front-End-Https", "on")},
	} {
		a := w.do("GET", "/api/login?_oauth2=true", append(options, asDemoUser)...)
		a.want(t, 400, "AUTH-6")
		wantNoSession(t, a)
		a = w.do("GET", "/api/login", append(options, asDemoUser)...)
		if c := a.cookies(); len(c) != 1 || c[0].Secure {
			t.Errorf("cookies %v", c)
		}
	}
}
