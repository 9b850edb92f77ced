package issuer_test

import (
	"context"
	"fmt"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

func Example() {
	ctx := context.Background()
	db := memory.New()
	db.PutClient(ctx, store.Client{ID: "app", Scopes: []string{"read"}, Default: []string{"read"}})
	iss, err := issuer.New(ctx, issuer.Config{Issuer: "https://api.example.com", Store: db})
	if err != nil {
		fmt.Println(err)
		return
	}
	tokens, err := iss.Mint(ctx, issuer.Grant{Client: "app"})
	if err != nil {
		fmt.Println(err)
		return
	}
	token := middleware.Credential{Scheme: errorsx.SchemeBearer, Secret: tokens.AccessToken}
	id, err := iss.Validate(ctx, token)
	fmt.Println(id.Client, id.Scopes, err)

	iss.RevokeToken(ctx, "app", tokens.AccessToken)
	_, err = iss.Validate(ctx, token)
	fmt.Println(err)
	// Output:
	// app read <nil>
	// AUTH-12: Invalid token: issuer: the token is revoked
}
