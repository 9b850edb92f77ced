package middleware_test

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/authtier/authtier/middleware"
)

// mark returns a wrapper that authenticates every request and records its name in the
// answer.
func mark(name string) middleware.Wrapper {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Add("Tier", name)
			next.ServeHTTP(w, r.WithContext(middleware.WithIdentity(r.Context(), middleware.Identity{Client: "app"})))
		})
	}
}

func tiers(t testing.TB, prefixes ...string) middleware.Wrapper {
	t.Helper()
	table := middleware.TierTable{}
	for _, p := range prefixes {
		table[p] = mark(p)
	}
	if err := table.Check(); err != nil {
		t.Fatal(err)
	}
	return middleware.Tiers(table, nil)
}

// serveTarget returns the tier of a request target and the path that the handler
// sees. Both are empty if the request is refused.
func serveTarget(t testing.TB, guard middleware.Wrapper, method, target string) (tier, seen string) {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + " " + target + " HTTP/1.1\r\nHost: x\r\n\r\n")))
	if err != nil {
		t.Fatalf("net/http refuses %q: %v", target, err)
	}
	w := httptest.NewRecorder()
	guard(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.URL.Path })).ServeHTTP(w, r)
	if tier = w.Header().Get("Tier"); tier == "" && w.Code != 404 {
		t.Errorf("%s %q: refused with %d, want 404", method, target, w.Code)
	}
	return tier, seen
}

func TestTiersPaths(t *testing.T) {
	guard := tiers(t, "/ext/", "/public/", "/user/", "/pro/", "/ext/private/", "/Mixed/")
	for _, tt := range []struct{ target, tier string }{
		{"/ext/ping", "/ext/"},
		{"/ext", "/ext/"},
		{"/ext/", "/ext/"},
		{"/user/a/b/c.png", "/user/"},
		{"/ext/private", "/ext/private/"},
		{"/ext/private/x", "/ext/private/"},
		{"/ext/privat", "/ext/"},
		{"/ext/A/UPPER", "/ext/"},
		{"/Mixed/x", "/Mixed/"},
		{"/ext/a,b;c=d/e:f@g", "/ext/"},
		{"/ext/a%2Fb", "/ext/"},
		{"/ext/a%20b/%C3%A9", "/ext/"},
		{"/ext/a/../b", "/ext/"},
		{"/ext//ping", "/ext/"},
		{"/ext/.hidden", "/ext/"},
		{"/ext/ping?x=/user/", "/ext/"},
		{"/%75ser/x", "/user/"},
		{"/us%65%72/x", "/user/"},
		{"http://host/user/x", "/user/"},

		{"/", ""},
		{"/userx", ""},
		{"/ext-", ""},
		{"/mixed/x", ""},
		{"/USER/x", ""},
		{"/User/x", ""},
		{"/ext/Private/x", ""},
		{"/ext/../user/x", ""},
		{"/ext/./../user/x", ""},
		{"/ext/%2e%2e/user/x", ""},
		{"/ext/.%2e/user/x", ""},
		{"/ext/..%2fuser/x", ""},
		{"/ext/..%2Fuser/x", ""},
		{"/ext/..%5cuser/x", ""},
		{`/ext/..\user/x`, ""},
		{"/ext/%252e%252e/user/x", ""},
		{"/ext/%25%32%65%25%32%65/user/x", ""},
		{"//user/x", ""},
		{"///", ""},
		{"//ext/ping", ""},
		{"//evil/user", ""},
		{"/ext//../user/x", ""},
		{"/user%2fx", ""},
		{"/public%2f..%2fuser", ""},
		{`/user\x`, ""},
		{"/user%5cx", ""},
		{"/ext/..;/user/x", ""},
		{"/ext/..;a=b/user/x", ""},
		{"/ext/;a/../user/x", ""},
		{"/ext/..%3b/user/x", ""},
		{"/user;a=b/x", ""},
		{"/user/..;foo=bar/pro", ""},
		{"/user.", ""},
		{"/user%20", ""},
		{"/user%0a", ""},
		{"/user%00", ""},
		{"/user%00x/y", ""},
		{"/user%23/x", ""},
		{"/user%3f/x", ""},
		{"/pro../x", ""},
		{"/ext/private./x", ""},
		{"/ext/private%20/x", ""},
		{"/ext/private;v=1/x", ""},
		{"/ext//private/x", ""},
		{"/ext/./private/x", ""},
		{"/ext/..", ""},
		{"/ext/..%00/user/x", ""},
		{"/ext/..%00x/user/x", ""},
		{"/ext/..%23/user/x", ""},
		{"/ext/..%3f/user/x", ""},
		{"/ext/..%20/user/x", ""},
		{"/ext/..%0a/user/x", ""},
		{"/ext/..%20%00/user/x", ""},
		{"/ext/%2e%2e/user/me%2f..%2f..%2fext%2fping", ""},
		{"/ext/../user/me%00/../../ext/ping", ""},
		{"/ext/../user/me%3f/../../ext/ping", ""},
		{"/ext/../user/me%23/../../ext/ping", ""},
		{"/ext/../user/me;/../../ext/ping", ""},
		{"/ext/..%20/user/..%00/ext/..%20x%2Fx", ""},
		{"/ext/.%20/.%00./user/x", "/ext/"},
		{"/%c0%af", ""},
		{"/ext/%ff", ""},
		{"/ext/%c5%bf/../../u%c5%bfer/x", ""},
		{"/u%c5%bfer/x", ""},
		{"/ext/pr%c4%b1vate/x", ""},
		{"/ext/" + strings.Repeat("a;", 1<<10), ""},
		{"/ext/%" + strings.Repeat("25", 40) + "41", ""},
	} {
		tier, _ := serveTarget(t, guard, "GET", tt.target)
		if tier != tt.tier {
			t.Errorf("%.80q: got tier %q, want %q", tt.target, tier, tt.tier)
		}
	}
	for _, target := range []string{"http:user/x", "mailto:x", "*"} {
		if tier, _ := serveTarget(t, guard, "GET", target); tier != "" {
			t.Errorf("%q: got tier %q, want it refused", target, tier)
		}
	}
	for _, target := range []string{"host:80", "/ext/../user/x", "/ext/%2e%2e/user/x"} {
		if tier, _ := serveTarget(t, guard, "CONNECT", target); tier != "" {
			t.Errorf("CONNECT %q: got tier %q, want it refused", target, tier)
		}
	}
}

