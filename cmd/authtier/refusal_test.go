package main

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A refusal holds the expected parts of an answer.
type refusal struct {
	status    int
	code      string
	oauth     string // the member error
	challenge string // WWW-Authenticate; $ stands for the error_description; "" for none
	names     string // a part of the message
}

const (
	challengeKey   = `ApiKey realm="api"`
	challengeBasic = `Basic realm="api", charset="UTF-8"`
	challengeBare  = `Bearer realm="api"`
)

// challengeBearer is the challenge of a refused token.
func challengeBearer(oauth string) string {
	return `Bearer realm="api", error="` + oauth + `", error_description="$"`
}

func challengeScope(scope string) string {
	return challengeBearer("insufficient_scope") + `, scope="` + scope + `"`
}

// check checks everything that the wire contract promises of a refusal.
func (want refusal) check(t *testing.T, a *answer) {
	t.Helper()
	a.want(t, want.status, want.code)
	var members map[string]string
	d := json.NewDecoder(strings.NewReader(a.body))
	if err := d.Decode(&members); err != nil || d.More() {
		t.Fatalf("the body is not one object of strings: %v: %s", err, a.body)
	}
	message, description := members["message"], members["error_description"]
	if len(members) != 4 || message == "" || members["error"] != want.oauth {
		t.Errorf("want code, message, error %q and error_description; body %s", want.oauth, a.body)
	}
	if !strings.Contains(message, want.names) {
		t.Errorf("message %q does not name %q", message, want.names)
	}
	if reduced := oauthText(message); description != reduced || description == "" {
		t.Errorf("error_description %q, want %q", description, reduced)
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store"} {
		if got := a.header.Values(name); !slices.Equal(got, []string{value}) {
			t.Errorf("%s %q, want %q", name, got, value)
		}
	}
	var challenges []string
	if want.challenge != "" {
		challenges = []string{strings.ReplaceAll(want.challenge, "$", description)}
	}
	if got := a.header.Values("WWW-Authenticate"); !slices.Equal(got, challenges) {
		t.Errorf("WWW-Authenticate %q, want %q", got, challenges)
	}
	for _, name := range []string{"Set-Cookie", "Location"} {
		if got := a.header.Values(name); got != nil {
			t.Errorf("%s %q in a refusal", name, got)
		}
	}
}

// oauthText drops the characters that error_description must not hold.
func oauthText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s)
}

// sharedDemo returns the demo of all tests that leave nothing behind.
func sharedDemo(t *testing.T) *wire {
	t.Helper()
	url, err := sharedURL()
	if err != nil {
		t.Fatal(err)
	}
	return &wire{t: t, url: url, addr: strings.TrimPrefix(url, "http://")}
}

var sharedURL = sync.OnceValues(func() (string, error) {
	server := httptest.NewUnstartedServer(nil)
	url := "http://" + server.Listener.Addr().String()
	h, err := newKeyedDemo(context.Background(), url, 5*time.Minute)
	server.Config.Handler = h
	server.Start()
	return url, err
})

// An exchange is a request and the refusal that it gets.
type exchange struct {
	name, method, path string
	options            []option
	want               refusal
}

func (w *wire) exchanges(t *testing.T, list []exchange) {
	t.Helper()
	for _, x := range list {
		t.Run(x.name, func(t *testing.T) {
			x.want.check(t, w.do(x.method, x.path, x.options...))
		})
	}
}

func with(options ...option) []option { return options }

var demoKey = header("X-API-KEY", "my_api_key")

// grant requests tokens, and fails the test if it gets none.
func (w *wire) grant(path string, options ...option) *answer {
	w.t.Helper()
	a := w.do("POST", path, options...)
	if a.text("access_token") == "" {
		w.t.Fatalf("POST %s: got %d %s, want tokens", path, a.status, a.body)
	}
	return a
}

// tiersGrant is the user's grant in the tiers system.
func (w *wire) tiersGrant() *answer {
	w.t.Helper()
	return w.grant("/public/token", demoKey,
		form("grant_type", "password", "username", "user_email@email.com", "password", "user_password"))
}

// oauth2Grant is the user's grant in the oauth2 system.
func (w *wire) oauth2Grant() *answer {
	w.t.Helper()
	return w.grant("/oauth2/token", basic("demo-client", "demo-secret"),
		form("grant_type", "password", "username", "user_email@email.com", "password", "user_password"))
}

// clientToken is an access token of demo-client with that scope.
func (w *wire) clientToken(scope string) string {
	w.t.Helper()
	return w.grant("/oauth2/token", basic("demo-client", "demo-secret"),
		form("grant_type", "client_credentials", "scope", scope)).text("access_token")
}

// partnerToken is an access token of a partner, with some of its scopes.
func (w *wire) partnerToken(id string, scopes ...string) string {
	w.t.Helper()
	list, _ := json.Marshal(map[string]any{"scopes": scopes})
	return w.grant("/partner/tokens", basic(id, id+"-secret"), body("application/json", string(list))).text("access_token")
}

// sessionLogin opens a session and returns its token and its cookie.
func (w *wire) sessionLogin() (token string, cookie option) {
	w.t.Helper()
	a := w.do("GET", "/api/login?_json=true", basic("demo", "demo-password"))
	if a.status != 200 || a.text("authtoken") == "" || a.text("sessionid") == "" {
		w.t.Fatalf("login: got %d %s", a.status, a.body)
	}
	return a.text("authtoken"), header("Cookie", "JSESSIONID="+a.text("sessionid"))
}

func custom(value string) option { return header("X-Simplicite-Authorization", value) }
