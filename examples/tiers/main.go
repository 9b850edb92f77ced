// Command tiers guards paths by tier: some open, some for holders of an API
// key, some for their users.
//
//	go run ./examples/tiers
//	curl -H 'X-API-KEY: my_api_key' http://127.0.0.1:8080/public/token -d '{"grant_type": "password", "username": "ada", "password": "correct horse"}'
//	curl -H 'X-API-KEY: my_api_key' -H "Authorization: Bearer $ACCESS_TOKEN" http://127.0.0.1:8080/user/me
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

const url = "http://127.0.0.1:8080"

func main() {
	ctx := context.Background()
	db := memory.New()
	if err := fill(ctx, db); err != nil {
		log.Fatal(err)
	}
	h, err := handler(ctx, db)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", h))
}

// fill makes a client with an API key, and a user.
func fill(ctx context.Context, db store.Store) error {
	password, err := issuer.HashPassword(ctx, "correct horse")
	if err != nil {
		return err
	}
	client := store.Client{
		ID: "app", Scopes: []string{"user"}, Default: []string{"user"},
		Grants: []string{store.GrantPassword, store.GrantRefreshToken},
	}
	if err := db.CreateClient(ctx, client); err != nil {
		return err
	}
	if err := db.CreateUsers(ctx, store.User{Login: "ada", Password: password}); err != nil {
		return err
	}
	return db.CreateAPIKeys(ctx, store.APIKey{ID: "1", Client: "app", Digest: store.DigestOf("my_api_key")})
}

func handler(ctx context.Context, db store.Store) (http.Handler, error) {
	iss, err := issuer.New(ctx, url, db, &issuer.Config{AllowEphemeralKeys: true, AllowPassword: true, BehindAPIKey: true})
	if err != nil {
		return nil, err
	}
	go iss.Run(ctx)
	auth, err := middleware.NewCache(iss, 10_000, nil)
	if err != nil {
		return nil, err
	}
	key := middleware.APIKey(auth, nil)
	user := middleware.Bearer(auth, &middleware.BearerConfig{RequireUser: true})
	guard := middleware.Tiers(middleware.TierTable{
		"/ext/":    middleware.Unguarded,
		"/public/": key,
		"/user/":   middleware.Chain(key, user),
	}, nil)
	mux := http.NewServeMux()
	mux.Handle("/public/token", iss.TokenHandler())
	mux.HandleFunc("GET /user/me", func(w http.ResponseWriter, r *http.Request) {
		id, _ := middleware.IdentityFromContext(r.Context())
		fmt.Fprintf(w, "%s with %s", id.User, id.Client)
	})
	return guard(errorsx.Mux(mux, nil)), nil
}
