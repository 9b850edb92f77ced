package issuer_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

// importing opens an issuer on a store that a program fills with records from another
// system.
func importing(db store.Store) *issuer.Issuer {
	iss, err := issuer.Open(context.Background(), "https://api.example.com", db, &issuer.Config{AllowEphemeralKeys: true})
	if err != nil {
		log.Fatal(err)
	}
	return iss
}

// checkBasic prints the verdict on a name and a password.
func checkBasic(basic middleware.Wrapper, name, password string) {
	r := httptest.NewRequest("GET", "/", nil)
	r.SetBasicAuth(name, password)
	id, err := middleware.Check(r, basic)
	fmt.Printf("%q %q %v\n", id.Client, id.User, err)
}

// A store keeps the hash, and the hash lets nobody in.
func ExampleHashPassword() {
	ctx, db := context.Background(), memory.New()
	hash, err := issuer.HashPassword(ctx, "correct horse")
	if err != nil {
		log.Fatal(err)
	}
	if err := db.CreateUsers(ctx, store.User{Login: "ada", Password: hash}); err != nil {
		log.Fatal(err)
	}
	iss := importing(db)
	defer iss.Close()

	basic := middleware.Basic(iss.Passwords(), nil)
	checkBasic(basic, "ada", "correct horse")
	checkBasic(basic, "ada", hash)
	// Output:
	// "" "ada" <nil>
	// "" "" AUTH-1: The credentials provided are incorrect
}

// A secret that can be guessed is refused.
func ExampleImportSecret() {
	_, err := issuer.ImportSecret(issuer.ImportedSecret{ID: "s1", Secret: "hunter2"})
	fmt.Println(err)
	secret, err := issuer.ImportSecret(issuer.ImportedSecret{ID: "s1", Secret: "old-system-secret-1"})
	if err != nil {
		log.Fatal(err)
	}

	db := memory.New()
	if err := db.CreateClient(context.Background(), store.Client{ID: "acme", Secrets: []store.Secret{secret}}); err != nil {
		log.Fatal(err)
	}
	iss := importing(db)
	defer iss.Close()
	basic := middleware.Basic(iss.Validator(), nil)
	checkBasic(basic, "acme", "old-system-secret-1")
	checkBasic(basic, "acme", "hunter2")
	// Output:
	// issuer: ImportSecret: the secret has 7 bytes, expected at least 16 unless AllowWeak is set
	// "acme" "" <nil>
	// "" "" AUTH-1: The credentials provided are incorrect
}

// A key that was made elsewhere works as it is.
func ExampleIssuer_ImportAPIKey() {
	ctx, db := context.Background(), memory.New()
	iss := importing(db)
	defer iss.Close()
	if err := db.CreateClient(ctx, store.Client{ID: "acme"}); err != nil {
		log.Fatal(err)
	}

	for _, key := range []string{"old-system-2f1c9d", "pin-1234"} {
		record, err := iss.ImportAPIKey(issuer.ImportedKey{ID: "k1", Client: "acme", Key: key})
		if err == nil {
			err = db.CreateAPIKeys(ctx, record)
		}
		fmt.Println(err)

		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-API-KEY", key)
		id, err := middleware.Check(r, middleware.APIKey(iss.Validator(), nil))
		fmt.Printf("%q %v\n", id.Client, err)
	}
	// Output:
	// <nil>
	// "acme" <nil>
	// issuer: ImportAPIKey: the key has 8 bytes, expected at least 16 unless AllowWeak is set
	// "" AUTH-1: The API key is incorrect
}
