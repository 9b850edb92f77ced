// Command durable is an authorization server that may be killed and started
// again, and of which several may run at once: its records and its signing keys
// are in a file. For nodes on several machines, postgres.Open or redis.Open takes
// the place of sqlite.Open.
//
//	go run ./examples/durable
package main

import (
	"context"
	"errors"
	"log"
	"net/http"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/sqlite"
)

func main() {
	ctx := context.Background()
	db, err := sqlite.Open(ctx, "auth.db")
	if err != nil {
		log.Fatal(err)
	}
	if err := fill(ctx, db); err != nil {
		log.Fatal(err)
	}
	h, err := handler(ctx, db, "auth.key")
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", h))
}

// fill makes a client at the first start. A later start finds the client, and leaves
// it and its secrets as they are by then.
func fill(ctx context.Context, db store.Store) error {
	err := db.CreateClient(ctx, store.Client{
		ID: "app", Secrets: []store.Secret{{ID: "s1", Digest: store.DigestOf("app-secret")}},
		Scopes: []string{"base"}, Default: []string{"base"},
		Grants: []string{store.GrantClientCredentials},
	})
	if errors.Is(err, store.ErrExists) {
		return nil
	}
	return err
}

func handler(ctx context.Context, db store.Store, keyFile string) (http.Handler, error) {
	iss, err := issuer.New(ctx, "http://127.0.0.1:8080", db, &issuer.Config{KeyFile: keyFile})
	if err != nil {
		return nil, err
	}
	go iss.Run(ctx) // follows what other nodes revoke and rotate
	mux := http.NewServeMux()
	iss.Register(mux)
	mux.Handle("GET /hello", middleware.Bearer(iss.Validator(), nil)(http.HandlerFunc(hello)))
	return mux, nil
}

func hello(w http.ResponseWriter, r *http.Request) {
	id, _ := middleware.IdentityFromContext(r.Context())
	w.Write([]byte("hello, " + id.Client))
}
