package issuer_test

import (
	"context"
	"fmt"
	"time"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

func Example() {
	ctx := context.Background()
	db := memory.New()
	db.CreateClient(ctx, store.Client{ID: "app", Scopes: []string{"read"}, Default: []string{"read"}})
	iss, err := issuer.New(ctx, "https://api.example.com", db, &issuer.Config{AllowEphemeralKeys: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	tokens, err := iss.Mint(ctx, issuer.Grant{Client: "app"})
	if err != nil {
		fmt.Println(err)
		return
	}
	token := middleware.Credential{Scheme: middleware.SchemeBearer, Secret: tokens.AccessToken}
	id, err := iss.Validate(ctx, token)
	fmt.Println(id.Client, id.Scopes, err)

	iss.RevokeToken(ctx, tokens.AccessToken)
	_, err = iss.Validate(ctx, token)
	fmt.Println(err)
	// Output:
	// app read <nil>
	// AUTH-12: Invalid token: issuer: the token is revoked
}

func ExampleIssuer_RotateAPIKey() {
	ctx := context.Background()
	db := memory.New()
	db.CreateClient(ctx, store.Client{ID: "app", Scopes: []string{"read"}})
	iss, err := issuer.New(ctx, "https://api.example.com", db, &issuer.Config{AllowEphemeralKeys: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	old, err := iss.CreateAPIKey(ctx, store.APIKey{Client: "app", Scopes: []string{"read"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	id, err := iss.Validate(ctx, middleware.Credential{Scheme: middleware.SchemeAPIKey, Secret: old})
	if err != nil {
		fmt.Println(err)
		return
	}
	key, next, err := iss.RotateAPIKey(ctx, id.APIKeyID, 24*time.Hour)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, secret := range []string{old, key} { // both work for a day
		id, err := iss.Validate(ctx, middleware.Credential{Scheme: middleware.SchemeAPIKey, Secret: secret})
		fmt.Println(id.Client, id.Scopes, err)
	}
	iss.RevokeAPIKey(ctx, next.ID)
	_, err = iss.Validate(ctx, middleware.Credential{Scheme: middleware.SchemeAPIKey, Secret: key})
	fmt.Println(err)
	// Output:
	// app read <nil>
	// app read <nil>
	// AUTH-1: The API key is incorrect
}
