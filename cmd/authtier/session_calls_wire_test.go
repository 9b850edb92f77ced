package main

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestD05D06SessionCookie(t *testing.T) {
	w := sharedDemo(t)
	seen := map[string]bool{"mine": true}
	for _, options := range [][]option{
		{asDemoUser}, {asDemoUser}, {asDemoUser, header("Cookie", "JSESSIONID=mine")}, // D06
	} {
		a := w.do("GET", "/api/login", options...)
		a.want(t, 200, "")
		if len(a.cookies()) != 1 {
			t.Fatalf("cookies %v, want one", a.cookies())
		}
		c := a.cookies()[0]
		if c.Name != "JSESSIONID" || c.Path != "/api" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode { // D05
			t.Errorf("cookie %q", c.Raw)
		}
		if c.Secure || c.MaxAge != 0 || !c.Expires.IsZero() || c.RawExpires != "" || c.Domain != "" || len(c.Unparsed) > 0 {
			t.Errorf("cookie %q", c.Raw)
		}
		if len(c.Value) < 22 || seen[c.Value] {
			t.Errorf("value %q is short or was seen before", c.Value)
		}
		seen[c.Value] = true
		opened{a.body, "mine"}.call(w, "GET", "/api/me").want(t, 401, "AUTH-1") // D06
	}
}

func TestSessionCalls(t *testing.T) {
	w := sharedDemo(t)
	a, b := openSession(t, w), openSession(t, w)
	token := sessionHeader("Bearer " + a.token)
	cookie := func(value string) option { return header("Cookie", value) }
	for _, tt := range []struct {
		name    string
		options []option
		code    string
	}{
		{"token and cookie", []option{token, cookie("JSESSIONID=" + a.cookie)}, ""},
		{"scheme in lower case", []option{sessionHeader("bearer " + a.token), cookie("JSESSIONID=" + a.cookie)}, ""},
		{"Authorization beside", []option{token, cookie("JSESSIONID=" + a.cookie), header("Authorization", "?"), bearer("x")}, ""},
		{"several cookies", []option{token, cookie("a=b; JSESSIONID=" + a.cookie + "; c=d")}, ""},
		{"a second cookie of the name D06", []option{token, cookie("JSESSIONID=tossed; JSESSIONID=" + a.cookie)}, ""},
		{"two cookie headers", []option{token, cookie("JSESSIONID=" + a.cookie), cookie("JSESSIONID=" + b.cookie)}, ""},
		{"another session's cookie", []option{token, cookie("JSESSIONID=" + b.cookie)}, "AUTH-1"},
		{"no cookie", []option{token}, "AUTH-1"},
		{"empty cookie", []option{token, cookie("JSESSIONID=")}, "AUTH-1"},
		{"cookie of another name", []option{token, cookie("jsessionid=" + a.cookie)}, "AUTH-1"},
		{"token as cookie", []option{token, cookie("JSESSIONID=" + a.token)}, "AUTH-1"},
		{"cookie alone D07", []option{cookie("JSESSIONID=" + a.cookie)}, "AUTH-2"},
		{"empty header", []option{sessionHeader(""), cookie("JSESSIONID=" + a.cookie)}, "AUTH-2"},
		{"token in Authorization", []option{bearer(a.token), cookie("JSESSIONID=" + a.cookie)}, "AUTH-2"},
		{"Basic", []option{sessionHeader("Basic ZGVtbzpkZW1vLXBhc3N3b3Jk"), cookie("JSESSIONID=" + a.cookie)}, "AUTH-3"},
		{"two headers", []option{token, token, cookie("JSESSIONID=" + a.cookie)}, "AUTH-3"},
		{"mistyped token T06", []option{sessionHeader("Bearer " + mistyped(a.token, 20)), cookie("JSESSIONID=" + a.cookie)}, "AUTH-12"},
		{"cookie as token", []option{sessionHeader("Bearer " + a.cookie), cookie("JSESSIONID=" + a.cookie)}, "AUTH-12"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, path := range []string{"/api/me", "/api/logout"} {
				if tt.code == "" && path == "/api/logout" {
					continue
				}
				got := w.do("GET", path, tt.options...)
				if tt.code != "" {
					got.want(t, 401, tt.code)
					if c := got.header.Get("WWW-Authenticate"); !strings.HasPrefix(c, `Bearer realm="api"`) {
						t.Errorf("WWW-Authenticate is %q", c)
					}
					continue
				}
				got.want(t, 200, "")
				wantMembers(t, got, "client_id", "user", "scope")
				if got.text("user") != "demo" || got.field("client_id") != "" || got.field("scope") != "" {
					t.Errorf("got %s", got.body)
				}
			}
		})
	}
	w.do("GET", "/api/me?access_token="+a.token, cookie("JSESSIONID="+a.cookie)).want(t, 401, "AUTH-2")
	vary := strings.Join(a.call(w, "GET", "/api/me").header["Vary"], ", ")
	if !strings.Contains(vary, "X-Simplicite-Authorization") || !strings.Contains(vary, "Cookie") {
		t.Errorf("Vary is %q", vary)
	}
	for _, s := range []opened{a, b} {
		s.call(w, "GET", "/api/me").want(t, 200, "")
	}
}

func TestD05D07LogoutEndsTheSession(t *testing.T) {
	w := sharedDemo(t)
	a, b := openSession(t, w), openSession(t, w)
	out := a.call(w, "GET", "/api/logout")
	out.want(t, 204, "")
	if out.body != "" || len(out.cookies()) != 1 {
		t.Fatalf("body %q, cookies %v", out.body, out.cookies())
	}
	c := out.cookies()[0]
	if c.Name != "JSESSIONID" || c.Value != "" || c.Path != "/api" || c.MaxAge >= 0 || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Domain != "" { // D05
		t.Errorf("cookie %q", c.Raw)
	}
	for _, path := range []string{"/api/me", "/api/logout"} {
		if got := a.call(w, "GET", path); got.status != 401 {
			t.Errorf("%s: got %d %s", path, got.status, got.body)
		}
	}
	b.call(w, "GET", "/api/me").want(t, 200, "")
	if got := (opened{b.token, a.cookie}).call(w, "GET", "/api/logout"); got.status != 401 {
		t.Errorf("another session's cookie: got %d", got.status)
	}
	if got := w.do("GET", "/api/logout", header("Cookie", "JSESSIONID="+b.cookie), header("Origin", "https://evil.example")); got.status != 401 { // D07
		t.Errorf("cookie alone: got %d", got.status)
	}
	b.call(w, "GET", "/api/me").want(t, 200, "")
}

func TestIdleSessionEnds(t *testing.T) {
	w := startDemoWith(t, time.Second)
	kept, idle := openSession(t, w), openSession(t, w)
	for began := time.Now(); time.Since(began) < 1300*time.Millisecond; time.Sleep(100 * time.Millisecond) {
		kept.call(w, "GET", "/api/me").want(t, 200, "")
	}
	if got := idle.call(w, "GET", "/api/me"); got.status != 401 {
		t.Errorf("idle: got %d %s", got.status, got.body)
	}
	kept.call(w, "GET", "/api/me").want(t, 200, "")
}
