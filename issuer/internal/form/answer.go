package form

import (
	"encoding/json"
	"net/http"

	"github.com/authtier/authtier/errorsx"
)

// Refusing returns a handler that calls h, and calls refuse with any error that h
// returns. A panic of h counts as such an error. Its text begins with the given name of
// the code that panicked.
func Refusing(what string, refuse func(http.ResponseWriter, *http.Request, error), h func(http.ResponseWriter, *http.Request) error) http.Handler {
	guarded := func(w http.ResponseWriter, r *http.Request) (err error) {
		defer errorsx.Recovered(what, &err)
		return h(w, r)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := guarded(w, r); err != nil {
			refuse(w, r, err)
		}
	})
}

// Header values that all answers share. They must not be changed.
var (
	jsonType = []string{"application/json"}
	noStore  = []string{"no-store"}
	noCache  = []string{"no-cache"}
	noSniff  = []string{"nosniff"}
)

// WriteJSON writes a response with v as JSON, which caches must not store.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h["Content-Type"] = jsonType
	NoStore(h)
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // a write error means that the client has gone
}

// NoStore sets the headers of a response that holds a secret, or says whether one is
// valid.
func NoStore(h http.Header) {
	h["Cache-Control"], h["Pragma"], h["X-Content-Type-Options"] = noStore, noCache, noSniff
}
