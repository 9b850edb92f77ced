// Command session logs people in and out.
//
//	go run ./examples/session
//	curl -c cookies.txt -u 'ada:correct horse' http://127.0.0.1:8080/api/login
//	curl -b cookies.txt -H "X-Simplicite-Authorization: Bearer $TOKEN" http://127.0.0.1:8080/api/me
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/session"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

const url = "http://127.0.0.1:8080"

func main() {
	ctx := context.Background()
	db := memory.New()
	if err := fill(ctx, db); err != nil {
		log.Fatal(err)
	}
	h, err := handler(ctx, db)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", h))
}

// fill makes a user.
func fill(ctx context.Context, db store.Store) error {
	password, err := issuer.HashPassword(ctx, "correct horse")
	if err != nil {
		return err
	}
	return db.CreateUsers(ctx, store.User{Login: "ada", Password: password, First: "Ada", Lang: "ENU"})
}

func handler(ctx context.Context, db store.Store) (http.Handler, error) {
	iss, err := issuer.New(ctx, url, db, &issuer.Config{AllowEphemeralKeys: true})
	if err != nil {
		return nil, err
	}
	go iss.Run(ctx)
	sessions, err := session.New(iss, db, nil)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	sessions.Register(mux)
	mux.Handle("GET /api/me", sessions.Bearer()(http.HandlerFunc(me)))
	return mux, nil
}

func me(w http.ResponseWriter, r *http.Request) {
	id, _ := middleware.IdentityFromContext(r.Context())
	fmt.Fprintln(w, "hello,", id.User)
}