// TestP16RewrittenURL tests URLs that other handlers have changed.
func TestP16RewrittenURL(t *testing.T) {
	guard := tiers(t, "/ext/", "/user/")
	for _, tt := range []struct {
		url  url.URL
		tier string
	}{
		{url.URL{Path: "user"}, ""},
		{url.URL{Path: ""}, ""},
		{url.URL{Path: "/user/x", RawPath: "/ext/y"}, ""}, // invalid for net/url, but chi routes by it
		{url.URL{Path: "/user/x", RawPath: "/user/y"}, "/user/"},
		{url.URL{Path: "/user", RawPath: "%2fuser"}, ""},
		{url.URL{Path: "/../user"}, ""},
		{url.URL{Path: "/user/a b"}, "/user/"},
	} {
		r := &http.Request{Method: "GET", URL: &tt.url, Header: http.Header{}}
		w := httptest.NewRecorder()
		guard(http.NotFoundHandler()).ServeHTTP(w, r)
		if got := w.Header().Get("Tier"); got != tt.tier {
			t.Errorf("%#v: got tier %q, want %q", tt.url, got, tt.tier)
		}
	}
}

func TestTiersRoot(t *testing.T) {
	guard := tiers(t, "/", "/user/")
	for target, want := range map[string]string{
		"/": "/", "/x": "/", "/user": "/user/", "/userx": "/", "/USER/x": "", "/x/../user/y": "", "/x/../y": "/",
		"//host/user/x": "", "//host/x": "/", "//user/x": "", "//host": "/", "//x//user/y": "",
		"///host/user/x": "", `/\/host/user/x`: "", "////host/x": "/",
		"/%75ser/x": "", "/x/../%75ser/y": "", "/user/../%75ser/y": "", "/user/%7Ex": "/user/", "/%78/y": "/",
	} {
		if tier, _ := serveTarget(t, guard, "GET", target); tier != want {
			t.Errorf("%q: got tier %q, want %q", target, tier, want)
		}
	}
}

