package middleware_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/throttle"
)

// behind lists the proxies that the tests trust.
var behind = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}

// who is a handler that answers the client's address and whether the client uses TLS.
var who = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%v %t", middleware.ClientAddr(r), middleware.OverTLS(r))
})

// serveFrom sends a request over a connection with that RemoteAddr.
func serveFrom(h http.Handler, from string, lines ...string) *httptest.ResponseRecorder {
	return serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = from
		if from == unixSocket {
			r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.UnixAddr{Name: "s", Net: "unix"}))
		}
		h.ServeHTTP(w, r)
	}), "GET", "/", lines...)
}

const (
	proxyAddr = "10.0.0.1:1"
	https     = "X-Forwarded-Proto: https"
	unknown   = "invalid IP"
)

func TestProxyXForwardedFor(t *testing.T) {
	h := middleware.Proxy(&middleware.ProxyConfig{Trusted: behind})(who)
	for _, tt := range []struct {
		name, from string
		lines      []string
		want       string
	}{
		{"a stranger", "192.0.2.1:1", []string{"X-Forwarded-For: 1.1.1.1", https}, "192.0.2.1 false"},
		{"a stranger without a port", "192.0.2.1", []string{"X-Forwarded-For: 1.1.1.1", https}, "192.0.2.1 false"},
		{"an address that does not parse", "pipe", []string{"X-Forwarded-For: 1.1.1.1", https}, unknown + " false"},
		{"no address", "", []string{"X-Forwarded-For: 1.1.1.1", https}, unknown + " false"},
		{"the proxy itself", proxyAddr, nil, "10.0.0.1 false"},
		{"an empty header", proxyAddr, []string{"X-Forwarded-For: "}, "10.0.0.1 false"},
		{"one client", proxyAddr, []string{"X-Forwarded-For: 1.1.1.1", https}, "1.1.1.1 true"},
		{"a proxy without a port", "10.0.0.1", []string{"X-Forwarded-For: 1.1.1.1", https}, "1.1.1.1 true"},
		{"a Unix socket", unixSocket, []string{"X-Forwarded-For: 1.1.1.1", https}, "1.1.1.1 true"},
		{"the rightmost that is not trusted", proxyAddr, []string{"X-Forwarded-For: 6.6.6.6, 1.1.1.1, 10.0.0.2"}, "1.1.1.1 false"},
		{"two lines", proxyAddr, []string{"X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 1.1.1.1"}, "1.1.1.1 false"},
		{"only proxies", proxyAddr, []string{"X-Forwarded-For: 10.0.0.3, 10.0.0.2"}, "10.0.0.3 false"},
		{"a port", proxyAddr, []string{"X-Forwarded-For: 1.1.1.1:8080"}, "1.1.1.1 false"},
		{"IPv6", proxyAddr, []string{"X-Forwarded-For: 2001:db8::1"}, "2001:db8::1 false"},
		{"IPv6 in brackets", proxyAddr, []string{"X-Forwarded-For: [2001:db8::1]"}, "2001:db8::1 false"},
		{"IPv6 with a port", proxyAddr, []string{"X-Forwarded-For: [2001:db8::1]:8080"}, "2001:db8::1 false"},
		{"a zone", proxyAddr, []string{"X-Forwarded-For: fe80::1%eth0"}, "fe80::1 false"},
		{"IPv4 in IPv6", proxyAddr, []string{"X-Forwarded-For: ::ffff:1.1.1.1"}, "1.1.1.1 false"},
		{"unknown", proxyAddr, []string{"X-Forwarded-For: 6.6.6.6, unknown", https}, unknown + " true"},
		{"obfuscated", proxyAddr, []string{"X-Forwarded-For: 6.6.6.6, _hidden"}, unknown + " false"},
		{"an empty element", proxyAddr, []string{"X-Forwarded-For: 6.6.6.6, "}, unknown + " false"},
		{"an empty element between", proxyAddr, []string{"X-Forwarded-For: 6.6.6.6,,10.0.0.2"}, unknown + " false"},
		{"1,000 clients", proxyAddr, []string{"X-Forwarded-For: " + strings.Repeat("6.6.6.6, ", 999) + "1.1.1.1"}, "1.1.1.1 false"},
		{"1,000 proxies", proxyAddr, []string{"X-Forwarded-For: 6.6.6.6" + strings.Repeat(", 10.0.0.2", 999)}, unknown + " false"},
		{"the other header", proxyAddr, []string{"Forwarded: for=6.6.6.6;proto=https"}, "10.0.0.1 false"},
		{"both headers", proxyAddr, []string{"X-Forwarded-For: 1.1.1.1", "Forwarded: for=6.6.6.6;proto=https"}, "1.1.1.1 false"},
		{"http", proxyAddr, []string{"X-Forwarded-For: 1.1.1.1", "X-Forwarded-Proto: http"}, "1.1.1.1 false"},
		{"another case", proxyAddr, []string{"X-Forwarded-For: 1.1.1.1", "X-Forwarded-Proto: HTTPS"}, "1.1.1.1 false"},
		{"two protocols", proxyAddr, []string{"X-Forwarded-For: 1.1.1.1", https, https}, "1.1.1.1 false"},
		{"a list of protocols", proxyAddr, []string{"X-Forwarded-For: 1.1.1.1", "X-Forwarded-Proto: https, https"}, "1.1.1.1 false"},
	} {
		if got := serveFrom(h, tt.from, tt.lines...).Body.String(); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestProxyForwarded(t *testing.T) {
	h := middleware.Proxy(&middleware.ProxyConfig{Trusted: behind, Header: "Forwarded"})(who)
	for _, tt := range []struct {
		name, from string
		lines      []string
		want       string
	}{
		{"a stranger", "192.0.2.1:1", []string{"Forwarded: for=1.1.1.1;proto=https"}, "192.0.2.1 false"},
		{"one client", proxyAddr, []string{"Forwarded: for=1.1.1.1;proto=https"}, "1.1.1.1 true"},
		{"any order, any case", proxyAddr, []string{`Forwarded: Proto=https; FOR="1.1.1.1:80";by=10.0.0.1`}, "1.1.1.1 true"},
		{"IPv6", proxyAddr, []string{`Forwarded: for="[2001:db8::1]"`}, "2001:db8::1 false"},
		{"IPv6 with a port", proxyAddr, []string{`Forwarded: for="[2001:db8::1]:80";proto="https"`}, "2001:db8::1 true"},
		{"an obfuscated port", proxyAddr, []string{`Forwarded: for="1.1.1.1:_p"`}, "1.1.1.1 false"},
		{"IPv6 without brackets", proxyAddr, []string{`Forwarded: for="2001:db8::1"`}, unknown + " false"},
		{"the protocol of the same element", proxyAddr, []string{"Forwarded: for=6.6.6.6;proto=https, for=1.1.1.1;proto=http"}, "1.1.1.1 false"},
		{"a chain", proxyAddr, []string{"Forwarded: for=6.6.6.6;proto=http, for=1.1.1.1;proto=https", "Forwarded: for=10.0.0.2;proto=http"}, "1.1.1.1 true"},
		{"unknown", proxyAddr, []string{"Forwarded: for=6.6.6.6, for=unknown;proto=https"}, unknown + " true"},
		{"obfuscated", proxyAddr, []string{"Forwarded: for=6.6.6.6, for=_hidden"}, unknown + " false"},
		{"no for", proxyAddr, []string{"Forwarded: for=6.6.6.6, proto=https"}, unknown + " true"},
		{"for twice", proxyAddr, []string{"Forwarded: for=6.6.6.6;for=1.1.1.1"}, unknown + " false"},
		{"an empty element", proxyAddr, []string{"Forwarded: for=6.6.6.6, "}, unknown + " false"},
		{"a quote before", proxyAddr, []string{`Forwarded: for=6.6.6.6;x=", for=1.1.1.1;proto=https`}, "1.1.1.1 true"},
		{"quotes around", proxyAddr, []string{`Forwarded: for=6.6.6.6;x=", for="[2001:db8::1]"`}, "2001:db8::1 false"},
		{"an escaped quote before", proxyAddr, []string{`Forwarded: x="\", for="1.1.1.1"`}, "1.1.1.1 false"},
		{"the other header", proxyAddr, []string{"X-Forwarded-For: 6.6.6.6", https}, "10.0.0.1 false"},
		{"both headers", proxyAddr, []string{"X-Forwarded-For: 6.6.6.6", https, "Forwarded: for=1.1.1.1"}, "1.1.1.1 false"},
	} {
		if got := serveFrom(h, tt.from, tt.lines...).Body.String(); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// FuzzForwarded tests that the element of a trusted proxy decides who the client is,
// whatever the client sends before it.
func FuzzForwarded(f *testing.F) {
	for _, s := range []string{"", "for=6.6.6.6", `for="`, `for="\`, `,`, `;for=6.6.6.6;`, `for="[::1]", for=10.0.0.1`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h := middleware.Proxy(&middleware.ProxyConfig{Trusted: behind, Header: "Forwarded"})(who)
		for want, element := range map[string]string{
			"1.1.1.1 true": "for=1.1.1.1;proto=https", "2001:db8::1 true": `proto=https;for="[2001:db8::1]:1"`,
		} {
			if got := serveFrom(h, proxyAddr, "Forwarded: "+s+", "+element).Body.String(); got != want {
				t.Errorf("%q before %q: got %q, want %q", s, element, got, want)
			}
			if got := serveFrom(h, proxyAddr, "Forwarded: "+s, "Forwarded: "+element).Body.String(); got != want {
				t.Errorf("%q in a line before %q: got %q, want %q", s, element, got, want)
			}
		}
	})
}

// TestProxyWithoutProxy tests that only the connection counts without a Proxy, and
// with one that trusts nobody.
func TestProxyWithoutProxy(t *testing.T) {
	for name, h := range map[string]http.Handler{
		"no Proxy": who, "in a wrapper": middleware.Errors(silent)(who),
		"a nil config": middleware.Proxy(nil)(who), "an empty config": middleware.Proxy(&middleware.ProxyConfig{})(who),
	} {
		for from, want := range map[string]string{proxyAddr: "10.0.0.1 false", unixSocket: unknown + " false"} {
			if got := serveFrom(h, from, "X-Forwarded-For: 1.1.1.1", https).Body.String(); got != want {
				t.Errorf("%s, from %s: got %q, want %q", name, from, got, want)
			}
		}
	}
}

// TestProxyTwice tests that a second Proxy is a fault, and so is one inside of a
// wrapper that has asked for the address: the question would have two answers.
func TestProxyTwice(t *testing.T) {
	proxy := middleware.Proxy(&middleware.ProxyConfig{Trusted: behind})
	asks := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			middleware.ClientAddr(r)
			next.ServeHTTP(w, r)
		})
	}
	throttled := middleware.Basic(newThrottle(t, 0).Around(people), nil)
	pass := "Authorization: Basic " + b64std("app:pass")
	for name, tt := range map[string]struct {
		wrapper middleware.Wrapper
		want    string
	}{
		"one":                           {middleware.Chain(middleware.Errors(silent), bearer, proxy), ""},
		"two":                           {middleware.Chain(middleware.Errors(silent), proxy, proxy), "AUTH-8"},
		"inside of what has asked":      {middleware.Chain(middleware.Errors(silent), asks, proxy), "AUTH-8"},
		"inside of a throttled wrapper": {middleware.Chain(middleware.Errors(silent), throttled, proxy), "AUTH-8"},
		"around a throttled wrapper":    {middleware.Chain(middleware.Errors(silent), proxy, throttled), ""},
	} {
		line := pass
		if name == "one" {
			line = tokenAda
		}
		if w := serveFrom(tt.wrapper(who), proxyAddr, line); code(w) != tt.want {
			t.Errorf("%s: got %d %s, want %q", name, w.Code, w.Body, tt.want)
		}
	}
}

func TestProxyPanics(t *testing.T) {
	for name, cfg := range map[string]*middleware.ProxyConfig{
		"everybody":        {Trusted: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}},
		"all of IPv6":      {Trusted: []netip.Prefix{netip.MustParsePrefix("::/0")}},
		"no prefix":        {Trusted: []netip.Prefix{{}}},
		"bits beyond":      {Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/8")}},
		"IPv4 as IPv6":     {Trusted: []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104")}},
		"another header":   {Header: "X-Real-IP"},
		"the other's case": {Header: "forwarded"},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			middleware.Proxy(cfg)
		}()
	}
}

// TestDecoratedThrottleKnowsTheClient has a validator that logs around a throttle,
// behind a proxy. The failures of one client must not lock another one out.
func TestDecoratedThrottleKnowsTheClient(t *testing.T) {
	throttled := newThrottle(t, 2).Around(middleware.ValidatorFunc(passwords))
	logs := middleware.ValidatorFunc(func(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
		return throttled.Validate(ctx, c)
	})
	h := middleware.Chain(middleware.Proxy(&middleware.ProxyConfig{Trusted: behind}), middleware.Basic(logs, nil))(who)
	wrong, right := "Authorization: Basic "+b64std("app:guess"), "Authorization: Basic "+b64std("app:pass")

	for range 4 {
		serveFrom(h, proxyAddr, wrong, "X-Forwarded-For: 6.6.6.6")
	}
	if w := serveFrom(h, proxyAddr, right, "X-Forwarded-For: 6.6.6.6"); code(w) != "AUTH-13" {
		t.Errorf("the one that guessed: got %d %s, want AUTH-13", w.Code, w.Body)
	}
	if w := serveFrom(h, proxyAddr, right, "X-Forwarded-For: 1.1.1.1"); w.Code != 200 {
		t.Errorf("another client: got %d %s, want 200", w.Code, w.Body)
	}
}

// TestAddrs tests that the networks of a credential are checked on every request,
// whether or not it is cached.
func TestAddrs(t *testing.T) {
	office := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}
	limited := middleware.Identity{Issuer: "i", Client: "app", APIKeyID: "k"}.WithDetails(middleware.Details{Addrs: office})
	v := middleware.ValidatorFunc(func(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
		if c.Secret != "key" {
			return nil, &errorsx.Error{Code: errorsx.CredentialsIncorrect, Message: "The API key is incorrect"}
		}
		return &limited, nil
	})
	for name, auth := range map[string]middleware.Validator{"asked": v, "cached": newCache(t, v, 10, middleware.CacheConfig{})} {
		h := middleware.Chain(
			middleware.Errors(silent), middleware.Proxy(&middleware.ProxyConfig{Trusted: behind}), middleware.APIKey(auth, nil),
		)(who)
		for _, tt := range []struct{ from, forwarded, want string }{
			{"192.0.2.7:1", "", ""},
			{"198.51.100.1:1", "", "AUTH-1"},
			{proxyAddr, "192.0.2.7", ""},
			{proxyAddr, "::ffff:192.0.2.7", ""},
			{proxyAddr, "2001:db8::1%eth0", ""},
			{proxyAddr, "198.51.100.1", "AUTH-1"},
			{"198.51.100.1:1", "192.0.2.7", "AUTH-1"},
			{proxyAddr, "unknown", "AUTH-8"},
			{unixSocket, "", "AUTH-8"},
			{"pipe", "192.0.2.7", "AUTH-8"},
		} {
			lines := []string{"X-API-KEY: key", "X-Forwarded-For: " + tt.forwarded}
			if w := serveFrom(h, tt.from, lines...); code(w) != tt.want {
				t.Errorf("%s, from %s for %q: got %d %s, want %q", name, tt.from, tt.forwarded, w.Code, w.Body, tt.want)
			}
		}

		elsewhere := serveFrom(h, "198.51.100.1:1", "X-API-KEY: key").Body.String()
		if wrong := serveFrom(h, "198.51.100.1:1", "X-API-KEY: other").Body.String(); elsewhere != wrong {
			t.Errorf("%s: a thief reads %s, and %s for an unknown key", name, elsewhere, wrong)
		}
	}
}

// unixSocket is the RemoteAddr of a client that connects over a Unix socket.
const unixSocket = "@"

// passwords is a validator of the client app, whose password is "pass".
func passwords(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
	if c.Username != "app" || c.Secret != "pass" {
		return nil, errorsx.CredentialsIncorrect
	}
	return &middleware.Identity{Issuer: "i", Client: "app"}, nil
}

// newThrottle returns a throttle that allows that number of failures.
func newThrottle(t testing.TB, failures int) *throttle.Throttle {
	t.Helper()
	limit, err := throttle.New(&throttle.Config{Failures: failures})
	if err != nil {
		t.Fatal(err)
	}
	return limit
}
