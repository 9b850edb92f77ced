package main

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// members returns the sorted names of a JSON answer.
func members(a *answer) []string {
	var m map[string]any
	json.Unmarshal([]byte(a.body), &m)
	return slices.Sorted(maps.Keys(m))
}

func wantMembers(t *testing.T, a *answer, names ...string) {
	t.Helper()
	slices.Sort(names)
	if got := members(a); !slices.Equal(got, names) {
		t.Errorf("members are %q, want %q", got, names)
	}
}

func passwordGrant(t *testing.T, w *wire, pairs ...string) *answer {
	t.Helper()
	return tokens(t, w, append(pairs, "grant_type", "password", "username", userLogin, "password", userPassword)...)
}

func refreshWith(w *wire, token string, pairs ...string) *answer {
	w.t.Helper()
	return w.do("POST", "/oauth2/token", asDemoClient, form(append(pairs, "grant_type", "refresh_token", "refresh_token", token)...))
}

func TestTokenResponses(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	password := passwordGrant(t, w)
	for _, tt := range []struct {
		name    string
		a       *answer
		refresh bool
	}{
		{"client_credentials", tokens(t, w, "grant_type", "client_credentials"), false},
		{"password", password, true},
		{"refresh_token", refreshWith(w, password.text("refresh_token")), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.a.want(t, 200, "")
			names := []string{"access_token", "expires_in", "token_type", "scope"}
			if tt.refresh {
				names = append(names, "refresh_token")
			}
			wantMembers(t, tt.a, names...)
			if tt.a.field("expires_in") != 3600.0 || tt.a.text("token_type") != "bearer" || tt.a.text("scope") != "base" {
				t.Errorf("got %s", tt.a.body)
			}
			for name, want := range map[string]string{
				"Content-Type": "application/json", "Cache-Control": "no-store", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff",
			} {
				if got := tt.a.header.Get(name); got != want {
					t.Errorf("%s is %q, want %q O10", name, got, want)
				}
			}
		})
	}
}

