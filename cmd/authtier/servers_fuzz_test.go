package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/go-chi/chi/v5"
	chimiddleware "github.com/go-chi/chi/v5/middleware"

	"github.com/authtier/authtier/middleware"
)

// guardedTiers are the tables of FuzzServers: one with some tiers, and one with a tier
// around all of these. Every answer holds the prefix that it was served below.
var guardedTiers = [][]string{
	{"/ext/", "/ext/private/", "/public/", "/user/"},
	{"/", "/ext/", "/ext/private/", "/public/", "/user/"},
}

// markedTiers returns a guard that admits every request, and writes the tier whose
// credentials it requires to the header Tier.
func markedTiers(tb testing.TB, prefixes []string) middleware.Wrapper {
	table := middleware.TierTable{}
	for _, prefix := range prefixes {
		table[prefix] = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Tier", prefix)
				next.ServeHTTP(w, r.WithContext(middleware.WithIdentity(r.Context(), middleware.Identity{Client: "app"})))
			})
		}
	}
	if err := table.Check(); err != nil {
		tb.Fatal(err)
	}
	return middleware.Tiers(table, nil)
}

// pathServers are servers that each read paths in their own way. Each answers with the
// prefix of the tier that its content is in, such as "served:/user/".
func pathServers(prefixes []string) map[string]http.Handler {
	mux, router, cleaning, loose := http.NewServeMux(), chi.NewRouter(), chi.NewRouter(), chi.NewRouter()
	cleaning.Use(chimiddleware.CleanPath)
	loose.Use(chimiddleware.StripSlashes)
	files := fstest.MapFS{}
	for _, prefix := range prefixes {
		here := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "served:"+prefix) })
		mux.Handle(prefix, here)
		for _, r := range []chi.Router{router, cleaning, loose} {
			r.Handle(prefix+"*", here)
			r.Handle("/"+strings.Trim(prefix, "/"), here)
		}
		for _, name := range []string{"x", "index.html", "a;b", "..a"} {
			files[prefix[1:]+name] = &fstest.MapFile{Data: []byte("served:" + prefix)}
		}
	}
	return map[string]http.Handler{
		"ServeMux": mux, "chi": router, "chi with CleanPath": cleaning, "chi with StripSlashes": loose,
		"FileServer":             http.FileServerFS(files),
		"ReverseProxy":           proxyTo(mux),
		"ReverseProxy to files":  proxyTo(http.FileServerFS(files)),
		"ReverseProxy to itself": proxyTo(proxyTo(mux)),
		"StripPrefix":            http.StripPrefix("", mux),
		"after the authority":    afterAuthority(mux),
		"mounted": mount(prefixes, func(prefix string) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "served:"+prefix) })
		}),
	}
}

