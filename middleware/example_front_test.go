package middleware_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// The writer decides how all refusals inside look.
func ExampleErrors() {
	guarded := middleware.Bearer(demoTokens, nil)(hello)
	shop := middleware.Errors(&errorsx.Writer{Dialect: errorsx.RFC, Realm: "shop"})

	for _, h := range []http.Handler{guarded, shop(guarded)} {
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Header.Set("Authorization", "Bearer guess")
		h.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	}
	// Output:
	// 404 Bearer realm="api", error="invalid_token", error_description="Invalid token"
	// 401 Bearer realm="shop", error="invalid_token", error_description="Invalid token"
}

// The log of a program gets one line for each request, refused or not.
func ExampleObserve() {
	log := middleware.Observe(func(r *http.Request, d middleware.Decision) {
		if d.Admitted() {
			fmt.Println(r.URL.Path, d.Status, d.Identity.Client)
			return
		}
		fmt.Println(r.URL.Path, d.Status, "refused:", d.Refusal)
	})
	h := log(middleware.Chain(middleware.Bearer(demoTokens, nil), middleware.Scope("read"))(hello))

	for _, token := range []string{"s3cret", "guess"} {
		r := httptest.NewRequest("GET", "/reports", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	// Output:
	// /reports 200 app
	// /reports 404 refused: AUTH-12: Invalid token
}

// Only a proxy that is trusted may say which client sent a request.
func ExampleProxy() {
	proxy := middleware.Proxy(&middleware.ProxyConfig{
		Trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
	})
	h := proxy(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(middleware.ClientAddr(r))
	}))

	for _, peer := range []string{"192.0.2.7:4711", "198.51.100.66:4711"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = peer
		r.Header.Set("X-Forwarded-For", "10.0.0.1, 203.0.113.9") // the client sent the first, the proxy added the second
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	// Output:
	// 203.0.113.9
	// 198.51.100.66
}
