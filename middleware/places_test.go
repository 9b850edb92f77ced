package middleware_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// placed accepts the secret "good" of any scheme.
var placed = middleware.ValidatorFunc(func(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
	if c.Secret != "good" {
		return nil, errorsx.UnknownToken
	}
	return &middleware.Identity{Issuer: "i", Client: string(c.Scheme), Scopes: "read"}, nil
})

// sent is a request, written as METHOD, and lines of a header.
func sent(method string, lines ...string) *http.Request {
	r := httptest.NewRequest(method, "https://app.example/", nil)
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

type placeRow struct {
	name   string
	r      *http.Request
	status int
	text   string // in the body
}

func checkPlaces(t *testing.T, w middleware.Wrapper, rows []placeRow) {
	t.Helper()
	h := middleware.Chain(middleware.Errors(&errorsx.Writer{Dialect: errorsx.RFC, Log: slog.New(slog.DiscardHandler)}), w)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := middleware.IdentityFromContext(r.Context())
		fmt.Fprintf(w, "hello %s", id.Client)
	}))
	for _, tt := range rows {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, tt.r)
		if rec.Code != tt.status || !strings.Contains(rec.Body.String(), tt.text) {
			t.Errorf("%s: got %d %s %q, want %d %s", tt.name, rec.Code, rec.Body, rec.Header(), tt.status, tt.text)
		}
	}
}

// TestKeyWithScheme reads API keys after a scheme.
func TestKeyWithScheme(t *testing.T) {
	checkPlaces(t, middleware.APIKey(placed, &middleware.APIKeyConfig{Scheme: "Token"}), []placeRow{
		{"right", sent("GET", "Authorization: Token good"), 200, "hello ApiKey"},
		{"letter case and blanks", sent("GET", "Authorization: tOKEN   good"), 200, "hello"},
		{"wrong", sent("GET", "Authorization: Token bad"), 401, "AUTH-12"},
		{"missing", sent("GET"), 401, `AUTH-2","message":"Missing \"Authorization\" header`},
		{"empty", sent("GET", "Authorization: "), 401, "AUTH-2"},
		{"nothing after the scheme", sent("GET", "Authorization: Token"), 400, "AUTH-3"},
		{"blanks after the scheme", sent("GET", "Authorization: Token  "), 400, "AUTH-3"},
		{"two keys", sent("GET", "Authorization: Token good good"), 400, "AUTH-3"},
		{"not ASCII", sent("GET", "Authorization: Token gööd"), 400, "AUTH-3"},
		{"another scheme", sent("GET", "Authorization: Bearer good"), 401, "AUTH-3"},
		{"the other header", sent("GET", "X-API-KEY: good"), 401, "AUTH-2"},
		{"twice", sent("GET", "Authorization: Token good", "Authorization: Token good"), 400, "AUTH-3"},
	})

	checkPlaces(t, middleware.APIKey(placed, &middleware.APIKeyConfig{Scheme: "Key", Header: "X-Auth"}), []placeRow{
		{"a header of one's own", sent("GET", "X-Auth: Key good"), 200, "hello"},
	})
}

// TestKeyChallenges tests that challenges name the scheme with which a key is read, also
// those of an inner Scope.
func TestKeyChallenges(t *testing.T) {
	for scheme, want := range map[string][2]string{
		"Bearer": {`Bearer realm="api", error="invalid_token"`, `Bearer realm="api", error="insufficient_scope"`},
		"Token":  {`Token realm="api"`, `Token realm="api"`},
		"":       {`ApiKey realm="api"`, `ApiKey realm="api"`},
	} {
		cfg := &middleware.APIKeyConfig{Scheme: scheme}
		lines := map[bool]string{true: "X-API-KEY: ", false: "Authorization: " + scheme + " "}
		for n, secret := range []string{"bad", "good"} {
			w := httptest.NewRecorder()
			middleware.Chain(middleware.APIKey(placed, cfg), middleware.Scope("write"))(http.NotFoundHandler()).ServeHTTP(w, sent("GET", lines[scheme == ""]+secret))
			if got := w.Header().Get("Www-Authenticate"); !strings.HasPrefix(got, want[n]) {
				t.Errorf("scheme %q, key %s: got %q, want %q", scheme, secret, got, want[n])
			}
		}
	}
}

