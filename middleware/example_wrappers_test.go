package middleware_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// demoSecrets is a validator that knows one secret, of a client without a user.
var demoSecrets = middleware.ValidatorFunc(func(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
	if c.Secret != "acme-secret" {
		return nil, errorsx.CredentialsIncorrect
	}
	return &middleware.Identity{Issuer: "https://api.example.com", Client: "acme", Scopes: "reports:read"}, nil
})

// demoRequest returns a request with one header.
func demoRequest(header, value string) *http.Request {
	r := httptest.NewRequest("GET", "/reports", nil)
	r.Header.Set(header, value)
	return r
}

func ExampleAPIKey() {
	key := middleware.APIKey(demoSecrets, nil)

	for _, r := range []*http.Request{
		demoRequest("X-API-KEY", "acme-secret"),
		demoRequest("X-API-KEY", "guess"),
		demoRequest("Authorization", "acme-secret"),
	} {
		id, err := middleware.Check(r, key)
		fmt.Printf("%q %v\n", id.Client, err)
	}
	// Output:
	// "acme" <nil>
	// "" AUTH-1: The credentials provided are incorrect
	// "" AUTH-2: Missing "X-API-KEY" header
}

func ExampleBasic() {
	basic := middleware.Basic(demoSecrets, nil)

	for _, password := range []string{"acme-secret", "guess"} {
		r := httptest.NewRequest("GET", "/reports", nil)
		r.SetBasicAuth("acme", password)
		id, err := middleware.Check(r, basic)
		fmt.Printf("%q %v\n", id.Client, err)
	}
	// Output:
	// "acme" <nil>
	// "" AUTH-1: The credentials provided are incorrect
}

// Scope needs one of its scopes. AllScopes needs each of them.
func ExampleAllScopes() {
	r := demoRequest("X-API-KEY", "acme-secret") // its client has only reports:read
	key := middleware.APIKey(demoSecrets, nil)

	_, err := middleware.Check(r, middleware.Chain(key, middleware.Scope("reports:read", "reports:write")))
	fmt.Println(err)
	_, err = middleware.Check(r, middleware.Chain(key, middleware.AllScopes("reports:read", "reports:write")))
	fmt.Println(err)
	// Output:
	// <nil>
	// AUTH-7: The request needs scopes that its credentials do not have
}

// The token of a client itself names no user.
func ExampleBearerConfig_requireUser() {
	r := demoRequest("Authorization", "Bearer acme-secret")

	id, err := middleware.Check(r, middleware.Bearer(demoSecrets, nil))
	fmt.Printf("%q %v\n", id.Client, err)
	id, err = middleware.Check(r, middleware.Bearer(demoSecrets, &middleware.BearerConfig{RequireUser: true}))
	fmt.Printf("%q %v\n", id.Client, err)
	// Output:
	// "acme" <nil>
	// "" AUTH-9: Expected a token of a user: the route requires a user, and the token is a client's own
}

// This program answers by the numbers of its own protocol: 0 is success, and 16 is a
// refusal.
func ExampleCheck() {
	guard := middleware.Chain(middleware.APIKey(demoSecrets, nil), middleware.Scope("reports:read"))

	call := func(key string) (status int) {
		id, err := middleware.Check(demoRequest("X-API-KEY", key), guard)
		if err != nil {
			refusal := errorsx.From(err)
			fmt.Println("refused:", refusal.Code.String())
			return 16
		}
		fmt.Println("call by", id.Client)
		return 0
	}
	fmt.Println(call("acme-secret"))
	fmt.Println(call("guess"))
	// Output:
	// call by acme
	// 0
	// refused: AUTH-1
	// 16
}

// A test of a handler needs no credentials and no validator.
func ExampleWithIdentity() {
	h := middleware.Scope("reports:read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := middleware.IdentityFromContext(r.Context())
		fmt.Println("reports of", id.Client)
	}))

	for _, scopes := range []middleware.Scopes{"reports:read", "reports:write"} {
		r, w := httptest.NewRequest("GET", "/reports", nil), httptest.NewRecorder()
		ctx := middleware.WithIdentity(r.Context(), middleware.Identity{Client: "acme", Scopes: scopes})
		h.ServeHTTP(w, r.WithContext(ctx))
		fmt.Println(w.Code)
	}
	// Output:
	// reports of acme
	// 200
	// 403
}

// A handler that may run without a wrapper checks the second result.
func ExampleIdentityFromContext() {
	reports := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, ok := middleware.IdentityFromContext(r.Context())
		fmt.Printf("%q %v\n", id.Client, ok)
	})

	r := demoRequest("X-API-KEY", "acme-secret")
	middleware.APIKey(demoSecrets, nil)(reports).ServeHTTP(httptest.NewRecorder(), r)
	reports.ServeHTTP(httptest.NewRecorder(), r)
	// Output:
	// "acme" true
	// "" false
}

// All other paths need a key.
func ExampleUnguarded() {
	guard := middleware.Tiers(middleware.TierTable{
		"/":        middleware.APIKey(demoSecrets, nil),
		"/public/": middleware.Unguarded,
	}, nil)
	h := guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))

	for _, path := range []string{"/public/prices", "/reports", "/public/../reports"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		fmt.Println(path, w.Code)
	}
	// Output:
	// /public/prices 200
	// /reports 401
	// /public/../reports 404
}

// Check names every fault of a table. A program that reads its tiers from a file shows
// them to the operator.
func ExampleTierTable_Check() {
	key := middleware.APIKey(demoSecrets, nil)
	fmt.Println(middleware.TierTable{"/public/": middleware.Unguarded, "/reports/": key}.Check())

	fmt.Println(middleware.TierTable{
		"/public":   middleware.Unguarded,
		"/reports/": nil,
		"/a/../b/":  key,
	}.Check())
	// Output:
	// <nil>
	// middleware: TierTable: prefix "/a/../b/": a prefix begins and ends with a slash, and holds plain segments between single slashes
	// prefix "/public": a prefix begins and ends with a slash, and holds plain segments between single slashes
	// prefix "/reports/": nil Wrapper, expected one, or Unguarded
}
