package session_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/session"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

// A site is a session's routes and /api/me.
type site struct {
	http.Handler
	db       *memory.Store
	iss      *issuer.Issuer
	failing  *failing
	sessions *session.Manager
}

func newSite(t testing.TB, cfg session.Config) *site {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("pw"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	db := memory.New()
	if err := db.CreateUsers(t.Context(), store.User{Login: "ada", Password: string(hash)}); err != nil {
		t.Fatal(err)
	}
	f := &failing{Store: db}
	iss, err := issuer.New(t.Context(), "https://id.example", f, &issuer.Config{AllowEphemeralKeys: true})
	if err != nil {
		t.Fatal(err)
	}
	go iss.Run(t.Context()) // otherwise its caches answer for half a minute only
	sessions, err := session.New(iss, f, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &site{routes(sessions), db, iss, f, sessions}
}

// routes are those of the sessions, and /api/me.
func routes(sessions *session.Manager) http.Handler {
	mux := http.NewServeMux()
	sessions.Register(mux)
	mux.Handle("GET /api/me", sessions.Bearer()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := middleware.IdentityFromContext(r.Context())
		w.Header().Set("Session", id.TokenID)
		w.Write([]byte(id.User))
	})))
	return mux
}

func (s *site) serve(method, target string, change func(*http.Request)) *httptest.ResponseRecorder {
	r, w := httptest.NewRequest(method, target, nil), httptest.NewRecorder()
	if change != nil {
		change(r)
	}
	s.ServeHTTP(w, r)
	return w
}

func ada(r *http.Request) { r.SetBasicAuth("ada", "pw") }

// login returns a token and its cookie.
func (s *site) login(t testing.TB) (string, *http.Cookie) {
	t.Helper()
	w := s.serve("GET", "/api/login", ada)
	if w.Code != 200 || len(w.Result().Cookies()) != 1 {
		t.Fatalf("login: got %d %s", w.Code, w.Body)
	}
	return w.Body.String(), w.Result().Cookies()[0]
}

// me returns the status of /api/me.
func (s *site) me(token string, cookies ...*http.Cookie) int {
	return s.serve("GET", "/api/me", carrying(token, cookies...)).Code
}

// carrying puts a token and cookies on a request.
func carrying(token string, cookies ...*http.Cookie) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("X-Simplicite-Authorization", "Bearer "+token)
		for _, c := range cookies {
			r.AddCookie(c)
		}
	}
}

func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, session.Config{Timeout: 10 * time.Second, MaxAge: time.Minute})
		token, cookie := s.login(t)
		for range 5 {
			time.Sleep(10*time.Second - 50*time.Millisecond)
			if got := s.me(token, cookie); got != 200 {
				t.Fatalf("just before the timeout: got %d", got)
			}
			s.me(token) // refused, so it renews nothing
		}
		time.Sleep(10*time.Second - 50*time.Millisecond)
		if got := s.me(token, cookie); got != 200 {
			t.Errorf("just before the session's end: got %d", got)
		}
		time.Sleep(time.Second)
		if got := s.me(token, cookie); got != 401 {
			t.Errorf("after the longest time, in use: got %d", got)
		}
		token, cookie = s.login(t)
		time.Sleep(5 * time.Second)
		s.me(token)
		time.Sleep(5 * time.Second)
		if got := s.me(token, cookie); got != 401 {
			t.Errorf("idle for the timeout, but for a refused call: got %d", got)
		}
	})
}

// TestOtherNode uses a session on two nodes of one store.
func TestOtherNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here := newSite(t, session.Config{Timeout: 10 * time.Second})
		sessions, err := session.New(here.iss, here.db, &session.Config{Timeout: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		there := &site{Handler: sessions.Bearer()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))}
		token, cookie := here.login(t)
		time.Sleep(8 * time.Second)
		here.me(token, cookie)
		time.Sleep(8 * time.Second)
		if got := there.me(token, cookie); got != 200 {
			t.Errorf("another node knows nothing of the renewal: got %d", got)
		}
		time.Sleep(8 * time.Second)
		if got := here.me(token, cookie); got != 200 {
			t.Errorf("this node knows nothing of the other's renewal: got %d", got)
		}
	})
}

