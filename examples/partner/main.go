// Command partner sells an API to partners. They manage their own tokens, and see how
// often they used the API.
//
//	go run ./examples/partner
//	curl -u acme:acme-secret http://127.0.0.1:8080/tiles/7
//	curl -u acme:acme-secret "http://127.0.0.1:8080/partner/usages?api_name=maps&start_date=$(date -u +%F)&end_date=$(date -u +%F)"
package main

import (
	"context"
	"log"
	"net/http"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/partner"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/meter"
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

// fill makes a partner.
func fill(ctx context.Context, db store.Store) error {
	return db.CreateClient(ctx, store.Client{
		ID: "acme", Secrets: []store.Secret{{ID: "s1", Digest: store.DigestOf("acme-secret")}},
		Scopes: []string{"maps"},
	})
}

func handler(ctx context.Context, db store.Store) (http.Handler, error) {
	iss, err := issuer.New(ctx, url, db, &issuer.Config{AllowEphemeralKeys: true})
	if err != nil {
		return nil, err
	}
	go iss.Run(ctx)
	usage := meter.New(db)
	tiles, err := usage.Product("maps", "tile", "map tiles")
	if err != nil {
		return nil, err
	}
	partners, err := partner.New(iss, usage, nil)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	partners.Register(mux)
	mux.Handle("GET /tiles/{n}", middleware.Chain(partners.Basic(), middleware.Scope("maps"), middleware.Usage(tiles, nil))(http.HandlerFunc(tile)))
	return mux, nil
}

func tile(w http.ResponseWriter, r *http.Request) {
	w.Write([]byte("tile " + r.PathValue("n")))
}
