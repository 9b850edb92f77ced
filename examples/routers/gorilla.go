package routers

import (
	"fmt"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/authtier/authtier/middleware"
)

// Gorilla serves the API with gorilla/mux. A wrapper is a MiddlewareFunc of it, without an
// adapter. Middleware does not run for unknown paths, so the door is around the router.
func Gorilla(a *API) http.Handler {
	usage := a.usage()
	reports := func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, greeting(r.Context())) }

	r := mux.NewRouter()
	r.HandleFunc("/open", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "open") }).Methods("GET")

	guarded := r.NewRoute().Subrouter()
	guarded.Use(bearer())
	write := middleware.Chain(middleware.Scope(writeScope), usage)
	guarded.Handle("/reports", write(http.HandlerFunc(reports))).Methods("POST") // one route

	read := guarded.NewRoute().Subrouter()
	read.Use(middleware.Scope(readScope), usage)
	read.HandleFunc("/reports", reports).Methods("GET")
	read.HandleFunc("/fails", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "it failed", http.StatusInternalServerError)
	}).Methods("GET")
	read.HandleFunc("/events", a.events).Methods("GET")
	read.HandleFunc("/ws", socket).Methods("GET")
	return a.door()(r)
}
