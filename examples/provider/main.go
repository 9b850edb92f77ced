// Command provider accepts the tokens of an identity provider, with scopes.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
)

func run(ctx context.Context, keySet string, provider idp.JWTConfig) error {
	keys, err := idp.OpenRemoteKeys(ctx, keySet, nil)
	if err != nil {
		return err
	}
	defer keys.Close()

	tokens, err := idp.JWT(keys, provider)
	if err != nil {
		return err
	}
	auth, err := middleware.NewCache(tokens, 100_000, nil)
	if err != nil {
		return err
	}

	mux := http.NewServeMux()
	mux.Handle("GET /reports", middleware.Scope("reports:read", "admin")(http.HandlerFunc(reports)))
	mux.Handle("POST /reports", middleware.AllScopes("reports:read", "reports:write")(http.HandlerFunc(reports)))
	return http.ListenAndServe("127.0.0.1:8080", middleware.Bearer(auth, nil)(mux))
}

func reports(w http.ResponseWriter, r *http.Request) {
	id, _ := middleware.IdentityFromContext(r.Context())
	fmt.Fprintf(w, "%s for %s\n", id.Client, id.User)
}

func main() {
	log.Fatal(run(context.Background(), "https://id.example.com/jwks.json", idp.JWTConfig{
		Issuer: "https://id.example.com", Audience: []string{"https://api.example.com"},
		Types: []string{"at+jwt", "JWT"}, UserClaim: "sub",
	}))
}