func TestD06D07CookieRequirement(t *testing.T) {
	s := newSite(t, session.Config{})
	token, cookie := s.login(t)
	_, others := s.login(t)
	junk := &http.Cookie{Name: "JSESSIONID", Value: "junk"}
	for what, tt := range map[string]struct {
		cookies []*http.Cookie
		want    int
	}{
		"its own":           {[]*http.Cookie{cookie}, 200},
		"none":              {nil, 401},
		"another session's": {[]*http.Cookie{others}, 401},
		"D06 a tossed one":  {[]*http.Cookie{junk, cookie}, 200},
		"another name":      {[]*http.Cookie{{Name: "jsessionid", Value: cookie.Value}}, 401},
	} {
		if got := s.me(token, tt.cookies...); got != tt.want {
			t.Errorf("%s: got %d, want %d", what, got, tt.want)
		}
	}
	loose := newSite(t, session.Config{AllowWithoutCookie: true})
	token, _ = loose.login(t)
	if got := loose.me(token); got != 200 {
		t.Errorf("AllowWithoutCookie: got %d", got)
	}
}

func TestT11UserChanges(t *testing.T) {
	for what, change := range map[string]func(s *site, u store.User) error{
		"disabled": func(s *site, _ store.User) error {
			return s.db.UpdateUser(t.Context(), "ada", func(u *store.User) error { u.Disabled = true; return nil })
		},
		"new password": func(s *site, _ store.User) error { return s.db.SetPassword(t.Context(), "ada", "") },
		"deleted":      func(s *site, u store.User) error { return s.db.DeleteUser(t.Context(), "ada") },
		"recreated": func(s *site, u store.User) error {
			return errors.Join(s.db.DeleteUser(t.Context(), "ada"), s.db.CreateUsers(t.Context(), u))
		},
	} {
		s := newSite(t, session.Config{})
		token, cookie := s.login(t)
		u, err := s.db.User(t.Context(), "ada")
		if err != nil {
			t.Fatal(err)
		}
		if err := change(s, *u); err != nil {
			t.Fatal(err)
		}
		if got := s.me(token, cookie); got != 401 {
			t.Errorf("%s: got %d, want 401", what, got)
		}
	}
}

