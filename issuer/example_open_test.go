package issuer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

// exampleClient may do two things, and gets a token for one of them by default.
var exampleClient = store.Client{
	ID: "acme", Scopes: []string{"reports:read", "reports:write"}, Default: []string{"reports:read"},
	Grants: []string{store.GrantClientCredentials},
}

// exampleIssuer opens an issuer. Its signing key ends with the process.
func exampleIssuer(db store.Store) *issuer.Issuer {
	iss, err := issuer.Open(context.Background(), "https://api.example.com", db, &issuer.Config{AllowEphemeralKeys: true})
	if err != nil {
		log.Fatal(err)
	}
	return iss
}

// exampleRequest returns a request with one header.
func exampleRequest(header, value string) *http.Request {
	r := httptest.NewRequest("GET", "/reports", nil)
	r.Header.Set(header, value)
	return r
}

// exampleTokenRequest asks for a token, as the client acme does.
func exampleTokenRequest(secret string) *http.Request {
	r := httptest.NewRequest("POST", "/oauth2/token", strings.NewReader("grant_type=client_credentials"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("acme", secret)
	return r
}

// The token endpoint hands out the token that the route accepts.
func ExampleOpen() {
	iss, err := issuer.Open(context.Background(), "https://api.example.com", memory.New(), &issuer.Config{AllowEphemeralKeys: true})
	if err != nil {
		log.Fatal(err)
	}
	defer iss.Close()
	secret, err := iss.CreateClient(context.Background(), exampleClient)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	iss.Register(mux) // its endpoints, and no other path
	reports := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "[]") })
	mux.Handle("GET /reports", middleware.Bearer(iss.Validator(), nil)(reports))

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, exampleTokenRequest(secret))
	var tokens issuer.Tokens
	fmt.Println(w.Code, json.Unmarshal(w.Body.Bytes(), &tokens), tokens.Scope)
	for _, token := range []string{tokens.AccessToken, "guess"} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, exampleRequest("Authorization", "Bearer "+token))
		fmt.Println(w.Code)
	}
	// Output:
	// 200 <nil> reports:read
	// 200
	// 404
}

// A configuration must say how the signing keys are kept. A program calls Run for as
// long as it serves.
func ExampleNew() {
	for _, cfg := range []*issuer.Config{{}, {OpaqueTokens: true}} {
		iss, err := issuer.New(context.Background(), "https://api.example.com", memory.New(), cfg)
		fmt.Println(iss != nil, err)
	}
	// Output:
	// false issuer: New: no signing keys: set KeyFile, KeyVariable or EncryptionKey for stored ones, or Keys; OpaqueTokens needs none, and AllowEphemeralKeys accepts one that ends with the process
	// true <nil>
}

// exampleWithKeys returns an issuer with fixed keys. The first one signs.
func exampleWithKeys(db store.Store, signer issuer.SigningKey, verifiers ...issuer.SigningKey) *issuer.Issuer {
	keys, err := issuer.NewKeySet(signer, verifiers...)
	if err != nil {
		log.Fatal(err)
	}
	iss, err := issuer.New(context.Background(), "https://api.example.com", db, &issuer.Config{Keys: keys})
	if err != nil {
		log.Fatal(err)
	}
	return iss
}

// A token stays valid after a change of keys if its key still verifies.
func ExampleNewKeySet() {
	ctx, db := context.Background(), memory.New()
	old, err1 := issuer.GenerateKey("ES256")
	next, err2 := issuer.GenerateKey("EdDSA")
	if err := errors.Join(err1, err2, db.CreateClient(ctx, exampleClient)); err != nil {
		log.Fatal(err)
	}

	tokens, err := exampleWithKeys(db, old).Mint(ctx, issuer.Grant{Client: "acme"})
	if err != nil {
		log.Fatal(err)
	}
	token := middleware.Credential{Scheme: middleware.SchemeBearer, Secret: tokens.AccessToken}
	_, err = exampleWithKeys(db, next, old).Validate(ctx, token)
	fmt.Println(err)
	_, err = exampleWithKeys(db, next).Validate(ctx, token)
	fmt.Println(errorsx.From(err).Code)
	// Output:
	// <nil>
	// AUTH-10: Invalid token signature
}

// A client gets the scopes that its record lists, and no others.
func ExampleIssuer_Mint() {
	ctx := context.Background()
	iss := exampleIssuer(memory.New())
	defer iss.Close()
	if _, err := iss.CreateClient(ctx, exampleClient); err != nil {
		log.Fatal(err)
	}

	for _, scope := range []string{"", "reports:read reports:write", "admin"} {
		tokens, err := iss.Mint(ctx, issuer.Grant{Client: "acme", Scope: scope, TTL: time.Minute})
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(tokens.TokenType, tokens.ExpiresIn, tokens.Scope)
	}
	// Output:
	// bearer 60 reports:read
	// bearer 60 reports:read reports:write
	// AUTH-7: One of the scopes is not authorized
}

// A refresh token is revoked with its family, so that its access tokens end too.
func ExampleIssuer_RevokeToken() {
	ctx := context.Background()
	iss := exampleIssuer(memory.New())
	defer iss.Close()
	if _, err := iss.CreateClient(ctx, exampleClient); err != nil {
		log.Fatal(err)
	}
	if err := iss.CreateUser(ctx, store.User{Login: "ada"}, "correct horse"); err != nil {
		log.Fatal(err)
	}
	tokens, err := iss.Mint(ctx, issuer.Grant{Client: "acme", User: "ada", Refresh: true})
	if err != nil {
		log.Fatal(err)
	}
	bearer, r := middleware.Bearer(iss.Validator(), nil), exampleRequest("Authorization", "Bearer "+tokens.AccessToken)

	id, err := middleware.Check(r, bearer)
	fmt.Println(id.User, err)
	fmt.Println(iss.RevokeToken(ctx, tokens.RefreshToken))
	_, err = middleware.Check(r, bearer)
	fmt.Println(err)
	fmt.Println(errors.Is(iss.RevokeToken(ctx, "guess"), store.ErrNotFound))
	// Output:
	// ada <nil>
	// <nil>
	// AUTH-12: Invalid token: issuer: the token is revoked
	// true
}

// The validator has a cache, which does not delay a revocation.
func ExampleIssuer_Validator() {
	ctx := context.Background()
	iss := exampleIssuer(memory.New())
	defer iss.Close()
	if _, err := iss.CreateClient(ctx, exampleClient); err != nil {
		log.Fatal(err)
	}
	secret, err := iss.CreateAPIKey(ctx, store.APIKey{Client: "acme", Scopes: []string{"reports:read"}})
	if err != nil {
		log.Fatal(err)
	}
	guard := middleware.Chain(middleware.APIKey(iss.Validator(), nil), middleware.Scope("reports:read"))

	id, err := middleware.Check(exampleRequest("X-API-KEY", secret), guard)
	fmt.Println(id.Client, err)
	if err := iss.RevokeAPIKey(ctx, id.APIKeyID); err != nil {
		log.Fatal(err)
	}
	_, err = middleware.Check(exampleRequest("X-API-KEY", secret), guard)
	fmt.Println(err)
	// Output:
	// acme <nil>
	// AUTH-1: The API key is incorrect
}
