package routers

import (
	"fmt"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/authtier/authtier/middleware"
)

// Chi serves the API with chi. A wrapper is a middleware of chi, without an adapter.
func Chi(a *API) http.Handler {
	usage := a.usage()
	reports := func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, greeting(r.Context())) }

	r := chi.NewRouter()
	r.Use(a.door()) // all routes, and the answers to unknown paths
	r.Get("/open", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "open") })

	r.Group(func(r chi.Router) {
		r.Use(bearer())
		r.With(middleware.Scope(writeScope), usage).Post("/reports", reports) // one route

		r.Group(func(r chi.Router) {
			r.Use(middleware.Scope(readScope), usage)
			r.Get("/reports", reports)
			r.Get("/fails", func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, "it failed", http.StatusInternalServerError)
			})
			r.Get("/events", a.events)
			r.Get("/ws", socket)
		})
	})
	return r
}
