// Command wrap protects an http.ServeMux that was there before: everything
// under /reports/ needs an API key.
//
//	go run ./examples/wrap
//	curl -H 'X-API-KEY: s3cret-key' http://127.0.0.1:8080/reports/7
package main

import (
	"fmt"
	"log"
	"net/http"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

func main() {
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", handler()))
}

// handler returns the server's mux as it was, with five lines added.
func handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /reports/{id}", func(w http.ResponseWriter, r *http.Request) {
		id, _ := middleware.IdentityFromContext(r.Context())
		fmt.Fprintf(w, "report %s for %s", r.PathValue("id"), id.Client)
	})

	key := middleware.APIKey(keys{"s3cret-key": "acme"}, nil)
	guard := middleware.Tiers(middleware.TierTable{"/reports/": key}, nil)
	return guard(errorsx.Mux(mux, nil))
}
