package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
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