// TestBareHeader reads a token that is the whole value of a header.
func TestBareHeader(t *testing.T) {
	checkPlaces(t, middleware.Bearer(placed, &middleware.BearerConfig{BareHeader: "Cf-Access-Jwt-Assertion"}), []placeRow{
		{"right", sent("GET", "Cf-Access-Jwt-Assertion: good"), 200, "hello Bearer"},
		{"with a scheme", sent("GET", "Cf-Access-Jwt-Assertion: Bearer good"), 400, "AUTH-3"},
		{"wrong", sent("GET", "Cf-Access-Jwt-Assertion: bad"), 401, "AUTH-12"},
		{"missing", sent("GET", "Authorization: Bearer good"), 401, "Cf-Access-Jwt-Assertion"},
		{"twice", sent("GET", "Cf-Access-Jwt-Assertion: good", "Cf-Access-Jwt-Assertion: good"), 400, "AUTH-3"},
		{"a list", sent("GET", "Cf-Access-Jwt-Assertion: good, good"), 400, "AUTH-3"},
	})
	w := httptest.NewRecorder()
	middleware.Bearer(placed, &middleware.BearerConfig{BareHeader: "X-Goog-Iap-Jwt-Assertion"})(http.NotFoundHandler()).ServeHTTP(w, sent("GET", "X-Goog-Iap-Jwt-Assertion: good"))
	if w.Header().Get("Vary") != "X-Goog-Iap-Jwt-Assertion" || w.Header().Get("Cache-Control") != "private" {
		t.Errorf("got %q", w.Header())
	}
}

// TestCookie reads a token from a cookie, and refuses requests that another site may have
// made.
func TestCookie(t *testing.T) {
	protection := http.NewCrossOriginProtection()
	if err := protection.AddTrustedOrigin("https://admin.example"); err != nil {
		t.Fatal(err)
	}
	cfg := &middleware.BearerConfig{Cookie: "sid", CrossOrigin: protection}
	const own, evil, cookie, upgrade = "Origin: https://app.example", "Origin: https://evil.example", "Cookie: sid=good", "Upgrade: websocket"

	rows := []placeRow{
		{"right", sent("GET", cookie), 200, "hello Bearer"},
		{"beside another cookie", sent("GET", "Cookie: a=b; sid=good; c=d"), 200, "hello"},
		{"wrong", sent("GET", "Cookie: sid=bad"), 401, "AUTH-12"},
		{"missing", sent("GET", "Cookie: other=good"), 401, `AUTH-2","message":"Missing \"Authorization\" header or \"sid\" cookie"`},
		{"empty", sent("GET", "Cookie: sid="), 401, "AUTH-2"},
		{"two of the name", sent("GET", "Cookie: sid=good; sid=good"), 400, `AUTH-3","message":"Invalid \"sid\" cookie`},
		{"emptied with quotes", sent("GET", `Cookie: sid=""`), 401, "AUTH-2"},
		{"quoted", sent("GET", `Cookie: sid="good"`), 200, "hello"},
		{"a character that no cookie has", sent("GET", "Cookie: sid=good\xe9"), 400, "AUTH-3"},
		{"half a quote", sent("GET", `Cookie: sid="good`), 400, "AUTH-3"},
		{"a second one that is odd", sent("GET", `Cookie: sid=good; sid="x`), 400, "AUTH-3"},
		{"no token", sent("GET", "Cookie: sid=a,b"), 400, "AUTH-3"},
		{"too long", sent("GET", "Cookie: sid="+strings.Repeat("a", 8<<10+1)), 400, "AUTH-3"},

		{"a header decides alone", sent("GET", cookie, "Authorization: Bearer bad"), 401, "AUTH-12"},
		{"a right header, a wrong cookie", sent("GET", "Cookie: sid=bad", "Authorization: Bearer good"), 200, "hello"},
		{"a header of another scheme", sent("GET", cookie, "Authorization: Basic good"), 401, "AUTH-3"},
		{"an empty header counts as missing", sent("GET", cookie, "Authorization: "), 200, "hello"},
		{"a header from another site", sent("POST", "Authorization: Bearer good", evil, "Sec-Fetch-Site: cross-site"), 200, "hello"},

		{"another site, GET", sent("GET", cookie, evil, "Sec-Fetch-Site: cross-site"), 200, "hello"},
		{"another site, POST", sent("POST", cookie, evil, "Sec-Fetch-Site: cross-site"), 403, "AUTH-3"},
		{"another site, POST by an old browser", sent("POST", cookie, evil), 403, "another site"},
		{"a sandboxed page", sent("POST", cookie, "Origin: null"), 403, "AUTH-3"},
		{"the own site, POST", sent("POST", cookie, own, "Sec-Fetch-Site: same-origin"), 200, "hello"},
		{"the own site, POST by an old browser", sent("POST", cookie, own), 200, "hello"},
		{"a trusted site", sent("DELETE", cookie, "Origin: https://admin.example", "Sec-Fetch-Site: cross-site"), 200, "hello"},
		{"no browser", sent("POST", cookie), 200, "hello"},

		{"a WebSocket of another site", sent("GET", cookie, upgrade, evil), 403, "AUTH-3"},
		{"a WebSocket of another site that says it is ours", sent("GET", cookie, upgrade, evil, "Sec-Fetch-Site: same-origin"), 403, "AUTH-3"},
		{"a WebSocket of a sandboxed page", sent("GET", cookie, upgrade, "Origin: null"), 403, "AUTH-3"},
		{"a WebSocket without Origin", sent("GET", cookie, upgrade), 403, "AUTH-3"},
		{"a WebSocket with two Origins", sent("GET", cookie, upgrade, own, evil), 403, "AUTH-3"},
		{"a WebSocket of the own site", sent("GET", cookie, upgrade, own), 200, "hello"},
		{"a WebSocket of a trusted site", sent("GET", cookie, upgrade, "Origin: https://admin.example"), 200, "hello"},
		{"a WebSocket with the token in the header", sent("GET", "Authorization: Bearer good", upgrade, evil), 200, "hello"},
		{"an upgrade to anything", sent("GET", cookie, "Upgrade: x", evil), 403, "AUTH-3"},
	}
	old := sent("POST", cookie, "Origin: null")
	old.Host = ""
	oldUpgrade := sent("GET", cookie, upgrade, "Origin: null")
	oldUpgrade.Host = ""
	rows = append(rows, placeRow{"HTTP/1.0 without Host", old, 403, "AUTH-3"}, placeRow{"an upgrade without Host", oldUpgrade, 403, "AUTH-3"})
	connect := sent("CONNECT", cookie, evil)
	rows = append(rows, placeRow{"a WebSocket over HTTP/2", connect, 403, "AUTH-3"})
	checkPlaces(t, middleware.Bearer(placed, cfg), rows)
	checkPlaces(t, middleware.OneOf(placed, cfg), rows)
}

