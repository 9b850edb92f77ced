package session_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/session"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

// userIssuer opens an issuer that has one user.
func userIssuer(db store.Store) *issuer.Issuer {
	ctx := context.Background()
	iss, err := issuer.Open(ctx, "https://api.example.com", db, &issuer.Config{AllowEphemeralKeys: true})
	if err != nil {
		log.Fatal(err)
	}
	if err := iss.CreateUser(ctx, store.User{Login: "ada"}, "correct horse"); err != nil {
		log.Fatal(err)
	}
	return iss
}

// The token of a session works only together with the cookie.
func ExampleNew() {
	db := memory.New()
	iss := userIssuer(db)
	defer iss.Close()
	sessions, err := session.New(iss, db, nil)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	sessions.Register(mux)

	r, login := httptest.NewRequest("GET", "/api/login", nil), httptest.NewRecorder()
	r.SetBasicAuth("ada", "correct horse")
	mux.ServeHTTP(login, r)

	r = httptest.NewRequest("GET", "/api/me", nil)
	r.Header.Set("X-Simplicite-Authorization", "Bearer "+login.Body.String())
	id, err := middleware.Check(r, sessions.Bearer())
	fmt.Printf("%q %v\n", id.User, err)
	r.AddCookie(login.Result().Cookies()[0])
	id, err = middleware.Check(r, sessions.Bearer())
	fmt.Printf("%q %v\n", id.User, err)
	// Output:
	// "" AUTH-1: The token needs the cookie of its own session
	// "ada" <nil>
}
