package idp_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/authtier/authtier/middleware/idp"
)

// A program that uses keyfunc keeps its key set and its settings.
func ExampleFromKeyfunc() {
	// Most programs have this from keyfunc.NewDefault and the URL of a key set.
	key, err := jwkset.NewJWKFromKey(exampleKey1.Public(), jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: "k1"}})
	if err != nil {
		log.Fatal(err)
	}
	storage := jwkset.NewMemoryStorage()
	if err := storage.KeyWrite(context.Background(), key); err != nil {
		log.Fatal(err)
	}
	existing, err := keyfunc.New(keyfunc.Options{Storage: storage})
	if err != nil {
		log.Fatal(err)
	}

	keys, err := idp.FromKeyfunc(existing, nil)
	if err != nil {
		log.Fatal(err)
	}
	tokens, err := idp.Open(context.Background(), idp.Config{
		Issuers: []string{"https://id.example.com"}, Audience: []string{"https://api.example.com"}, Keys: keys,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer tokens.Close()

	exampleCheck(tokens, exampleToken("k1", exampleKey1, "https://id.example.com", "https://api.example.com", "app"))
	exampleCheck(tokens, exampleToken("k1", exampleKey2, "https://id.example.com", "https://api.example.com", "app"))
	// Output:
	// "app" <nil>
	// "" AUTH-10: Invalid token signature: header member "kid": expected the ID of the EdDSA key that made the signature, found "k1"; the signature is wrong
}

// A program that parses tokens itself with golang-jwt takes the keys from a Verifier.
func ExampleVerifier_Keyfunc() {
	keys, err := idp.StaticKeys(examplePublic("k1", exampleKey1))
	if err != nil {
		log.Fatal(err)
	}
	tokens, err := idp.Open(context.Background(), idp.Config{
		Issuers: []string{"https://id.example.com"}, Audience: []string{"https://api.example.com"}, Keys: keys,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer tokens.Close()

	parser := jwt.NewParser(jwt.WithAudience("https://api.example.com"), jwt.WithExpirationRequired(), jwt.WithLeeway(time.Second))
	for _, issuer := range []string{"https://id.example.com", "https://evil.example.com"} {
		parsed, err := parser.Parse(exampleToken("k1", exampleKey1, issuer, "https://api.example.com", "app"), tokens.Keyfunc())
		fmt.Println(parsed != nil && parsed.Valid, err)
	}
	// Output:
	// true <nil>
	// false token is unverifiable: error while executing keyfunc: idp: claim "iss": expected "https://id.example.com"
}
