package form

import (
	"encoding/json"
	"net/http"

	"github.com/authtier/authtier/errorsx"
)

// Refusing returns a handler that calls h, and refuse with the error that h
// returns. A panic of h is such an error too, which names what panicked.
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

// Header values that all answers share, and nobody changes.
var (
	jsonType = []string{"application/json"}
	noStore  = []string{"no-store"}
	noCache  = []string{"no-cache"}
	noSniff  = []string{"nosniff"}
)

// WriteJSON answers with JSON that nobody may keep.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h["Content-Type"] = jsonType
	NoStore(h)
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // a client that went away is not our failure
}

// NoStore marks an answer with a secret, or with a verdict on one.
func NoStore(h http.Header) {
	h["Cache-Control"], h["Pragma"], h["X-Content-Type-Options"] = noStore, noCache, noSniff
}