func TestP17TiersTable(t *testing.T) {
	w := mark("x")
	for name, tt := range map[string]struct {
		table middleware.TierTable
		want  []string
	}{
		"no tier":            {nil, []string{"no tier"}},
		"nil wrapper":        {middleware.TierTable{"/a/": nil}, []string{"nil Wrapper"}},
		"empty prefix":       {middleware.TierTable{"": w}, []string{"begins and ends with a slash"}},
		"no last slash":      {middleware.TierTable{"/a": w}, []string{"begins and ends with a slash"}},
		"no first slash":     {middleware.TierTable{"a/": w}, []string{"begins and ends with a slash"}},
		"double slash":       {middleware.TierTable{"/a//b/": w}, []string{"begins and ends with a slash"}},
		"dot segment":        {middleware.TierTable{"/a/../b/": w}, []string{"begins and ends with a slash"}},
		"escape":             {middleware.TierTable{"/%61/": w}, []string{"begins and ends with a slash"}},
		"parameter":          {middleware.TierTable{"/a;b/": w}, []string{"begins and ends with a slash"}},
		"twice but for case": {middleware.TierTable{"/a/": w, "/A/": w}, []string{"reads the same"}},
		"three faults":       {middleware.TierTable{"x": w, "/a/": nil, "/{b}/": w}, []string{`"x": a prefix begins`, `"/a/": nil Wrapper`, "pattern"}},
	} {
		err := tt.table.Check()
		text := panicOf(func() { middleware.Tiers(tt.table, nil) })
		for _, want := range tt.want {
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(text, want) {
				t.Errorf("%s: got error %v and panic %q, want %q in both", name, err, text, want)
			}
		}
	}
}

// panicOf returns the text with which f panics, or "".
func panicOf(f func()) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = fmt.Sprint(p)
		}
	}()
	f()
	return ""
}

// TestTiersPreflight tests that a CORS preflight is guarded like any other request,
// unless AllowPreflight is set.
func TestTiersPreflight(t *testing.T) {
	table := middleware.TierTable{"/user/": mark("guard")}
	for _, allow := range []bool{false, true} {
		guard := middleware.Tiers(table, &middleware.TiersConfig{AllowPreflight: allow})
		serve := func(method, target string, headers ...string) *httptest.ResponseRecorder {
			r, w := httptest.NewRequest(method, target, nil), httptest.NewRecorder()
			for _, h := range headers {
				r.Header.Set(h, "x")
			}
			guard(whoami).ServeHTTP(w, r)
			return w
		}
		preflight := serve("OPTIONS", "/user/x", "Origin", "Access-Control-Request-Method")
		if unguarded := preflight.Header().Get("Tier") == ""; unguarded != allow {
			t.Errorf("AllowPreflight %t: preflight unguarded is %t", allow, unguarded)
		}
		for name, w := range map[string]*httptest.ResponseRecorder{
			"plain OPTIONS": serve("OPTIONS", "/user/x", "Origin"),
			"GET":           serve("GET", "/user/x", "Origin", "Access-Control-Request-Method"),
		} {
			if w.Header().Get("Tier") != "guard" {
				t.Errorf("AllowPreflight %t: %s is not guarded", allow, name)
			}
		}
		if w := serve("OPTIONS", "/other", "Origin", "Access-Control-Request-Method"); w.Code != 404 {
			t.Errorf("preflight outside all tiers: got %d, want 404", w.Code)
		}
	}
}

// TestTiersRefusePatterns tests that a router's pattern is not accepted as a prefix.
// Prefixes are compared as they are, so it would guard none of the router's paths.
func TestTiersRefusePatterns(t *testing.T) {
	for _, prefix := range []string{
		"/users/{id}/private/", "/users/{id...}/", "/files/*path/", "/*/", "/users/:id/", "/:id/", "/a}/", "/a{/",
	} {
		err := middleware.TierTable{"/": middleware.Unguarded, prefix: bearer}.Check()
		if err == nil || !strings.Contains(err.Error(), prefix) || !strings.Contains(err.Error(), "pattern") {
			t.Errorf("%s: got %v, want an error that names the pattern", prefix, err)
		}
	}
}

