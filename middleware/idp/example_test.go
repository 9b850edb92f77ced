package idp_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"net/http/httptest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
)

// A provider without a function of its own. It puts roles into an object.
func ExampleOpen() {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	keys, err := idp.StaticKeys(idp.Key{ID: "k1", Alg: "EdDSA", Public: public})
	if err != nil {
		fmt.Println(err)
		return
	}

	provider := idp.Config{
		Issuers:  []string{"https://id.example.com"},
		Audience: []string{"https://api.example.com"},
		Scopes:   []string{"scope", "/realm_access/roles"}, // a claim, and one at a JSON Pointer
	}
	provider.Keys = keys // instead of those that the provider publishes
	tokens, err := idp.Open(context.Background(), provider)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer tokens.Close()

	for _, sub := range []string{"ada", "batch"} {
		token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
			"iss": "https://id.example.com", "aud": "https://api.example.com", "sub": sub, "azp": "batch", "scope": "read",
			"realm_access": map[string]any{"roles": []string{"admin"}}, "exp": time.Now().Add(time.Hour).Unix(),
		})
		token.Header["kid"] = "k1"
		signed, err := token.SignedString(private)
		if err != nil {
			fmt.Println(err)
			return
		}

		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+signed)
		id, err := middleware.Check(r, middleware.Bearer(tokens, &middleware.BearerConfig{RequireUser: true}))
		fmt.Printf("%q %q %q %v\n", id.Client, id.User, id.Scopes, err)
	}
	// Output:
	// "batch" "ada" "read admin" <nil>
	// "" "" "" AUTH-9: Expected a token of a user: the route requires a user, and the token is a client's own
}
