package idp_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
)

func ExampleOpenIntrospection() {
	// This server stands in for the endpoint of a provider. It knows one token.
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := `{"active":false}`
		if client, secret, _ := r.BasicAuth(); client == "api" && secret == "api-secret" && r.FormValue("token") == "opaque-1" {
			answer = `{"active":true,"aud":"https://api.example.com","client_id":"app","sub":"ada","scope":"reports:read"}`
		}
		io.WriteString(w, answer)
	}))
	defer provider.Close()

	tokens, err := idp.OpenIntrospection(context.Background(), idp.Config{
		Issuers:  []string{"https://id.example.com"},
		Audience: []string{"https://api.example.com"},
	}, idp.IntrospectionConfig{
		Endpoint: provider.URL, // without it, the issuer's metadata names the endpoint
		ClientID: "api", ClientSecret: "api-secret",
	})
	if err != nil {
		log.Fatal(err)
	}
	// Nothing tells the cache of a revocation, so that a revoked token works for a minute.
	cache, err := middleware.NewCache(tokens, 10_000, &middleware.CacheConfig{TTL: time.Minute})
	if err != nil {
		log.Fatal(err)
	}

	for _, token := range []string{"opaque-1", "guess"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		id, err := middleware.Check(r, middleware.Bearer(cache, nil))
		fmt.Printf("%q %q %v\n", id.Client, id.User, err)
	}
	// Output:
	// "app" "ada" <nil>
	// "" "" AUTH-12: Invalid token: member "active": expected true, found false
}

// A provider whose answers name the user elsewhere, and that decides for whom a token is.
func ExampleIntrospectionConfig() {
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"active":true,"client_id":"app","username":"ada","permissions":["reports:read"]}`)
	}))
	defer provider.Close()

	tokens, err := idp.OpenIntrospection(context.Background(), idp.Config{
		Issuers: []string{"https://id.example.com"},
		User:    "username",
		Scopes:  []string{"permissions"},
	}, idp.IntrospectionConfig{
		Endpoint: provider.URL,
		ClientID: "api", ClientSecret: "api-secret", Method: idp.ClientSecretPost,
		AllowAnyAudience: true,
	})
	if err != nil {
		log.Fatal(err)
	}

	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer opaque-1")
	id, err := middleware.Check(r, middleware.Bearer(tokens, nil))
	fmt.Printf("%q %q %q %v\n", id.Client, id.User, id.Scopes, err)
	// Output: "app" "ada" "reports:read" <nil>
}
