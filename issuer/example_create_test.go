package issuer_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

func ExampleIssuer_CreateAPIKey() {
	ctx := context.Background()
	iss, err := issuer.Open(ctx, "https://api.example.com", memory.New(), &issuer.Config{AllowEphemeralKeys: true})
	if err != nil {
		log.Fatal(err)
	}
	defer iss.Close()

	secret, err := iss.CreateClient(ctx, store.Client{
		ID: "acme", Scopes: []string{"reports:read"}, Default: []string{"reports:read"},
		Grants: []string{store.GrantClientCredentials, store.GrantPassword, store.GrantRefreshToken},
	})
	if err != nil {
		log.Fatal(err)
	}
	key, err := iss.CreateAPIKey(ctx, store.APIKey{
		Client: "acme", Name: "nightly export", Scopes: []string{"reports:read"}, Expires: time.Now().AddDate(1, 0, 0),
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := iss.CreateUser(ctx, store.User{Login: "ada"}, "correct horse"); err != nil {
		log.Fatal(err)
	}

	fmt.Println(strings.HasPrefix(secret, "authtier_cs_"), strings.HasPrefix(key, "authtier_key_"))
	// Output: true true
}

// A client gets a further scope. Creating it again would change nothing.
func ExampleIssuer_CreateClient_updated() {
	ctx, db := context.Background(), memory.New()
	iss, err := issuer.Open(ctx, "https://api.example.com", db, &issuer.Config{AllowEphemeralKeys: true})
	if err != nil {
		log.Fatal(err)
	}
	defer iss.Close()
	acme := store.Client{ID: "acme", Scopes: []string{"reports:read"}, Default: []string{"reports:read"}}
	if _, err := iss.CreateClient(ctx, acme); err != nil {
		log.Fatal(err)
	}

	err = db.UpdateClient(ctx, "acme", func(c *store.Client) error {
		c.Scopes = []string{"reports:read", "reports:write"}
		c.Default = c.Scopes // otherwise only requests that name the new scope get it
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	tokens, err := iss.Mint(ctx, issuer.Grant{Client: "acme"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tokens.Scope)

	_, err = iss.CreateClient(ctx, acme)
	fmt.Println(errors.Is(err, store.ErrExists))
	// Output:
	// reports:read reports:write
	// true
}
