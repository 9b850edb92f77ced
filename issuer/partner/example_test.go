package partner_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/partner"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

// partnerIssuer opens an issuer that has one client, and returns the client's secret.
func partnerIssuer(db store.Store) (iss *issuer.Issuer, secret string) {
	ctx := context.Background()
	iss, err := issuer.Open(ctx, "https://api.example.com", db, &issuer.Config{AllowEphemeralKeys: true})
	if err != nil {
		log.Fatal(err)
	}
	secret, err = iss.CreateClient(ctx, store.Client{ID: "acme", Scopes: []string{"maps"}, Default: []string{"maps"}})
	if err != nil {
		log.Fatal(err)
	}
	return iss, secret
}

// The password is the client's secret, or one of its own tokens.
func ExampleNew() {
	db := memory.New()
	iss, secret := partnerIssuer(db)
	defer iss.Close()
	partners, err := partner.New(iss, db, nil) // a meter reports what it has counted until now; a store does too
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	partners.Register(mux)
	tokens, err := iss.Mint(context.Background(), issuer.Grant{Client: "acme"})
	if err != nil {
		log.Fatal(err)
	}

	for _, password := range []string{secret, tokens.AccessToken, "guess"} {
		r, w := httptest.NewRequest("GET", "/partner/", nil), httptest.NewRecorder()
		r.SetBasicAuth("acme", password)
		mux.ServeHTTP(w, r)
		fmt.Print(w.Code, " ", w.Body)
	}
	// Output:
	// 200 {"client_id":"acme","scopes":["maps"]}
	// 200 {"client_id":"acme","scopes":["maps"]}
	// 401 {"code":"AUTH-1","message":"The credentials provided are incorrect","error":"invalid_token","error_description":"The credentials provided are incorrect"}
}