// TestTiersGuardAuthenticates tests that a guard that authenticates nobody opens no
// tier.
func TestTiersGuardAuthenticates(t *testing.T) {
	logs := func(next http.Handler) http.Handler { return next }
	own := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(middleware.WithIdentity(r.Context(), middleware.Identity{Issuer: "i", Client: "mtls"})))
		})
	}
	anonymous := middleware.Bearer(people, &middleware.BearerConfig{AllowAnonymous: true})
	for name, tt := range map[string]struct {
		guard middleware.Wrapper
		want  string
	}{
		"a logger": {logs, "AUTH-8"}, "a logger and a key": {middleware.Chain(logs, key), ""},
		"a writer": {middleware.Errors(silent), "AUTH-8"}, "one of one's own": {own, ""},
		"anonymous": {anonymous, ""}, "nothing": {middleware.Unguarded, ""},
		"nothing around a key": {middleware.Chain(middleware.Unguarded, key), ""}, "a key around nothing": {middleware.Chain(key, middleware.Unguarded), ""},
		"nothing around Basic": {middleware.Chain(middleware.Unguarded, basic), "AUTH-2"}, "nothing around a logger": {middleware.Chain(middleware.Unguarded, logs), ""},
	} {
		guard := middleware.Tiers(middleware.TierTable{"/": tt.guard}, nil)
		if w := serve(middleware.Errors(silent)(guard(whoami)), "GET", "/", keyApp); code(w) != tt.want {
			t.Errorf("%s: got %d %s, want %q", name, w.Code, w.Body, tt.want)
		}
	}
}

// FuzzTiers tests that no request reaches a handler through another tier than its
// path's, in whatever way the handler reads the path.
func FuzzTiers(f *testing.F) {
	for _, target := range []string{
		"/ext/ping", "/ext/../user/x", "/ext/%2e%2e%2fuser", "/ext/..;/user", "//user/x", "/%75ser/x", "/USER",
		"/ext/%252e%252e/user", `/ext/..\user`, "/user%00/x", "/ext/a/%2e%2e/%2e%2e/user", "/user./x", "http://h/user",
	} {
		f.Add(target)
	}
	guard := tiers(f, "/ext/", "/user/", "/ext/in/")
	mux := http.NewServeMux()
	for _, p := range []string{"/ext/", "/user/", "/ext/in/"} {
		mux.HandleFunc(p, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Handler", p) })
	}
	behind := guard(mux)
	readings := []func(string) string{
		func(p string) string { return p },
		path.Clean,
		strings.ToLower,
		func(p string) string { return strings.ToLower(path.Clean(strings.ReplaceAll(p, `\`, "/"))) },
		func(p string) string {
			if q, err := url.PathUnescape(p); err == nil {
				p = q
			}
			return path.Clean(p)
		},
		func(p string) string {
			segments := strings.Split(p, "/")
			for i := range segments {
				segments[i], _, _ = strings.Cut(segments[i], ";")
			}
			return path.Clean(strings.Join(segments, "/"))
		},
	}
	tierOf := func(p string) string {
		for _, prefix := range []string{"/ext/in/", "/ext/", "/user/"} {
			if strings.HasPrefix(p+"/", prefix) {
				return prefix
			}
		}
		return ""
	}
	f.Fuzz(func(t *testing.T, target string) {
		if strings.ContainsAny(target, " \r\n") {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n")))
		if err != nil {
			return
		}
		w := httptest.NewRecorder()
		behind.ServeHTTP(w, r)
		tier, handler := w.Header().Get("Tier"), w.Header().Get("Handler")
		if handler != "" && handler != tier {
			t.Errorf("%q: the handler of %s ran in tier %q", target, handler, tier)
		}
		if tier == "" {
			return
		}
		for i, reading := range readings {
			if p := reading(r.URL.Path); p != "." && tierOf(p) != tier {
				t.Errorf("%q: admitted to %s, and reading %d, %q, is in %q", target, tier, i, p, tierOf(p))
			}
		}
	})
}

func BenchmarkTiers(b *testing.B) {
	for _, bb := range []struct{ name, target string }{
		{"plain", "/user/profile/42"}, {"odd", "/user/a%2Fb"}, {"none", "/elsewhere"},
	} {
		guard := tiers(b, "/ext/", "/public/", "/user/", "/pro/")
		b.Run("path="+bb.name, func(b *testing.B) {
			r, w := httptest.NewRequest("GET", bb.target, nil), httptest.NewRecorder()
			w.Body = nil
			h := guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			b.ReportAllocs()
			for b.Loop() {
				clear(w.Header())
				h.ServeHTTP(w, r)
			}
		})
	}
}
