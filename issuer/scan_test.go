package issuer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/internal/secret"
	"github.com/authtier/authtier/issuer/session"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/throttle"
	"github.com/authtier/authtier/store"
)

// summed returns a token's text with the checksum that makes it well-formed.
func summed(body string) string {
	const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	sum, end := crc32.ChecksumIEEE([]byte(body)), ""
	for ; len(end) < 6; sum /= 62 {
		end = string(base62[sum%62]) + end
	}
	return body + end
}

// guesses returns texts that share their first n characters with token, for several n
// up to all but one. Each has a correct checksum.
func guesses(token string) (list []string) {
	body := token[:len(token)-6]
	for _, n := range []int{len(body) - 43, len(body) - 30, len(body) - 10, len(body) - 2, len(body) - 1} {
		b := []byte(body)
		for i := n; i < len(b); i++ {
			if b[i] = 'x'; body[i] == 'x' {
				b[i] = 'y'
			}
		}
		list = append(list, summed(string(b)))
	}
	return list
}

// asking is a store that records the digests that it is asked for.
type asking struct {
	store.Store
	digests []store.Digest
}

func (a *asking) Token(ctx context.Context, d store.Digest) (*store.Token, error) {
	a.digests = append(a.digests, d)
	return a.Store.Token(ctx, d)
}

func (a *asking) APIKey(ctx context.Context, d store.Digest) (*store.APIKey, error) {
	a.digests = append(a.digests, d)
	return a.Store.APIKey(ctx, d)
}

// TestB03RightBeginnings guesses a credential from its beginning. Each guess is looked
// up whole, by its digest, and gets the same answer. The guess itself is compared with
// nothing, so that times cannot tell how much of it is correct.
func TestB03RightBeginnings(t *testing.T) {
	a := &asking{Store: newStore(t)}
	iss := newIssuer(t, a, issuer.Config{OpaqueTokens: true, AllowUnthrottled: true})
	key, record := newAPIKey("app", nil, time.Time{})
	if err := a.Store.CreateAPIKeys(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	token := mint(t, iss, issuer.Grant{Client: "app"}).AccessToken
	for name, tt := range map[string]struct {
		guard   middleware.Wrapper
		header  string
		right   string
		guesses []string
	}{
		"API key":         {middleware.APIKey(iss, nil), "X-API-KEY", key, guesses(key)},
		"key set by hand": {middleware.APIKey(iss, nil), "X-API-KEY", "key1", []string{"xxxx", "kxxx", "kexx", "keyx", "key2"}},
		"opaque token":    {middleware.Bearer(iss, nil), "Authorization", "Bearer " + token, prefixed("Bearer ", guesses(token))},
	} {
		try := func(value string) *httptest.ResponseRecorder {
			r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
			r.Header.Set(tt.header, value)
			tt.guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
			return w
		}
		if w := try(tt.right); w.Code != 200 {
			t.Fatalf("B03 %s, the right one: got %d %s", name, w.Code, w.Body)
		}
		var first string
		for n, guess := range tt.guesses {
			a.digests = nil
			w := try(guess)
			got := fmt.Sprint(w.Code, w.Header(), w.Body)
			if first == "" {
				first = got
			}
			if w.Code < 400 || got != first {
				t.Errorf("B03 %s, guess %d: got %s, want the answer of the first, %s", name, n, got, first)
			}
			if want := store.DigestOf(strings.TrimPrefix(guess, "Bearer ")); !slices.Equal(a.digests, []store.Digest{want}) {
				t.Errorf("B03 %s, guess %d: the store was asked %d times, or not for the whole", name, n, len(a.digests))
			}
		}
	}
	introspect := iss.IntrospectHandler()
	secret := func(guess string) func(int) *httptest.ResponseRecorder {
		return func(int) *httptest.ResponseRecorder {
			return ask(introspect, "192.0.2.1", "app", guess, url.Values{"token": {"x"}})
		}
	}
	for _, guess := range []string{"app-xxxxxx", "app-secrex", "app-secret1"} {
		compare(t, "B03 client secret "+guess, 20_000, 1, secret("xxxxxxxxxx"), secret(guess))
	}
}

func prefixed(prefix string, list []string) []string {
	for i := range list {
		list[i] = prefix + list[i]
	}
	return list
}

// TestO12IntrospectionScan lets a client introspect tokens that are not its own. All
// get the same answer, and the store is asked only about well-formed ones. A client
// that guesses at the secret is throttled.
func TestO12IntrospectionScan(t *testing.T) {
	db := &counting{Store: newStore(t)}
	throttle := newThrottle(t, throttle.Config{Failures: 5})
	iss := newIssuer(t, db, issuer.Config{OpaqueTokens: true, Throttle: throttle})
	h := iss.IntrospectHandler()
	others := mint(t, iss, issuer.Grant{Client: "other"}).AccessToken
	spent := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Refresh: true})
	if _, err := iss.Refresh(t.Context(), "app", spent.RefreshToken, ""); err != nil {
		t.Fatal(err)
	}
	const each = 500
	for name, tt := range map[string]struct {
		token func() string
		asked int64
	}{
		"mistyped":         {func() string { return mistyped(secret.Generate("authtier_at")) }, 0},
		"signed":           {func() string { return "eyJhbGciOiJFUzI1NiJ9.e30." + secret.Generate("x")[2:] }, 0},
		"another prefix":   {func() string { return secret.Generate("authtier_key") }, 0},
		"well-formed":      {func() string { return secret.Generate("authtier_at") }, each},
		"another client's": {func() string { return others }, each},
		"a used one":       {func() string { return spent.RefreshToken }, each},
	} {
		db.reset()
		for range each {
			w := ask(h, "192.0.2.1", "app", "app-secret", url.Values{"token": {tt.token()}})
			if w.Code != 200 || w.Body.String() != "{\"active\":false}\n" {
				t.Fatalf("O12 %s: got %d %s", name, w.Code, w.Body)
			}
		}
		if got := db.tokens.Load(); got != tt.asked {
			t.Errorf("O12 %s: the store was asked for %d tokens, want %d", name, got, tt.asked)
		}
	}
	seen := map[string]int{}
	for n := range 20 {
		seen[answerCode(ask(h, "192.0.2.9", "app", fmt.Sprint("guess", n), url.Values{"token": {"x"}}))]++
	}
	if seen["AUTH-1"] != 6 || seen["AUTH-13"] != 14 {
		t.Errorf("O12 twenty wrong secrets: got %v", seen)
	}
}

