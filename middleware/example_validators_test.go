package middleware_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// demoIdentities returns a validator of the secrets in a map.
func demoIdentities(bySecret map[string]middleware.Identity) middleware.Validator {
	return middleware.ValidatorFunc(func(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
		id, ok := bySecret[c.Secret]
		if !ok {
			return nil, errorsx.CredentialsIncorrect
		}
		return &id, nil
	})
}

func ExampleAPIKeyFunc() {
	// A program keeps the digests of keys, and never the keys.
	clients := map[[32]byte]string{sha256.Sum256([]byte("s3cret-key")): "acme"}
	lookup := func(_ context.Context, sum [32]byte) (client string, err error) { return clients[sum], nil }
	key := middleware.APIKey(middleware.APIKeyFunc(lookup), nil)

	for _, secret := range []string{"s3cret-key", "guess"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-API-KEY", secret)
		id, err := middleware.Check(r, key)
		fmt.Printf("%q %v\n", id.Client, err)
	}
	// Output:
	// "acme" <nil>
	// "" AUTH-1: The API key is incorrect
}

// One validator knows the API keys, and another one knows the tokens.
func ExampleByScheme() {
	auth := middleware.ByScheme{
		middleware.SchemeAPIKey: demoIdentities(map[string]middleware.Identity{"key-1": {Client: "acme"}}),
		middleware.SchemeBearer: demoIdentities(map[string]middleware.Identity{"token-1": {Client: "app"}}),
	}
	guard := middleware.OneOf(auth, middleware.APIKeyConfig{}, middleware.BearerConfig{})

	for _, header := range [][2]string{
		{"X-API-KEY", "key-1"}, {"Authorization", "Bearer token-1"},
		{"X-API-KEY", "token-1"}, {"Authorization", "Bearer key-1"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set(header[0], header[1])
		id, err := middleware.Check(r, guard)
		fmt.Printf("%q %v\n", id.Client, err)
	}
	// Output:
	// "acme" <nil>
	// "app" <nil>
	// "" AUTH-1: The credentials provided are incorrect
	// "" AUTH-1: The credentials provided are incorrect
}

// This program refuses suspended clients, although their keys are right.
func ExampleAround() {
	keys := demoIdentities(map[string]middleware.Identity{"key-1": {Client: "acme"}, "key-2": {Client: "globex"}})
	suspended := map[string]bool{"globex": true}

	active := middleware.Around(keys, func(ctx context.Context, c middleware.Credential, next middleware.Validator) (*middleware.Identity, error) {
		id, err := next.Validate(ctx, c)
		if err == nil && suspended[id.Client] {
			return nil, &errorsx.Error{Code: errorsx.CredentialsIncorrect, Message: "The client is suspended"}
		}
		return id, err
	})

	for _, secret := range []string{"key-1", "key-2"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-API-KEY", secret)
		id, err := middleware.Check(r, middleware.APIKey(active, nil))
		fmt.Printf("%q %v\n", id.Client, err)
	}
	// Output:
	// "acme" <nil>
	// "" AUTH-1: The client is suspended
}

// demoKeys is a validator that reports its revocations. Sinks make it a
// [middleware.Source].
type demoKeys struct {
	middleware.Sinks
	clients sync.Map // by key
}

func (k *demoKeys) Validate(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
	client, ok := k.clients.Load(c.Secret)
	if !ok {
		return nil, errorsx.CredentialsIncorrect
	}
	return &middleware.Identity{Client: client.(string)}, nil
}

func (k *demoKeys) revoke(client, key string) {
	k.clients.Delete(key)
	k.Forget(middleware.Revocation{Client: client}) // without it, the cache would still admit the key
}

func ExampleNewCache() {
	keys := &demoKeys{}
	keys.clients.Store("key-1", "acme")
	keys.FreshUntil(time.Now().Add(24 * time.Hour)) // a cache answers only as long as its source is fresh
	cache, err := middleware.NewCache(keys, 10_000, nil)
	if err != nil {
		fmt.Println(err)
		return
	}

	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-API-KEY", "key-1")
	guard := middleware.APIKey(cache, nil)
	for range 3 {
		id, err := middleware.Check(r, guard)
		fmt.Println(id.Client, err)
	}
	fmt.Println("hits:", cache.Stats().Hits)

	keys.revoke("acme", "key-1")
	_, err = middleware.Check(r, guard)
	fmt.Println(err)
	// Output:
	// acme <nil>
	// acme <nil>
	// acme <nil>
	// hits: 2
	// AUTH-1: The credentials provided are incorrect
}
