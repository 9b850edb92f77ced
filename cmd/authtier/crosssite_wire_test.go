package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestD07CrossSite sends the requests that another site can make a browser send: forms
// with the cookie, but without the token and custom headers. No session ends, and no
// session is used.
func TestD07CrossSite(t *testing.T) {
	w := sharedDemo(t)
	victim := openSession(t, w)
	evil, cookie := header("Origin", "https://evil.example"), header("Cookie", "JSESSIONID="+victim.cookie)
	for _, tt := range []struct {
		name, method, path string
		body               option
		code               string
	}{
		{"logout by a link", "GET", "/api/logout", form(), "AUTH-2"},
		{"logout by a form", "POST", "/api/logout", form(), "AUTH-2"},
		{"logout, the token in the form", "POST", "/api/logout", form("access_token", victim.token), "AUTH-2"},
		{"logout, the token in the query", "GET", "/api/logout?access_token=" + victim.token, form(), "AUTH-2"},
		{"who am I", "GET", "/api/me", form(), "AUTH-2"},
		{"login by the cookie", "POST", "/api/login", form(), "AUTH-2"},
		{"login by the cookie as JSON", "GET", "/api/login?_json=true", form(), "AUTH-2"},
		{"login by the cookie, sent elsewhere", "GET", "/api/login?redirect_uri=" + callback, form(), "AUTH-2"},
		{"a token by the cookie", "POST", "/oauth2/token", form("grant_type", "client_credentials"), "AUTH-2"},
		{"revoked by the cookie", "POST", "/oauth2/revoke", form("token", victim.token), "AUTH-2"},
		{"introspected by the cookie", "POST", "/oauth2/introspect", form("token", victim.token), "AUTH-2"},
		{"a partner's token by the cookie", "POST", "/partner/tokens", form(), "AUTH-2"},
	} {
		t.Run("D07 "+tt.name, func(t *testing.T) {
			a := w.do(tt.method, tt.path, evil, cookie, tt.body)
			a.want(t, 401, tt.code)
			wantNoSession(t, a)
		})
	}
	t.Run("D07 login as the attacker", func(t *testing.T) {
		a := w.do("POST", "/api/login", evil, cookie, form("username", "demo", "password", "demo-password"))
		a.want(t, 200, "")
		fresh := a.cookies()[0].Value
		if fresh == victim.cookie {
			t.Error("the session before goes on under another login")
		}
		opened{victim.token, fresh}.call(w, "GET", "/api/me").want(t, 401, "AUTH-1")
	})
	victim.call(w, "GET", "/api/me").want(t, 200, "")
}

// TestD07PartnerPostsFromOtherSites uses a browser that sends Basic credentials with
// requests from other sites, because its user once entered them.
func TestD07PartnerPostsFromOtherSites(t *testing.T) {
	w := sharedDemo(t)
	token := minted(t, w, asPartner, `{}`).text("access_token")
	content := map[string]option{
		"/partner/tokens":        body("text/plain", `{}`),
		"/partner/tokens/verify": body(mimeJSON, `{"token":"`+token+`"}`),
	}
	refused := refusal{403, "AUTH-3", "invalid_request", challengeBasic, `"Origin"`}
	for _, tt := range []struct {
		name    string
		headers []option
		same    bool
	}{
		{"another site", with(header("Sec-Fetch-Site", "cross-site"), header("Origin", "https://evil.example")), false},
		{"another host of the site", with(header("Sec-Fetch-Site", "same-site"), header("Origin", "http://sub."+w.addr)), false},
		{"a browser without Sec-Fetch-Site", with(header("Origin", "https://evil.example")), false},
		{"a sandboxed frame", with(header("Origin", "null")), false},
		{"the site itself", with(header("Sec-Fetch-Site", "same-origin"), header("Origin", w.url)), true},
		{"the site itself, without Sec-Fetch-Site", with(header("Origin", w.url)), true},
		{"the user's own request", with(header("Sec-Fetch-Site", "none")), true},
		{"no browser", nil, true},
	} {
		t.Run("D07 "+tt.name, func(t *testing.T) {
			for path, sent := range content {
				options := append(with(sent), tt.headers...)
				a := w.do("POST", path, append(options, asPartner)...)
				switch {
				case !tt.same:
					refused.check(t, a)
					w.do("POST", path, append(options, basic("demo-partner", "wrong"))...).want(t, 401, "AUTH-1")
					w.do("POST", path, options...).want(t, 401, "AUTH-2")
				case a.status == 403:
					t.Errorf("%s: got %d %s", path, a.status, a.body)
				}
			}
			w.do("GET", "/partner/", append(tt.headers, asPartner)...).want(t, 200, "")
		})
	}
}

