package issuer_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log"
	"net/http/httptest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

// exampleProvider stands for an identity provider: its configuration, and a token of one
// of its clients.
func exampleProvider() (idp.Config, func(client string) string) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		log.Fatal(err)
	}
	keys, err := idp.StaticKeys(idp.Key{ID: "k1", Alg: "EdDSA", Public: public})
	if err != nil {
		log.Fatal(err)
	}
	cfg := idp.Config{Issuers: []string{"https://id.example.com"}, Audience: []string{"https://api.example.com"}, Keys: keys}
	return cfg, func(client string) string {
		token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
			"iss": "https://id.example.com", "aud": "https://api.example.com", "sub": "person-7", "azp": client, "scope": "reports:read",
			"iat": time.Now().Add(-time.Second).Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		})
		token.Header["kid"] = "k1"
		signed, err := token.SignedString(private)
		if err != nil {
			log.Fatal(err)
		}
		return signed
	}
}

// exampleOwnIssuer returns an issuer with the client acme, and an API key of it.
func exampleOwnIssuer() (iss *issuer.Issuer, key string) {
	ctx := context.Background()
	iss, err := issuer.Open(ctx, "https://api.example.com", memory.New(), &issuer.Config{AllowEphemeralKeys: true})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := iss.CreateClient(ctx, store.Client{ID: "acme", Scopes: []string{"reports:read"}}); err != nil {
		log.Fatal(err)
	}
	if key, err = iss.CreateAPIKey(ctx, store.APIKey{Client: "acme", Scopes: []string{"reports:read"}}); err != nil {
		log.Fatal(err)
	}
	return iss, key
}

// A route takes an own API key or a provider's token.
func ExampleIssuer_keyOrProvider() {
	iss, key := exampleOwnIssuer()
	defer iss.Close()
	provider, token := exampleProvider()
	tokens, err := idp.Open(context.Background(), provider)
	if err != nil {
		log.Fatal(err)
	}
	defer tokens.Close()

	either := middleware.OneOf(middleware.ByScheme{
		middleware.SchemeAPIKey: iss.Validator(), middleware.SchemeBearer: tokens,
	}, middleware.APIKeyConfig{}, middleware.BearerConfig{})

	for name, value := range map[string]string{"X-API-KEY": key, "Authorization": "Bearer " + token("web")} {
		r := httptest.NewRequest("GET", "/reports", nil)
		r.Header.Set(name, value)
		id, err := middleware.Check(r, either)
		fmt.Printf("%s of %s: %q %v\n", id.Client, id.Issuer, id.Scopes, err)
	}
	// Unordered output:
	// acme of https://api.example.com: "reports:read" <nil>
	// web of https://id.example.com: "reports:read" <nil>
}

// A route takes an own API key and a provider's token on one request. Own and Map say
// which own client the provider's client is; the two must be the same.
func ExampleIssuer_keyAndProvider() {
	iss, key := exampleOwnIssuer()
	defer iss.Close()
	provider, token := exampleProvider()
	provider.Own = iss
	provider.Map = func(id *middleware.Identity, c idp.Claims) error {
		id.Client = map[string]string{"web": "acme"}[c.Text("azp")]
		return nil
	}
	tokens, err := idp.Open(context.Background(), provider)
	if err != nil {
		log.Fatal(err)
	}
	defer tokens.Close()

	both := middleware.Chain(middleware.APIKey(iss.Validator(), nil), middleware.Bearer(tokens, nil))
	check := func(client string) {
		r := httptest.NewRequest("GET", "/reports", nil)
		r.Header.Set("X-API-KEY", key)
		r.Header.Set("Authorization", "Bearer "+token(client))
		id, err := middleware.Check(r, both)
		fmt.Printf("%q of %q, %v\n", id.Client, id.Issuer, err != nil)
	}
	check("web")
	check("other") // a client of the provider that is none of ours
	if err := iss.RevokeClient(context.Background(), "acme"); err != nil {
		log.Fatal(err)
	}
	check("web") // the token was issued before the revocation
	// Output:
	// "acme" of "https://api.example.com", false
	// "" of "", true
	// "" of "", true
}