// afterAuthority reads targets as browsers do, and servers that follow the same
// standard (WHATWG URL): two or more slashes of either kind begin an authority.
func afterAuthority(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := strings.ReplaceAll(r.URL.Path, `\`, "/")
		if strings.HasPrefix(p, "//") {
			_, p, _ = strings.Cut(strings.TrimLeft(p, "/"), "/")
			p = "/" + p
		}
		r = r.Clone(r.Context())
		r.URL.Path, r.URL.RawPath = p, ""
		h.ServeHTTP(w, r)
	})
}

// mount serves each prefix by a mux below it, with the prefix stripped.
func mount(prefixes []string, serve func(prefix string) http.Handler) http.Handler {
	mux := http.NewServeMux()
	for _, prefix := range prefixes {
		mux.Handle(prefix, http.StripPrefix(strings.TrimSuffix(prefix, "/"), serve(prefix)))
	}
	return mux
}

// A wireTo sends requests to a handler as they would go over the network: written
// and read again.
type wireTo struct{ handler http.Handler }

func (t wireTo) RoundTrip(r *http.Request) (*http.Response, error) {
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		return nil, err
	}
	again, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	t.handler.ServeHTTP(w, again)
	return w.Result(), nil
}

func proxyTo(h http.Handler) http.Handler {
	upstream := &url.URL{Scheme: "http", Host: "upstream"}
	return &httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(upstream) },
		Transport:    wireTo{h},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
}

// fragments replace the control characters in a target of FuzzServers. They are the
// usual parts of attacks on paths.
var fragments = strings.Fields(`/ext/ /user/ /public/ /private/ ext user / // .. ../ /.. ..; ;a=b %2e %2e%2e %2f %5c \ . %00 %252e %252f
	%75ser USER %20 %3b ? # %3f %23 x index.html /./ %c0%ae`)

func expand(target string) string {
	var b strings.Builder
	for i := range len(target) {
		if c := target[i]; c < ' ' {
			b.WriteString(fragments[int(c)%len(fragments)])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// FuzzServers states the rule of tiers for real servers behind them (P00, P18): for
// every request, the served content is in the tier whose credentials were required.
func FuzzServers(f *testing.F) {
	for _, target := range []string{
		"/ext/x", "/ext/private/x", "/user", "\x00\x08\x01", "\x00\x0d\x0f\x01", "\x00\x0e\x05x", "/ext/..;/user/x", "//user/x", "/%75ser/x",
		"\x00\x11\x11\x05", "/ext/private/..%2f..%2fuser/x", "http://h/user/x", "/USER/x", "/ext/%2e/private/x", "*", "\x1b", "\x1c\x1d", "/ext/private%2f\"",
		"/%65xt/x", "///h/user/x", "/user/../%65xt/x",
	} {
		f.Add(target, uint8(0))
		f.Add(target, uint8(1))
	}
	type site struct {
		guard   middleware.Wrapper
		servers map[string]http.Handler
	}
	var sites []site
	for _, prefixes := range guardedTiers {
		sites = append(sites, site{markedTiers(f, prefixes), pathServers(prefixes)})
	}
	methods := []string{"GET", "CONNECT", "POST", "OPTIONS", "get"}
	f.Fuzz(func(t *testing.T, target string, method uint8) {
		line := methods[int(method)%len(methods)] + " " + expand(target)
		for _, s := range sites {
			for name, h := range s.servers {
				if tier, served := ask(s.guard(h), line); served != "" && served != tier {
					t.Errorf("%s: %q: what is in %s was served to tier %q", name, line, served, tier)
				}
			}
		}
	})
}

// ask sends a request with that method and target. It returns the tier whose
// credentials were required, and the tier of the served content.
func ask(h http.Handler, line string) (tier, served string) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(line + " HTTP/1.1\r\nHost: x\r\n\r\n")))
	if err != nil {
		return "", ""
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	_, served, _ = strings.Cut(w.Body.String(), "served:")
	return w.Header().Get("Tier"), served
}

// TestP18 sends targets that bypass a rule by plain prefixes. The servers of FuzzServers
// must show the bypass for that rule, and must not show one for this rule.
func TestP18(t *testing.T) {
	naive := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for _, prefix := range []string{"/ext/private/", "/ext/", "/public/", "/user/"} {
				if strings.HasPrefix(r.URL.Path, prefix) {
					w.Header().Set("Tier", prefix)
					next.ServeHTTP(w, r)
					return
				}
			}
		})
	}
	guard, servers := markedTiers(t, guardedTiers[0]), pathServers(guardedTiers[0])
	for _, tt := range []struct{ server, line string }{
		{"chi with CleanPath", "GET /ext/../user/x"},
		{"chi with CleanPath", "GET /ext/..//user/x"},
		{"FileServer", "GET /ext/%2e%2e/user/x"},
		{"ReverseProxy to files", "GET /public/..%2fuser/x"},
		{"ReverseProxy to files", "GET /ext/./private/x"},
	} {
		tier, served := ask(naive(servers[tt.server]), tt.line)
		if served == "" || served == tier {
			t.Errorf("%s: %s: plain prefixes give %q in tier %q, want them fooled", tt.server, tt.line, served, tier)
		}
		if tier, served := ask(guard(servers[tt.server]), tt.line); served != "" {
			t.Errorf("%s: %s: what is in %s was served to tier %q", tt.server, tt.line, served, tier)
		}
	}
}