// TestD08Origins sends requests from other origins, with all credentials. No answer
// allows a page of these origins to read it.
func TestD08Origins(t *testing.T) {
	w := sharedDemo(t)
	user, s := w.tiersGrant().text("access_token"), openSession(t, w)
	for _, origin := range []string{"null", "https://good.evil.example", "http://" + w.addr, w.url + ".evil.example", "*"} {
		t.Run("D08 "+origin, func(t *testing.T) {
			from := []option{header("Origin", origin), header("Access-Control-Request-Method", "GET"), header("Access-Control-Request-Headers", "x-api-key")}
			for _, method := range []string{"GET", "POST", "OPTIONS"} {
				for _, a := range []*answer{
					w.do(method, "/ext/ping", from...),
					w.do(method, "/user/me", append(with(demoKey, bearer(user)), from...)...),
					w.do(method, "/oauth2/token", append(with(asDemoClient, form("grant_type", "client_credentials")), from...)...),
					w.do(method, "/.well-known/jwks.json", from...),
					w.do(method, "/api/login", append(with(asDemoUser), from...)...),
					s.call(w, method, "/api/me", from...),
				} {
					for name, value := range a.header {
						if strings.HasPrefix(name, "Access-Control-") {
							t.Errorf("%s: %q", name, value)
						}
					}
				}
			}
		})
	}
}

// TestD10NothingToFrame checks that a browser shows no answer as a page, so that
// nothing can be framed or clicked.
func TestD10NothingToFrame(t *testing.T) {
	w := sharedDemo(t)
	s := openSession(t, w)
	partner := basic("demo-partner", "demo-partner-secret")
	for _, tt := range []struct {
		name, method, path string
		options            []option
		kind               string
	}{
		{"login", "GET", "/api/login", with(asDemoUser), "text/plain; charset=utf-8"},
		{"login as JSON", "GET", "/api/login?_json=true", with(asDemoUser), "application/json"},
		{"login that is refused", "GET", "/api/login", with(basic("demo", "<script>")), "application/json"},
		{"login of nobody", "GET", "/api/login", with(header("Accept", "text/html")), "application/json"},
		{"who am I", "GET", "/api/me", with(custom("Bearer "+s.token), header("Cookie", "JSESSIONID="+s.cookie)), "application/json"},
		{"token", "POST", "/oauth2/token", with(asDemoClient, form("grant_type", "client_credentials")), "application/json"},
		{"token that is refused", "POST", "/oauth2/token", with(form("grant_type", "<b>")), "application/json"},
		{"introspection", "POST", "/oauth2/introspect", with(asDemoClient, form("token", "<script>")), "application/json"},
		{"metadata", "GET", "/.well-known/oauth-authorization-server", nil, "application/json"},
		{"partner token", "POST", "/partner/tokens", with(partner), "application/json"},
		{"no such path", "GET", "/<script>alert(1)</script>", with(header("Accept", "text/html")), "application/json"},
		{"wrong method", "PUT", "/public/ping", with(demoKey), "application/json"},
		{"no credentials", "GET", "/user/me", with(header("Accept", "text/html")), "application/json"},
	} {
		t.Run("D10 "+tt.name, func(t *testing.T) {
			a := w.do(tt.method, strings.NewReplacer("<", "%3C", ">", "%3E").Replace(tt.path), tt.options...)
			if got := a.header.Get("Content-Type"); got != tt.kind || a.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("Content-Type %q, X-Content-Type-Options %q", got, a.header.Get("X-Content-Type-Options"))
			}
		})
	}
	t.Run("D10 redirect", func(t *testing.T) {
		if a := w.do("GET", "/api/login?redirect_uri="+callback, asDemoUser); a.status != 302 || a.body != "" {
			t.Errorf("got %d with a body, %s", a.status, a.body)
		}
	})
}