func TestRefusedGrants(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	for _, tt := range []struct {
		name        string
		pairs       []string
		code, oauth string
		message     string // what it names
	}{
		{"no grant_type", nil, "AUTH-6", "invalid_request", "grant_type"},
		{"grant_type without value O08", []string{"grant_type", ""}, "AUTH-6", "invalid_request", "grant_type"},
		{"other name of grant_type", []string{"Grant_type", "client_credentials"}, "AUTH-6", "invalid_request", "grant_type"},
		{"unknown O08", []string{"grant_type", "authorization_code"}, "AUTH-6", "unsupported_grant_type", "grant_type"},
		{"with a blank O08", []string{"grant_type", "password "}, "AUTH-6", "unsupported_grant_type", "grant_type"},
		{"in upper case O08", []string{"grant_type", "PASSWORD"}, "AUTH-6", "unsupported_grant_type", "grant_type"},
		{"no username", []string{"grant_type", "password", "password", userPassword}, "AUTH-6", "invalid_request", "username"},
		{"empty username", []string{"grant_type", "password", "username", "", "password", userPassword}, "AUTH-6", "invalid_request", "username"},
		{"no password", []string{"grant_type", "password", "username", userLogin}, "AUTH-6", "invalid_request", "password"},
		{"empty password", []string{"grant_type", "password", "username", userLogin, "password", ""}, "AUTH-6", "invalid_request", "password"},
		{"no refresh_token", []string{"grant_type", "refresh_token"}, "AUTH-6", "invalid_request", "refresh_token"},
		{"empty refresh_token", []string{"grant_type", "refresh_token", "refresh_token", ""}, "AUTH-6", "invalid_request", "refresh_token"},
		{"wrong password", []string{"grant_type", "password", "username", userLogin, "password", "wrong"}, "AUTH-1", "invalid_grant", ""},
		{"unknown user", []string{"grant_type", "password", "username", "nobody", "password", userPassword}, "AUTH-1", "invalid_grant", ""},
		{"user of another system", []string{"grant_type", "password", "username", "demo", "password", "demo-password"}, "AUTH-1", "invalid_grant", ""},
		{"login in other case", []string{"grant_type", "password", "username", strings.ToUpper(userLogin), "password", userPassword}, "AUTH-1", "invalid_grant", ""},
		{"unknown refresh token", []string{"grant_type", "refresh_token", "refresh_token", "x"}, "AUTH-12", "invalid_grant", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.do("POST", "/oauth2/token", asDemoClient, form(tt.pairs...))
			a.wantOAuth(t, 400, tt.code, tt.oauth)
			if !strings.Contains(a.text("message"), tt.message) {
				t.Errorf("message %q does not name %s", a.text("message"), tt.message)
			}
		})
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	refresh := passwordGrant(t, w, "scope", "files base upload_files").text("refresh_token")
	for _, tt := range []struct{ name, asked, granted string }{
		{"absent", "", "base"},
		{"one", "files", "files"},
		{"in the order asked", "upload_files base files", "upload_files base files"},
		{"repeats dropped", "files base files base", "files base"},
		{"unknown", "nope", ""},
		{"one unknown of two", "base nope", ""},
		{"of another system T09", "user", ""},
		{"other case T09", "Base", ""},
		{"prefix T09", "file", ""},
		{"wildcard T09", "*", ""},
		{"blank at the end T09", "base ", ""},
		{"blank at the start", " base", ""},
		{"two blanks", "base  files", ""},
		{"blank alone", " ", ""},
		{"comma", "base,files", ""},
		{"tab", "base\tfiles", ""},
		{"line break", "base\nfiles", ""},
		{"quote", `"base"`, ""},
		{"backslash", `ba\se`, ""},
		{"no-break space", "base\u00a0files", ""},
		{"NUL", "base\x00", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.do("POST", "/oauth2/token", asDemoClient, form("grant_type", "client_credentials", "scope", tt.asked))
			if tt.granted == "" {
				a.wantOAuth(t, 400, "AUTH-7", "invalid_scope")
				refreshWith(w, refresh, "scope", tt.asked).wantOAuth(t, 400, "AUTH-7", "invalid_scope")
				return
			}
			a.want(t, 200, "")
			if a.text("scope") != tt.granted {
				t.Errorf("scope is %q, want %q", a.text("scope"), tt.granted)
			}
		})
	}
	refreshWith(w, refresh).want(t, 200, "") // no refusal has consumed it
	if a := passwordGrant(t, w, "scope", "upload_files files"); a.text("scope") != "upload_files files" {
		t.Errorf("password grant: scope is %q", a.text("scope"))
	}
}

func TestRefreshRotates(t *testing.T) {
	t.Parallel()
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

func TestRefreshTokenUsedTwiceEndsItsFamily(t *testing.T) {
	t.Parallel()
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

// A second use ends the family whatever scope it asks for.
func TestRefreshTokenUsedTwiceWithAWiderScopeEndsItsFamily(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	first := passwordGrant(t, w)
	second := refreshWith(w, first.text("refresh_token"))
	refreshWith(w, first.text("refresh_token"), "scope", "nope").wantOAuth(t, 400, "AUTH-12", "invalid_grant")
	refreshWith(w, second.text("refresh_token")).wantOAuth(t, 400, "AUTH-12", "invalid_grant")
}

func TestOfManyRefreshesOneSucceedsAndTheFamilyEnds(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
		about = w.do("POST", "/oauth2/introspect", asDemoClient, form("token", a.text("refresh_token")))
		if about.text("scope") != "base files" {
			t.Errorf("%s: the refresh token has scope %q", tt.name, about.text("scope"))
		}
	}
	narrow := refreshWith(w, a.text("refresh_token"), "scope", "files")
	w.do("GET", "/v1/me", bearer(narrow.text("access_token"))).want(t, 403, "AUTH-7")
}

func TestRefusedRefreshConsumesNothing(t *testing.T) {
	t.Parallel()
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
	w.do("POST", "/oauth2/introspect", asDemoClient, form("token", token)).want(t, 200, "")
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
	t.Parallel()
	w := sharedDemo(t)
	a := passwordGrant(t, w)
	session := w.do("GET", "/api/login", basic("demo", "demo-password")).body
	tiers := w.do("POST", "/public/token", header("X-API-KEY", "my_api_key"),
		form("grant_type", "password", "username", userLogin, "password", userPassword))
	for _, tt := range []struct{ name, token, code string }{
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
