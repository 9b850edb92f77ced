package main

import (
	"net/http"
	"strings"
	"sync"
	"testing"
)

func TestRefreshRotates(t *testing.T) {
	w := sharedDemo(t)
	first := passwordGrant(t, w)
	second := refreshWith(w, first.text("refresh_token"))
	second.want(t, 200, "")
	for _, name := range []string{"refresh_token", "access_token"} {
		if first.text(name) == second.text(name) {
			t.Errorf("the same %s again", name)
		}
	}
	w.do("GET", "/v1/me", bearer(first.text("access_token"))).want(t, 200, "")
	refreshWith(w, second.text("refresh_token")).want(t, 200, "")
}

func TestR01RefreshTokenUsedTwiceEndsItsFamily(t *testing.T) {
	w := sharedDemo(t)
	other := passwordGrant(t, w)
	first := passwordGrant(t, w)
	second := refreshWith(w, first.text("refresh_token"))
	third := refreshWith(w, second.text("refresh_token"), "scope", "base")
	third.want(t, 200, "")
	refreshWith(w, first.text("refresh_token")).wantOAuth(t, 400, "AUTH-12", "invalid_grant") // R01
	refreshWith(w, third.text("refresh_token")).wantOAuth(t, 400, "AUTH-12", "invalid_grant")
	for n, a := range []*answer{first, second, third} {
		t.Logf("access token %d", n+1)
		w.do("GET", "/v1/me", bearer(a.text("access_token"))).wantOAuth(t, 401, "AUTH-12", "invalid_token")
	}
	w.do("GET", "/v1/me", bearer(other.text("access_token"))).want(t, 200, "")
	refreshWith(w, other.text("refresh_token")).want(t, 200, "")
}

// A second use ends the family with any requested scope.
func TestR01RefreshTokenUsedTwiceWithAWiderScopeEndsItsFamily(t *testing.T) {
	w := sharedDemo(t)
	first := passwordGrant(t, w)
	second := refreshWith(w, first.text("refresh_token"))
	refreshWith(w, first.text("refresh_token"), "scope", "nope").wantOAuth(t, 400, "AUTH-12", "invalid_grant")
	refreshWith(w, second.text("refresh_token")).wantOAuth(t, 400, "AUTH-12", "invalid_grant")
}

func TestR02OfManyRefreshesOneSucceedsAndTheFamilyEnds(t *testing.T) {
	w := sharedDemo(t)
	first := passwordGrant(t, w)
	answers, start := make([]*answer, 30), make(chan struct{})
	var wg sync.WaitGroup
	for n := range answers {
		wg.Go(func() {
			body := "grant_type=refresh_token&refresh_token=" + first.text("refresh_token")
			r, _ := http.NewRequest("POST", w.url+"/oauth2/token", strings.NewReader(body))
			r.SetBasicAuth("demo-client", "demo-secret")
			r.Header.Set("Content-Type", mimeForm)
			<-start
			if resp, err := http.DefaultClient.Do(r); err == nil {
				answers[n] = read(t, resp)
			}
		})
	}
	close(start)
	wg.Wait()
	var won *answer
	for n, a := range answers {
		switch {
		case a == nil:
			t.Fatalf("request %d failed", n)
		case a.status != 200:
			a.wantOAuth(t, 400, "AUTH-12", "invalid_grant")
		case won != nil:
			t.Fatal("R02: two requests succeeded")
		default:
			won = a
		}
	}
	if won == nil {
		t.Fatal("R02: no request succeeded")
	}
	refreshWith(w, won.text("refresh_token")).wantOAuth(t, 400, "AUTH-12", "invalid_grant")
	for _, a := range []*answer{first, won} {
		w.do("GET", "/v1/me", bearer(a.text("access_token"))).want(t, 401, "AUTH-12")
	}
}

func TestRefreshNarrowsTheAccessTokenAlone(t *testing.T) {
	w := sharedDemo(t)
	a := passwordGrant(t, w, "scope", "base files")
	for _, tt := range []struct{ name, asked, granted string }{
		{"narrowed", "files", "files"},
		{"narrowed otherwise", "base", "base"},
		{"the whole in another order", "files base", "files base"},
		{"wider than the last one", "", "base files"},
		{"repeats dropped", "files files", "files"},
	} {
		a = refreshWith(w, a.text("refresh_token"), "scope", tt.asked)
		a.want(t, 200, "")
		if a.text("scope") != tt.granted {
			t.Errorf("%s: scope is %q, want %q", tt.name, a.text("scope"), tt.granted)
		}
		about := w.do("POST", "/oauth2/introspect", asDemoClient, form("token", a.text("access_token")))
		if about.text("scope") != tt.granted {
			t.Errorf("%s: the access token has scope %q", tt.name, about.text("scope"))
		}
		about = w.do("POST", "/oauth2/introspect", asDemoClient, form("token", a.text("refresh_token"), "token_type_hint", "refresh_token"))
		if about.text("scope") != "base files" {
			t.Errorf("%s: the refresh token has scope %q", tt.name, about.text("scope"))
		}
	}
	narrow := refreshWith(w, a.text("refresh_token"), "scope", "files")
	w.do("GET", "/v1/me", bearer(narrow.text("access_token"))).want(t, 403, "AUTH-7")
}