// TestD04LineBreaks sends line breaks in every value that may come back in a header. No
// answer has an additional header or a value that is cut in two.
func TestD04LineBreaks(t *testing.T) {
	w := sharedDemo(t)
	const planted = "\r\nSet-Cookie: planted=1\r\nX-Planted: 1\r\n\r\nplanted"
	in := url.QueryEscape(planted)
	partner := basic("demo-partner", "demo-partner-secret")
	for _, tt := range []struct {
		name, method, path string
		options            []option
	}{
		{"path", "GET", "/public/" + url.PathEscape(planted), with(demoKey)},
		{"state", "GET", "/api/login?redirect_uri=" + url.QueryEscape(callback+"?state="+in), with(asDemoUser)},
		{"redirect_uri", "GET", "/api/login?redirect_uri=" + url.QueryEscape(callback+planted), with(asDemoUser)},
		{"output", "GET", "/api/login?_output=" + in, with(asDemoUser)},
		{"username", "GET", "/api/login?username=" + in + "&password=" + in, nil},
		{"user of a grant", "POST", "/oauth2/token", with(asDemoClient, form("grant_type", "password", "username", planted, "password", planted))},
		{"client", "POST", "/oauth2/token", with(form("client_id", planted, "client_secret", planted))},
		{"scope", "POST", "/oauth2/token", with(asDemoClient, form("grant_type", "client_credentials", "scope", planted))},
		{"query token", "GET", "/v1/img/x?access_token=" + in, nil},
		{"api name", "GET", "/partner/usages?api_name=" + in + "&start_date=2025-01-01&end_date=2025-01-02", with(partner)},
		{"date", "GET", "/partner/usages?api_name=x&start_date=" + in + "&end_date=2025-01-02", with(partner)},
	} {
		t.Run("D04 "+tt.name, func(t *testing.T) {
			a := w.do(tt.method, tt.path, tt.options...)
			for name, values := range a.header {
				if name == "X-Planted" || strings.Contains(fmt.Sprint(values), "planted=1") && name != "Location" {
					t.Errorf("the answer has %s: %q", name, values)
				}
			}
			for _, c := range a.cookies() {
				if c.Name != "JSESSIONID" || strings.ContainsAny(a.header.Get("Location"), "\r\n ") {
					t.Errorf("cookie %s, Location %q", c.Raw, a.header.Get("Location"))
				}
			}
		})
	}
}

// TestU05UsesOfOthers asks for the usage of other clients, as a client without
// usage:read.
func TestU05UsesOfOthers(t *testing.T) {
	w := startDemo(t)
	w.do("GET", "/partner/onboarding", asPartner).want(t, 200, "")
	day, other := utcDay(0), asOther
	token := minted(t, w, asOther, `{}`)
	unread := minted(t, w, asPartner, `{"scopes":["onboarding"]}`)
	ask := func(query string, as option) *answer {
		return w.do("GET", "/partner/usages?api_name=onboarding&start_date="+day+"&end_date="+day+query, as)
	}
	for name, a := range map[string]*answer{
		"nothing of its own": ask("", other), "the other named": ask("&client_id=demo-partner", other),
		"all named": ask("&client_id=*&client_id=%25", other), "by token": ask("", byToken("other-partner", token)),
	} {
		if a.status != http.StatusOK || !strings.Contains(a.body, `"clients":[]`) {
			t.Errorf("U05 %s: got %d %s", name, a.status, a.body)
		}
	}
	if got := clientsOf(t, ask("", byToken("demo-partner", unread))); fmt.Sprint(got) != "[demo-partner]" {
		t.Errorf("U05 a token without the scope: got %v, want its own client alone", got)
	}
	w.do("GET", "/partner/onboarding", asOther).want(t, 200, "")
	for name, as := range map[string]option{"a token without the scope": byToken("demo-partner", unread), "the other": asOther} {
		if got := clientsOf(t, ask("", as)); len(got) != 1 {
			t.Errorf("U05 %s: got %v, want its own client alone", name, got)
		}
	}
	if got := clientsOf(t, ask("", asPartner)); len(got) != 2 {
		t.Errorf("U05 with usage:read: got %v, want both", got)
	}
	for name, as := range map[string]option{"a wrong secret": basic("demo-partner", "x"), "another's token": byToken("demo-partner", token)} {
		if a := ask("", as); a.status != http.StatusUnauthorized {
			t.Errorf("U05 %s: got %d", name, a.status)
		}
	}
}