// TestD09LogsHoldNoSecrets causes every log message while secrets are used, correctly
// and incorrectly, with a store that fails and one that panics.
func TestD09LogsHoldNoSecrets(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	ew := &errorsx.Writer{Log: logger}
	planted := []string{"planted-wrong-secret", "planted-wrong-password", "planted-wrong-key", "planted-wrong-token"}
	for name, db := range map[string]issuer.Store{
		"whole": newStore(t), "failing": &broken{Store: newStore(t)}, "panicking": panicking{newStore(t)},
	} {
		for _, opaque := range []bool{false, true} {
			iss := newIssuer(t, db, issuer.Config{OpaqueTokens: opaque, AllowPassword: true, Log: logger})
			sessions, err := session.New(iss, newStore(t), &session.Config{AllowWithoutCookie: true})
			if err != nil {
				t.Fatal(err)
			}
			endpoints := middleware.Errors(ew)(registered(iss))
			login := middleware.Errors(ew)(registered(sessions))
			post := func(path string, form url.Values) string {
				for _, secret := range []string{"app-secret", planted[0]} {
					r := httptest.NewRequest("POST", path+"?planted-query=1", strings.NewReader(form.Encode()))
					r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
					r.SetBasicAuth("app", secret)
					w := httptest.NewRecorder()
					endpoints.ServeHTTP(w, r)
					if secret == "app-secret" && w.Code == 200 {
						return w.Body.String()
					}
				}
				return ""
			}
			var refresh string
			for _, password := range []string{testPassword, planted[1]} {
				if _, rest, ok := strings.Cut(post("/oauth2/token", url.Values{"grant_type": {"password"}, "username": {"ada"}, "password": {password}}), `"refresh_token":"`); ok {
					refresh, _, _ = strings.Cut(rest, `"`)
					planted = append(planted, refresh)
				}
				serveQuietly(login, byBasic("ada", password))
			}
			for range 2 { // the second use ends the family, and is logged
				post("/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
			}
			for _, token := range []string{refresh, planted[3], secret.Generate("authtier_at")} {
				planted = append(planted, token)
				post("/oauth2/introspect", url.Values{"token": {token}})
				post("/oauth2/revoke", url.Values{"token": {token}})
				for _, guard := range []middleware.Wrapper{
					middleware.Chain(middleware.Errors(ew), middleware.Bearer(iss, nil)), middleware.Chain(middleware.Errors(ew), middleware.APIKey(iss, nil)),
				} {
					r := httptest.NewRequest("GET", "/", nil)
					r.Header.Set("Authorization", "Bearer "+token)
					r.Header.Set("X-API-KEY", token)
					serveQuietly(guard(http.NotFoundHandler()), r)
				}
			}
			logger.Error("D09", "store", name, "issuer", iss, "sessions", sessions, "joined", errors.Join(err, errDown))
		}
	}
	if !strings.Contains(log.String(), "connection refused") {
		t.Errorf("D09 the failures were not logged: %s", log.String())
	}
	for _, secret := range append(planted, testPassword, "app-secret", "planted-query") {
		if secret != "" && strings.Contains(log.String(), secret) {
			t.Errorf("D09 the log holds %q: %.2000s", secret, log.String())
		}
	}
	for line := range strings.Lines(log.String()) {
		if !strings.HasPrefix(line, "time=") {
			t.Errorf("D04 a line that is no record: %q", line)
		}
	}
}

// byBasic returns a login by Basic.
func byBasic(user, password string) *http.Request {
	r := httptest.NewRequest("GET", "/api/login", nil)
	r.SetBasicAuth(user, password)
	return r
}

func serveQuietly(h http.Handler, r *http.Request) { h.ServeHTTP(httptest.NewRecorder(), r) }
