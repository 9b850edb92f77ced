package middleware_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// Observe, Proxy and Errors belong outside of all other wrappers.
func ExampleChain() {
	proxies := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	audit := func(r *http.Request, d middleware.Decision) {
		fmt.Println(middleware.ClientAddr(r), d.Status, d.Code().String())
	}
	mux := middleware.Bearer(demoTokens, nil)(hello)

	door := middleware.Chain(
		middleware.Observe(audit), // called once for each request, when it ends
		middleware.Proxy(&middleware.ProxyConfig{Trusted: proxies}),
		middleware.Errors(&errorsx.Writer{Dialect: errorsx.RFC, Realm: "shop"}),
	)
	h := door(mux)

	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	r.RemoteAddr = "192.0.2.7:4711"
	r.Header.Set("X-Forwarded-For", "203.0.113.9")
	r.Header.Set("Authorization", "Bearer guess")
	h.ServeHTTP(w, r)
	fmt.Println(w.Header().Get("WWW-Authenticate"))
	// Output:
	// 203.0.113.9 401 AUTH-12
	// Bearer realm="shop", error="invalid_token", error_description="Invalid token"
}