// TestCookieHeaders tests the headers of answers on a route that reads a cookie.
func TestCookieHeaders(t *testing.T) {
	cfg := middleware.BearerConfig{Cookie: "sid", CrossOrigin: http.NewCrossOriginProtection()}
	anonymous := cfg
	anonymous.AllowAnonymous = true
	for name, tt := range map[string]struct {
		w       middleware.Wrapper
		r       *http.Request
		vary    []string
		private bool
	}{
		"a cookie":                 {middleware.Bearer(placed, &cfg), sent("GET", "Cookie: sid=good"), []string{"Authorization", "Cookie"}, true},
		"a header":                 {middleware.Bearer(placed, &cfg), sent("GET", "Authorization: Bearer good"), []string{"Cookie"}, true},
		"nobody":                   {middleware.Bearer(placed, &anonymous), sent("GET"), []string{"Authorization", "Cookie"}, false},
		"a cookie, of several":     {middleware.OneOf(placed, cfg, middleware.APIKeyConfig{}), sent("GET", "Cookie: sid=good"), []string{"Authorization", "Cookie", "X-API-KEY"}, true},
		"a key, of several":        {middleware.OneOf(placed, cfg, middleware.APIKeyConfig{}), sent("GET", "X-API-KEY: good"), []string{"Authorization", "Cookie", "X-API-KEY"}, true},
		"a cookie after the key":   {middleware.OneOf(placed, middleware.APIKeyConfig{}, cfg), sent("GET", "Cookie: sid=good"), []string{"Authorization", "Cookie", "X-API-KEY"}, true},
		"nobody, of several cases": {middleware.OneOf(placed, anonymous, middleware.APIKeyConfig{AllowAnonymous: true}), sent("GET"), []string{"Authorization", "Cookie", "X-API-KEY"}, false},
	} {
		w := httptest.NewRecorder()
		tt.w(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })).ServeHTTP(w, tt.r)
		got := slices.Sorted(slices.Values(w.Header()["Vary"]))
		if w.Code != 200 || !slices.Equal(got, tt.vary) || (w.Header().Get("Cache-Control") == "private") != tt.private {
			t.Errorf("%s: got %d %q", name, w.Code, w.Header())
		}
	}
}

