package idp_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log"
	"net/http/httptest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
)

// These are the private keys of two identity providers.
var (
	_, exampleKey1, _ = ed25519.GenerateKey(nil)
	_, exampleKey2, _ = ed25519.GenerateKey(nil)
)

// examplePublic returns the public part of a private key.
func examplePublic(id string, private ed25519.PrivateKey) idp.Key {
	return idp.Key{ID: id, Alg: "EdDSA", Public: private.Public()}
}

// exampleToken signs an access token for a client, as a provider does.
func exampleToken(kid string, private ed25519.PrivateKey, issuer, audience, client string) string {
	now := time.Now()
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
		"iss": issuer, "aud": audience, "sub": client, "client_id": client, "scope": "reports:read",
		"jti": "1", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	})
	token.Header["typ"], token.Header["kid"] = "at+jwt", kid
	signed, err := token.SignedString(private)
	if err != nil {
		log.Fatal(err)
	}
	return signed
}

// exampleCheck prints the verdict of a validator on a token.
func exampleCheck(v middleware.Validator, token string) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	id, err := middleware.Check(r, middleware.Bearer(v, nil))
	fmt.Printf("%q %v\n", id.Client, err)
}

// An issuer of this suite in another program. Its keys would be found by discovery.
func ExampleOwn() {
	const issuer, audience = "https://id.example.com", "https://api.example.com"
	keys, err := idp.StaticKeys(examplePublic("k1", exampleKey1))
	if err != nil {
		log.Fatal(err)
	}
	cfg := idp.Own(issuer, audience)
	cfg.Keys = keys
	tokens, err := idp.Open(context.Background(), cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer tokens.Close()

	exampleCheck(tokens, exampleToken("k1", exampleKey1, issuer, audience, "app"))
	exampleCheck(tokens, exampleToken("k1", exampleKey1, issuer, "https://shop.example.com", "app"))
	exampleCheck(tokens, exampleToken("k1", exampleKey1, "https://id.example.org", audience, "app"))
	exampleCheck(tokens, exampleToken("k1", exampleKey2, issuer, audience, "app")) // not the key k1
	// Output:
	// "app" <nil>
	// "" AUTH-12: Invalid token: claim "aud": expected "https://api.example.com", found "https://shop.example.com" (see Audience)
	// "" AUTH-12: Invalid token: claim "iss": expected "https://id.example.com", found "https://id.example.org" (see Issuers)
	// "" AUTH-10: Invalid token signature: header member "kid": expected the ID of the EdDSA key that made the signature, found "k1"; the signature is wrong
}

// Each issuer signs with keys of its own, and no issuer can sign for another one.
func ExampleOpen_several() {
	var providers []idp.Config
	for issuer, private := range map[string]ed25519.PrivateKey{"https://staff.example": exampleKey1, "https://partners.example": exampleKey2} {
		keys, err := idp.StaticKeys(examplePublic("k1", private))
		if err != nil {
			log.Fatal(err)
		}
		providers = append(providers, idp.Config{Issuers: []string{issuer}, Audience: []string{"https://api.example.com"}, Keys: keys})
	}
	tokens, err := idp.Open(context.Background(), providers...)
	if err != nil {
		log.Fatal(err)
	}
	defer tokens.Close()

	exampleCheck(tokens, exampleToken("k1", exampleKey1, "https://staff.example", "https://api.example.com", "desk"))
	exampleCheck(tokens, exampleToken("k1", exampleKey2, "https://partners.example", "https://api.example.com", "acme"))
	exampleCheck(tokens, exampleToken("k1", exampleKey2, "https://staff.example", "https://api.example.com", "acme")) // forged
	// Output:
	// "desk" <nil>
	// "acme" <nil>
	// "" AUTH-10: Invalid token signature: header member "kid": expected the ID of the EdDSA key that made the signature, found "k1"; the signature is wrong
}

// A key that is too weak for its algorithm is an error, and so is a key of another kind.
func ExampleStaticKeys() {
	_, err := idp.StaticKeys(examplePublic("k1", exampleKey1), examplePublic("k2", exampleKey2))
	fmt.Println(err)
	_, err = idp.StaticKeys(idp.Key{ID: "k3", Alg: "HS256", Public: []byte("secret")})
	fmt.Println(err)
	_, err = idp.StaticKeys(idp.Key{ID: "k4", Alg: "ES256", Public: exampleKey1.Public()})
	fmt.Println(err)
	// Output:
	// <nil>
	// idp: StaticKeys: key "k3": an HMAC key of 6 bytes is too weak for HS256, expected at least 32
	// idp: StaticKeys: key "k4": a ed25519.PublicKey is not a key for ES256, or too weak for it
}