func TestR06T10RefusedRefreshConsumesNothing(t *testing.T) {
	w := sharedDemo(t)
	a := passwordGrant(t, w, "scope", "files")
	token := a.text("refresh_token")
	key := header("X-API-KEY", "my_api_key")
	refresh := []string{"grant_type", "refresh_token", "refresh_token", token}
	refreshWith(w, token, "scope", "files base").wantOAuth(t, 400, "AUTH-7", "invalid_scope") // T10
	refreshWith(w, token, "scope", "nope").wantOAuth(t, 400, "AUTH-7", "invalid_scope")
	refreshWith(w, token, "scope", "files ").wantOAuth(t, 400, "AUTH-7", "invalid_scope")
	w.do("POST", "/oauth2/token", basic("demo-client", "wrong"), form(refresh...)).wantOAuth(t, 401, "AUTH-1", "invalid_client") // R06
	w.do("POST", "/oauth2/token", asDemoClient, form(append(refresh, "refresh_token", token)...)).want(t, 400, "AUTH-6")
	w.do("POST", "/public/token", key, form(refresh...)).wantOAuth(t, 404, "AUTH-12", "invalid_grant") // R06
	w.do("GET", "/v1/me", bearer(token)).wantOAuth(t, 401, "AUTH-9", "invalid_token")                  // T01
	w.do("GET", "/v1/img/a.png?access_token="+token).wantOAuth(t, 401, "AUTH-9", "invalid_token")      // T01
	w.do("GET", "/public/ping", header("X-API-KEY", token)).want(t, 401, "AUTH-1")                     // T01
	w.do("GET", "/partner/", basic("demo-partner", token)).want(t, 401, "AUTH-1")                      // T01
	w.do("POST", "/oauth2/introspect", asDemoClient, form("token", token, "token_type_hint", "refresh_token")).want(t, 200, "")
	for n := range len(token) {
		if n%7 == 0 || n > len(token)-3 { // T06
			refreshWith(w, mistyped(token, n)).wantOAuth(t, 400, "AUTH-12", "invalid_grant")
		}
	}
	for _, other := range []string{token[:len(token)-1], token + "0", token + "%", "_" + token, " " + token, token + "\n", strings.ToUpper(token)} {
		refreshWith(w, other).wantOAuth(t, 400, "AUTH-12", "invalid_grant")
	}
	next := refreshWith(w, token)
	next.want(t, 200, "")
	w.do("GET", "/v1/img/a.png", bearer(a.text("access_token"))).want(t, 200, "")
}

// mistyped returns s with another character in the n-th place.
func mistyped(s string, n int) string {
	c := byte('A')
	if s[n] == c {
		c = 'B'
	}
	return s[:n] + string(c) + s[n+1:]
}

func TestRefreshTakesNoOtherToken(t *testing.T) {
	w := sharedDemo(t)
	a := passwordGrant(t, w)
	session := w.do("GET", "/api/login", basic("demo", "demo-password")).body
	tiers := w.do("POST", "/public/token", header("X-API-KEY", "my_api_key"),
		form("grant_type", "password", "username", userLogin, "password", userPassword))
	revoked := tokens(t, w, "grant_type", "client_credentials").text("access_token")
	w.do("POST", "/oauth2/revoke", asDemoClient, form("token", revoked)).want(t, 200, "")
	for _, tt := range []struct{ name, token, code string }{
		{"revoked access token T02", revoked, "AUTH-9"},
		{"access token T02", a.text("access_token"), "AUTH-9"},
		{"client's access token T02", tokens(t, w, "grant_type", "client_credentials").text("access_token"), "AUTH-9"},
		{"access token with a wrong signature", mistyped(a.text("access_token"), len(a.text("access_token"))-20), "AUTH-10"},
		{"another system's access token", tiers.text("access_token"), "AUTH-12"},
		{"another client's refresh token R06", tiers.text("refresh_token"), "AUTH-12"},
		{"session token T02", session, "AUTH-12"},
		{"API key T02", "my_api_key", "AUTH-12"},
		{"client secret", "demo-secret", "AUTH-12"},
		{"garbled JWT", "a.b.c", "AUTH-12"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			refreshWith(w, tt.token).wantOAuth(t, 400, tt.code, "invalid_grant")
		})
	}
	refreshWith(w, a.text("refresh_token")).want(t, 200, "")
	w.do("GET", "/v1/me", bearer(a.text("access_token"))).want(t, 200, "")
	w.do("POST", "/public/token", header("X-API-KEY", "my_api_key"),
		form("grant_type", "refresh_token", "refresh_token", tiers.text("refresh_token"))).want(t, 200, "")
}
