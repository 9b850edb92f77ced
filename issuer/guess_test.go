package issuer_test

import (
	"cmp"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/session"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/throttle"
	"github.com/authtier/authtier/store"
)

func newThrottle(t testing.TB, cfg throttle.Config) *throttle.Throttle {
	t.Helper()
	throttle, err := throttle.New(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	return throttle
}

// ask sends a form from an address, with the client's Basic credential if there
// is one.
func ask(h http.Handler, from, client, secret string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/api/login", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.RemoteAddr = from + ":1"
	if client != "" {
		r.SetBasicAuth(client, secret)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestB04Guesses checks that all endpoints that take a password share one throttle.
func TestB04Guesses(t *testing.T) {
	db := newStore(t)
	throttle := newThrottle(t, throttle.Config{Failures: 3})
	iss := newIssuer(t, db, issuer.Config{Throttle: throttle, AllowPassword: true})
	sessions, err := session.New(iss, db, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, login := iss.TokenHandler(), registered(sessions)
	introspect := iss.IntrospectHandler()
	basic := middleware.Basic(throttle.Around(iss), nil)(http.NotFoundHandler())

	person := func(h http.Handler, from, client, password string) string {
		secret := ""
		if client != "" {
			secret = client + "-secret"
		}
		w := ask(h, from, client, secret, url.Values{"grant_type": {"password"}, "username": {"ada"}, "password": {password}})
		if w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") == "" {
			t.Errorf("refused without Retry-After: %s", w.Body)
		}
		return answerCode(w)
	}
	const here, there = "192.0.2.1", "192.0.2.2"
	for range 2 {
		for _, got := range []string{person(token, here, "app", "guess"), person(login, here, "", "guess")} {
			if got != "AUTH-1" {
				t.Errorf("a wrong password: got %s", got)
			}
		}
	}
	for what, got := range map[string]string{
		"token endpoint, right password": person(token, here, "app", testPassword),
		"login, right password":          person(login, here, "", testPassword),
	} {
		if got != "AUTH-13" {
			t.Errorf("%s, after four wrong ones: got %s, want AUTH-13", what, got)
		}
	}
	if got := person(token, there, "app", testPassword) + person(login, there, "", testPassword); got != "" {
		t.Errorf("from another address: got %s", got)
	}

	client := func(h http.Handler, id, secret string) string {
		return answerCode(ask(h, here, id, secret, url.Values{"grant_type": {"client_credentials"}, "token": {"x"}}))
	}
	for n, h := range []http.Handler{token, introspect, basic, token} {
		if got := client(h, "other", "guess"); got != "AUTH-1" {
			t.Errorf("a client's wrong secret, endpoint %d: got %s", n, got)
		}
	}
	for n, h := range []http.Handler{token, introspect, basic} {
		if got := client(h, "other", "other-secret"); got != "AUTH-13" {
			t.Errorf("a client's right secret after four wrong ones, endpoint %d: got %s, want AUTH-13", n, got)
		}
	}
	body := url.Values{"grant_type": {"client_credentials"}, "client_id": {"other"}, "client_secret": {"other-secret"}}
	if got := answerCode(ask(token, here, "", "", body)); got != "AUTH-13" {
		t.Errorf("the same in the body: got %s, want AUTH-13", got)
	}
	if got := client(token, "app", "app-secret"); got != "" {
		t.Errorf("another client: got %s", got)
	}
}

// answerCode returns the code of a refusal, or "".
func answerCode(w *httptest.ResponseRecorder) string {
	_, rest, ok := strings.Cut(w.Body.String(), `{"code":"`)
	if !ok {
		return ""
	}
	code, _, _ := strings.Cut(rest, `"`)
	return code
}

// TestFormEncodedSecretsAreNoGuesses uses a client whose secret is correct only after
// form-decoding (RFC 6749 section 2.3.1).
func TestFormEncodedSecretsAreNoGuesses(t *testing.T) {
	db := newStore(t)
	err := db.CreateClient(t.Context(), store.Client{
		ID: "a b", Secrets: []store.Secret{{ID: "s1", Digest: store.DigestOf("s%t")}},
		Scopes: []string{"a"}, Default: []string{"a"}, Grants: []string{store.GrantClientCredentials},
	})
	if err != nil {
		t.Fatal(err)
	}
	iss := newIssuer(t, db, issuer.Config{Throttle: newThrottle(t, throttle.Config{Failures: 2})})
	h := iss.TokenHandler()
	grant := url.Values{"grant_type": {"client_credentials"}}
	for range 10 {
		if got := answerCode(ask(h, "192.0.2.1", "a+b", "s%25t", grant)); got != "" {
			t.Fatalf("right once decoded: got %s", got)
		}
	}
	for range 3 {
		ask(h, "192.0.2.1", "a+b", "guess", grant)
	}
	for _, id := range []string{"a b", "a+b", "a%20b"} {
		if got := answerCode(ask(h, "192.0.2.1", id, "s%25t", grant)); got != "AUTH-13" {
			t.Errorf("as %q, after three wrong secrets: got %q, want AUTH-13", id, got)
		}
	}
}

// TestGuessesAtOnce sends a hundred wrong guesses before the first of them has failed.
func TestGuessesAtOnce(t *testing.T) {
	iss := newIssuer(t, nil, issuer.Config{Throttle: newThrottle(t, throttle.Config{Failures: 5})})
	var wg sync.WaitGroup
	tried := make(chan int, 100)
	for n := range cap(tried) {
		wg.Go(func() {
			c := login("ada", fmt.Sprint("guess", n)).WithAddr(netip.MustParseAddr("192.0.2.1"))
			if _, err := iss.AuthenticateUser(t.Context(), c); codeOf(err) == errorsx.CredentialsIncorrect {
				tried <- n
			}
		})
	}
	wg.Wait()
	if len(tried) < 6 || len(tried) > 6+8 {
		t.Errorf("%d of 100 guesses at once were tried, want 6 and as many as hash at a time", len(tried))
	}
}

// TestPasswordsByBasic validates users' passwords with Basic, behind a cache. The cache
// must forget a user whose password changes.
func TestPasswordsByBasic(t *testing.T) {
	db := newStore(t)
	iss := newIssuer(t, db, issuer.Config{})
	running(t, iss)
	cache, err := middleware.NewCache(iss.Passwords(), 100, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := middleware.Basic(cache, nil)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := middleware.IdentityFromContext(r.Context())
		fmt.Fprintf(w, "%s %q %v", id.User, id.Client, id.Methods == middleware.ByBasic)
	}))
	try := func(password string) string {
		w := ask(h, "192.0.2.1", "ada", password, nil)
		return cmp.Or(answerCode(w), w.Body.String())
	}
	const admitted = `ada "" true`
	for _, tt := range []struct{ password, want string }{{testPassword, admitted}, {testPassword, admitted}, {"guess", "AUTH-1"}} {
		if got := try(tt.password); got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.password, got, tt.want)
		}
	}
	if s := cache.Stats(); s.Hits != 1 || s.Flights != 2 {
		t.Errorf("three requests: %+v, want one remembered", s)
	}
	hash, err := issuer.HashPassword(t.Context(), "another")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.SetPassword(t.Context(), "ada", hash); err != nil {
		t.Fatal(err)
	}
	if err := hear(t, iss); err != nil { // reads the change
		t.Fatal(err)
	}
	if got := try(testPassword) + " " + try("another"); got != "AUTH-1 "+admitted {
		t.Errorf("old and new password: got %s", got)
	}
	if err := iss.RevokeUser(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	if err := db.UpdateUser(t.Context(), "ada", func(u *store.User) error { u.Disabled = true; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := hear(t, iss); err != nil {
		t.Fatal(err)
	}
	if got := try("another"); got != "AUTH-1" {
		t.Errorf("disabled: got %s", got)
	}
}
