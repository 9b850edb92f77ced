package issuer_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

// This example replaces an API key with an overlap, and a leaked secret without one.
func ExampleIssuer_RotateSecret() {
	ctx := context.Background()
	db := memory.New()
	iss, err := issuer.Open(ctx, "https://api.example.com", db, &issuer.Config{AllowEphemeralKeys: true})
	if err != nil {
		log.Fatal(err)
	}
	defer iss.Close()
	if _, err := iss.CreateClient(ctx, store.Client{ID: "acme"}); err != nil {
		log.Fatal(err)
	}
	if _, err := iss.CreateAPIKey(ctx, store.APIKey{Client: "acme"}); err != nil {
		log.Fatal(err)
	}
	keys, err := db.ListAPIKeys(ctx, "acme", "", 100)
	if err != nil {
		log.Fatal(err)
	}

	key, next, err := iss.RotateAPIKey(ctx, keys[0].ID, 24*time.Hour) // both work for a day
	if err != nil {
		log.Fatal(err)
	}
	secret, _, err := iss.RotateSecret(ctx, "acme", 0) // it leaked: the old ones end now
	if err != nil {
		log.Fatal(err)
	}
	if err := iss.RevokeAPIKey(ctx, next.ID); err != nil {
		log.Fatal(err)
	}

	fmt.Println(key != "", secret != "", errors.Is(iss.RevokeAPIKey(ctx, next.ID), store.ErrNotFound))
	// Output: true true true
}
