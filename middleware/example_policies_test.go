package middleware_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// demoPeople is a validator whose tokens are logins. Its claims are those of a CI job.
var demoPeople = middleware.ValidatorFunc(func(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
	id := middleware.Identity{Issuer: "https://id.example.com", Client: "web", User: c.Secret}
	id = id.WithClaims(`{"sub":"` + c.Secret + `","repository":"octo-org/` + c.Secret + `","environment":"production"}`)
	return &id, nil
})

// get prints the status and the message of an answer.
func get(h http.Handler, path, token string) {
	r, w := httptest.NewRequest("GET", path, nil), httptest.NewRecorder()
	r.Header.Set("Authorization", "Bearer "+token)
	h.ServeHTTP(w, r)
	fmt.Println(path, token, w.Code)
}

// Only the owner of a resource may read it. The path value is that of the route, so the
// check stands inside of the mux.
func ExampleRequire() {
	people := demoPeople
	owner := middleware.Require(func(r *http.Request, id middleware.Identity) error {
		if id.User != r.PathValue("user") {
			return errorsx.Forbidden("Only the owner may read this")
		}
		return nil
	})
	mux := http.NewServeMux()
	mux.Handle("GET /users/{user}/orders", owner(hello))
	h := middleware.Bearer(people, nil)(mux)

	get(h, "/users/ada/orders", "ada")
	get(h, "/users/eve/orders", "ada")
	// Output:
	// /users/ada/orders ada 200
	// /users/eve/orders ada 403
}

// A CI job must be of one repository and one environment. One refusal lists all that is
// missing.
func ExampleRequire_claims() {
	claim := func(name, want string) func(*http.Request, middleware.Identity) error {
		return func(_ *http.Request, id middleware.Identity) error {
			var claims map[string]any
			if err := id.DecodeClaims(&claims); err != nil || claims[name] != want {
				return errorsx.Forbidden("The token needs another " + name)
			}
			return nil
		}
	}
	deploy := middleware.Chain(
		middleware.Bearer(demoPeople, nil),
		middleware.Require(claim("repository", "octo-org/shop"), claim("environment", "production")),
	)
	staging := middleware.Chain(
		middleware.Bearer(demoPeople, nil),
		middleware.Require(claim("repository", "octo-org/shop"), claim("environment", "staging")),
	)

	for _, wrapper := range []middleware.Wrapper{deploy, staging} {
		for _, token := range []string{"shop", "other"} {
			_, err := middleware.Check(demoRequest("Authorization", "Bearer "+token), wrapper)
			message := ""
			if err != nil {
				message = errorsx.From(err).Message
			}
			fmt.Printf("%s %q\n", token, message)
		}
	}
	// Output:
	// shop ""
	// other "The token needs another repository"
	// shop "The token needs another environment"
	// other "The token needs another repository; The token needs another environment"
}

func ExampleClaimsFromContext() {
	type claims struct {
		Repository string `json:"repository"`
	}
	h := middleware.Bearer(demoPeople, nil)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := middleware.ClaimsFromContext[claims](r.Context())
		fmt.Println(c.Repository, err)
	}))
	h.ServeHTTP(httptest.NewRecorder(), demoRequest("Authorization", "Bearer shop"))
	// Output: octo-org/shop <nil>
}

// A page's own scripts send the token in a cookie. Requests that another site has made
// are refused, and so are WebSockets that it opens.
func ExampleBearer_cookie() {
	h := middleware.Bearer(demoPeople, &middleware.BearerConfig{
		Cookie: "token", CrossOrigin: http.NewCrossOriginProtection(),
	})(hello)

	for _, site := range []string{"same-origin", "cross-site"} {
		r, w := httptest.NewRequest("POST", "https://shop.example.com/orders", nil), httptest.NewRecorder()
		r.Header.Set("Sec-Fetch-Site", site)
		r.AddCookie(&http.Cookie{Name: "token", Value: "ada"})
		h.ServeHTTP(w, r)
		fmt.Println(site, w.Code)
	}
	// Output:
	// same-origin 200
	// cross-site 403
}

// Clients that know only one place for a credential send the API key as a Bearer token.
func ExampleAPIKey_scheme() {
	key := middleware.APIKey(demoSecrets, &middleware.APIKeyConfig{Scheme: "Bearer"})

	for _, value := range []string{"Bearer acme-secret", "acme-secret"} {
		id, err := middleware.Check(demoRequest("Authorization", value), key)
		fmt.Printf("%q %v\n", id.Client, err)
	}
	// Output:
	// "acme" <nil>
	// "" AUTH-3: Invalid "Authorization" header: expected the scheme Bearer
}

// A client that knows only the URL of the resource reads from the challenge where to find
// its metadata, and from the metadata where to get a token.
func ExampleProtectedResource() {
	mux := http.NewServeMux()
	reports := middleware.ProtectedResource(mux, middleware.ResourceConfig{
		URL: "https://api.example.com/reports", AuthorizationServers: []string{"https://id.example.com"},
	})
	mux.Handle("GET /reports", reports(middleware.Bearer(demoPeople, nil)(hello)))

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "/reports", nil))
	fmt.Println(w.Header().Get("WWW-Authenticate"))
	w = httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "/.well-known/oauth-protected-resource/reports", nil))
	fmt.Println(w.Body)
	// Output:
	// Bearer realm="api", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/reports"
	// {"resource":"https://api.example.com/reports","authorization_servers":["https://id.example.com"],"bearer_methods_supported":["header"]}
}