// TestRevokeSession revokes one of three cached sessions by its ID. The others stay
// valid until their user is revoked.
func TestRevokeSession(t *testing.T) {
	s := newSite(t, session.Config{})
	type login struct {
		token  string
		cookie *http.Cookie
	}
	var logins [3]login
	for n := range logins {
		logins[n].token, logins[n].cookie = s.login(t)
	}
	look := func(what string, want ...int) {
		t.Helper()
		for n, l := range logins {
			if got := s.me(l.token, l.cookie); got != want[n] {
				t.Errorf("%s, session %d: got %d, want %d", what, n, got, want[n])
			}
		}
	}
	look("before", 200, 200, 200)

	id := s.serve("GET", "/api/me", carrying(logins[1].token, logins[1].cookie)).Header().Get("Session")
	if err := s.iss.RevokeSession(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	look("one revoked", 200, 401, 200)
	if err := s.iss.RevokeUser(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	look("the user revoked", 401, 401, 401)
	logins[0].token, logins[0].cookie = s.login(t) // the password stays valid
	look("logged in again", 200, 401, 401)
}

func TestP15D05Secure(t *testing.T) {
	proxied := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	overUnix := func(r *http.Request) {
		local := context.WithValue(r.Context(), http.LocalAddrContextKey, &net.UnixAddr{Name: "s", Net: "unix"})
		*r = *r.WithContext(local)
		r.RemoteAddr = "@"
	}
	overTLS := func(r *http.Request) { r.TLS = &tls.ConnectionState{} }
	forwarded := func(values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header["X-Forwarded-Proto"] = values }
	}
	for _, tt := range []struct {
		name    string
		proxies []netip.Prefix
		change  func(*http.Request)
		secure  bool
	}{
		{"plain", nil, func(*http.Request) {}, false},
		{"TLS", nil, overTLS, true},
		{"P15 header from anybody", nil, forwarded("https"), false},
		{"header from the proxy", proxied, forwarded("https"), true},
		{"http from the proxy", proxied, forwarded("http"), false},
		{"two from the proxy", proxied, forwarded("https", "https"), false},
		{"a list from the proxy", proxied, forwarded("https, http"), false},
		{"header from elsewhere", proxied, func(r *http.Request) {
			r.RemoteAddr = "198.51.100.1:1"
			forwarded("https")(r)
		}, false},
		{"header over a Unix socket", proxied, func(r *http.Request) {
			overUnix(r)
			forwarded("https")(r)
		}, true},
		{"header over a Unix socket, no proxies", nil, func(r *http.Request) {
			overUnix(r)
			forwarded("https")(r)
		}, false},
		{"header from an unreadable address", proxied, func(r *http.Request) {
			r.RemoteAddr = "@"
			forwarded("https")(r)
		}, false},
	} {
		s := newSite(t, session.Config{})
		s.Handler = middleware.Proxy(&middleware.ProxyConfig{Trusted: tt.proxies})(s.Handler)
		w := s.serve("GET", "/api/login?_oauth2=true", func(r *http.Request) { ada(r); tt.change(r) })
		if (w.Code == 200) != tt.secure || !tt.secure && (w.Code != 400 || len(w.Result().Cookies()) != 0) {
			t.Errorf("%s: OAuth 2.0 answer: got %d %s", tt.name, w.Code, w.Body)
		}
		if want := `{"access_token":"`; tt.secure && (!strings.HasPrefix(w.Body.String(), want) || !strings.HasSuffix(strings.TrimSpace(w.Body.String()), `","token_type":"bearer","expires_in":300,"scope":null}`)) {
			t.Errorf("%s: got %s", tt.name, w.Body)
		}
		w = s.serve("GET", "/api/login", func(r *http.Request) { ada(r); tt.change(r) })
		if got := w.Result().Cookies()[0].Secure; got != tt.secure {
			t.Errorf("%s: cookie Secure is %t", tt.name, got)
		}
	}
}

func TestVaryIsKept(t *testing.T) {
	s, w := newSite(t, session.Config{}), httptest.NewRecorder()
	w.Header().Set("Vary", "Origin") // as a CORS handler in front does
	r := httptest.NewRequest("GET", "/api/login", nil)
	ada(r)
	s.ServeHTTP(w, r)
	if got := strings.Join(w.Header().Values("Vary"), ", "); got != "Origin, X-Simplicite-Authorization" {
		t.Errorf("got Vary %q", got)
	}
}

func TestD05HostCookie(t *testing.T) {
	s := newSite(t, session.Config{Cookie: "__Host-id"})
	if _, c := s.login(t); c.Name != "__Host-id" || c.Path != "/" || c.Domain != "" {
		t.Errorf("got %v", c)
	}
}

func TestStoresHoldDigests(t *testing.T) {
	s := newSite(t, session.Config{})
	token, cookie := s.login(t)
	rec, err := s.db.Session(t.Context(), s.failing.last.Token)
	if err != nil {
		t.Fatal(err)
	}
	if js, _ := json.Marshal(rec); strings.Contains(string(js), token) || strings.Contains(string(js), cookie.Value) {
		t.Errorf("the record holds a secret: %s", js)
	}
}

func TestS07Config(t *testing.T) {
	s := newSite(t, session.Config{})
	for name, cfg := range map[string]session.Config{
		"base without slash":   {Base: "api"},
		"base with last slash": {Base: "/api/"},
		"base with two":        {Base: "/a//b"},
		"base with dots":       {Base: "/a/../b"},
		"base with a blank":    {Base: "/a b"},
		"base as a wildcard":   {Base: "/{x}"},
		"base half a wildcard": {Base: "/{x"},
		"base with a query":    {Base: "/a?b"},
		"short timeout":        {Timeout: time.Second - 1},
		"negative timeout":     {Timeout: -time.Second},
		"max age":              {Timeout: time.Hour, MaxAge: time.Minute},
		"endless":              {MaxAge: idp.MaxLifetime + 1},
		"cookie name":          {Cookie: "a b"},
		"relative redirect":    {Redirects: []session.Redirect{{URI: "/cb"}}},
		"redirect with query":  {Redirects: []session.Redirect{{URI: "https://a.example/cb?x=1"}}},
		"redirect with user":   {Redirects: []session.Redirect{{URI: "https://u@a.example/cb"}}},
		"redirect fragment":    {Redirects: []session.Redirect{{URI: "https://a.example/cb#x"}}},
		"redirect script":      {Redirects: []session.Redirect{{URI: "javascript://a.example/%0aalert(1)"}}},
		"redirect keeps token": {Redirects: []session.Redirect{{URI: "https://a.example/cb", Params: []string{"access_token"}}}},
	} {
		if _, err := session.New(s.iss, s.db, &cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := session.New(nil, nil, nil); err == nil {
		t.Error("nil issuer and store: accepted")
	}
}

func TestDialect(t *testing.T) {
	for code := errorsx.CredentialsIncorrect; code <= errorsx.TooManyRequests; code++ {
		status, _ := session.Dialect(errorsx.Resource, &errorsx.Error{Code: code})
		refusedCredential := code <= errorsx.CredentialsMalformed || code >= errorsx.WrongTokenType && code <= errorsx.UnknownToken
		if (status == 401) != refusedCredential {
			t.Errorf("%v: got %d", code, status)
		}
	}
}

// FuzzRedirect states that a browser is redirected only to the registered address, for
// every requested one.
func FuzzRedirect(f *testing.F) {
	const registered = "https://app.example/cb"
	for _, u := range []string{
		registered, registered + "?state=x%20y", registered + "?state=a&state=b", registered + "?access_token=x", registered + "#x",
		registered + "/../x", "//evil.example", "/\\evil", "https://app.example@evil/cb", "https:app.example/cb", "javascript:alert(1)",
		"https://app.example/cb\r\nSet-Cookie: x=y", "HTTPS://APP.EXAMPLE/cb", registered + "?state=%0d%0aX:y", registered + "?",
	} {
		f.Add(u)
	}
	s := newSite(f, session.Config{Redirects: []session.Redirect{{URI: registered}}})
	f.Fuzz(func(t *testing.T, target string) {
		w := s.serve("GET", "/api/login?redirect_uri="+url.QueryEscape(target), ada)
		location := w.Header().Get("Location")
		switch {
		case w.Code == 302:
			base, query, _ := strings.Cut(location, "?")
			values, err := url.ParseQuery(query)
			if base != registered || err != nil || len(values["access_token"]) != 1 || len(values["state"]) > 1 || len(values) > 2 || strings.ContainsAny(location, "\r\n#") {
				t.Errorf("%q sends to %q", target, location)
			}
			if !strings.HasPrefix(target, registered) {
				t.Errorf("%q was taken for %s", target, registered)
			}
		case target == "" && w.Code == 200:
		case w.Code != 400 || location != "" || len(w.Result().Cookies()) != 0:
			t.Errorf("%q: got %d %s, Location %q", target, w.Code, w.Body, location)
		}
	})
}
