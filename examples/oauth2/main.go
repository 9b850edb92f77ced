// Command oauth2 is an authorization server for other machines, and an API that requires
// scopes.
//
//	go run ./examples/oauth2
//	curl -u app:app-secret http://127.0.0.1:8080/oauth2/token -d grant_type=client_credentials
//	curl -H "Authorization: Bearer $ACCESS_TOKEN" http://127.0.0.1:8080/v1/me
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
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

// fill makes a client.
func fill(ctx context.Context, db store.Store) error {
	return db.CreateClient(ctx, store.Client{
		ID: "app", Secrets: []store.Secret{{ID: "s1", Digest: store.DigestOf("app-secret")}},
		Scopes: []string{"base", "files"}, Default: []string{"base"},
		Grants: []string{store.GrantClientCredentials},
	})
}

func handler(ctx context.Context, db store.Store) (http.Handler, error) {
	iss, err := issuer.New(ctx, url, db, &issuer.Config{AllowEphemeralKeys: true})
	if err != nil {
		return nil, err
	}
	go iss.Run(ctx)
	auth, err := middleware.NewCache(iss, 10_000, nil)
	if err != nil {
		return nil, err
	}
	rfc := &errorsx.Writer{Dialect: errorsx.RFC}
	header := middleware.Chain(middleware.Errors(rfc), middleware.Bearer(auth, nil))
	inURL := middleware.Chain(middleware.Errors(rfc), middleware.Bearer(auth, &middleware.BearerConfig{QuerySafe: []string{"files"}}))

	mux := http.NewServeMux()
	own := http.NewServeMux()
	iss.Register(own)
	mux.Handle("/", middleware.Errors(rfc)(errorsx.Mux(own)))
	mux.Handle("GET /v1/me", middleware.Chain(header, middleware.Scope("base"))(http.HandlerFunc(me)))
	mux.Handle("GET /v1/files/{name}", middleware.Chain(inURL, middleware.Scope("files", "base"))(http.HandlerFunc(me)))
	return mux, nil
}

func me(w http.ResponseWriter, r *http.Request) {
	id, _ := middleware.IdentityFromContext(r.Context())
	fmt.Fprintf(w, "%s may %s", id.Client, id.Scopes)
}
