package middleware_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// demoTokens is a validator that knows one token.
var demoTokens = middleware.ValidatorFunc(func(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
	if c.Secret != "s3cret" {
		return nil, errorsx.UnknownToken
	}
	return &middleware.Identity{Issuer: "demo", Client: "app", User: "ada", Scopes: "read", Methods: middleware.ByToken}, nil
})

var hello = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	id, _ := middleware.IdentityFromContext(r.Context())
	fmt.Fprintln(w, "hello,", id.User)
})

func ExampleBearer() {
	h := middleware.Bearer(demoTokens, nil)(hello)
	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	r.Header.Set("Authorization", "Bearer s3cret")
	h.ServeHTTP(w, r)
	fmt.Print(w.Code, " ", w.Body)
	// Output: 200 hello, ada
}

func ExampleScope() {
	h := middleware.Chain(middleware.Bearer(demoTokens, nil), middleware.Scope("write"))(hello)
	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	r.Header.Set("Authorization", "Bearer s3cret")
	h.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	// Output: 403 Bearer realm="api", error="insufficient_scope", error_description="The request needs a scope that its credentials do not have", scope="write"
}

func ExampleOneOf() {
	h := middleware.OneOf(demoTokens, middleware.BearerConfig{}, middleware.APIKeyConfig{})(hello)
	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	r.Header.Set("X-API-KEY", "s3cret")
	h.ServeHTTP(w, r)
	fmt.Print(w.Code, " ", w.Body)

	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Printf("%d %q", w.Code, w.Header()["Www-Authenticate"])
	// Output:
	// 200 hello, ada
	// 401 ["Bearer realm=\"api\"" "ApiKey realm=\"api\""]
}

func ExampleTiers() {
	user := middleware.Bearer(demoTokens, &middleware.BearerConfig{RequireUser: true})
	guard := middleware.Tiers(middleware.TierTable{
		"/public/": middleware.Unguarded,
		"/user/":   user,
	}, nil)
	h := guard(hello)
	for _, path := range []string{"/public/x", "/user/x", "/public/..%2fuser/x", "/elsewhere"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		fmt.Println(path, w.Code)
	}
	// Output:
	// /public/x 200
	// /user/x 401
	// /public/..%2fuser/x 404
	// /elsewhere 404
}

// A validator of API keys that have scopes and whose use can be billed.
func ExampleValidatorFunc() {
	clients := map[[32]byte]string{sha256.Sum256([]byte("s3cret-key")): "acme"}

	keys := middleware.ValidatorFunc(func(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
		client := clients[sha256.Sum256([]byte(c.Secret))]
		if client == "" {
			return nil, errorsx.CredentialsIncorrect // AUTH-1
		}
		return &middleware.Identity{Issuer: "https://api.example.com", Client: client, Scopes: "reports:read"}, nil
	})

	for _, scope := range []string{"reports:read", "reports:write"} {
		guard := middleware.Chain(middleware.APIKey(keys, nil), middleware.Scope(scope))
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-API-KEY", "s3cret-key")
		id, err := middleware.Check(r, guard)
		fmt.Println(scope, id.Client, err)
	}
	// Output:
	// reports:read acme <nil>
	// reports:write  AUTH-7: The request needs a scope that its credentials do not have
}