// TestEmptiedCookie tests that an empty cookie does not decide in place of a key.
func TestEmptiedCookie(t *testing.T) {
	cookie := middleware.BearerConfig{Cookie: "sid", CrossOrigin: http.NewCrossOriginProtection()}
	anonymous := cookie
	anonymous.AllowAnonymous = true
	for _, emptied := range []string{"Cookie: sid=", `Cookie: sid=""`, "Cookie: sid"} {
		checkPlaces(t, middleware.OneOf(placed, cookie, middleware.APIKeyConfig{}), []placeRow{
			{"a right key", sent("GET", emptied, "X-API-KEY: good"), 200, "hello ApiKey"},
			{"a wrong key", sent("GET", emptied, "X-API-KEY: bad"), 401, "AUTH-12"},
		})
		checkPlaces(t, middleware.OneOf(placed, anonymous, middleware.APIKeyConfig{AllowAnonymous: true}), []placeRow{
			{"a right key, or nobody", sent("GET", emptied, "X-API-KEY: good"), 200, "hello ApiKey"},
			{"a wrong key, or nobody", sent("GET", emptied, "X-API-KEY: bad"), 401, "AUTH-12"},
			{"nobody", sent("GET", emptied), 200, "hello"},
		})
	}
}

// TestPlacesWiring tests contradictions in the places of a credential.
func TestPlacesWiring(t *testing.T) {
	protection := http.NewCrossOriginProtection()
	for name, tt := range map[string]struct {
		make func()
		want string
	}{
		"a cookie alone":     {func() { middleware.Bearer(placed, &middleware.BearerConfig{Cookie: "sid"}) }, "CrossOrigin"},
		"a protection alone": {func() { middleware.Bearer(placed, &middleware.BearerConfig{CrossOrigin: protection}) }, "no Cookie"},
		"no cookie's name":   {func() { middleware.Bearer(placed, &middleware.BearerConfig{Cookie: "a b", CrossOrigin: protection}) }, `"a b"`},
		"a cookie and a query": {func() {
			middleware.Bearer(placed, &middleware.BearerConfig{Cookie: "sid", CrossOrigin: protection, QuerySafe: []string{"read"}})
		}, "QuerySafe"},
		"two headers":         {func() { middleware.Bearer(placed, &middleware.BearerConfig{Header: "X-A", BareHeader: "X-B"}) }, "BareHeader"},
		"bare Authorization":  {func() { middleware.Bearer(placed, &middleware.BearerConfig{BareHeader: "authorization"}) }, "Authorization"},
		"no header's name":    {func() { middleware.Bearer(placed, &middleware.BearerConfig{BareHeader: "a b"}) }, `"a b"`},
		"no scheme":           {func() { middleware.APIKey(placed, &middleware.APIKeyConfig{Scheme: "a b"}) }, `"a b"`},
		"the scheme of Basic": {func() { middleware.APIKey(placed, &middleware.APIKeyConfig{Scheme: "basic"}) }, `"basic"`},
		"two of one scheme":   {func() { middleware.OneOf(placed, middleware.BearerConfig{}, middleware.APIKeyConfig{Scheme: "bearer"}) }, "an earlier way reads the same"},
		"bare beside a scheme": {func() {
			middleware.OneOf(placed, middleware.BearerConfig{BareHeader: "X-A"}, middleware.APIKeyConfig{Header: "X-A"})
		}, "an earlier way"},
		"anonymous and a user":  {func() { middleware.Bearer(placed, &middleware.BearerConfig{AllowAnonymous: true, RequireUser: true}) }, "RequireUser"},
		"a scope with a blank":  {func() { middleware.Scope("a b") }, `"a b"`},
		"all scopes, and blank": {func() { middleware.AllScopes("a", "b c") }, `"b c"`},
	} {
		func() {
			defer func() {
				if p := fmt.Sprint(recover()); !strings.Contains(p, tt.want) {
					t.Errorf("%s: got %s, want a panic that says %q", name, p, tt.want)
				}
			}()
			tt.make()
		}()
	}

	// Different schemes of one header are two ways.
	middleware.OneOf(placed, middleware.BearerConfig{}, middleware.APIKeyConfig{Scheme: "Token"}, middleware.APIKeyConfig{Scheme: "Key"}, middleware.BasicConfig{})
}
