package errorsx

import (
	"net/http"
	"reflect"
	"strings"
)

// redirect is what a mux answers with where it would rather be asked for another
// path.
var redirect = reflect.TypeOf(http.RedirectHandler("/", http.StatusTemporaryRedirect))

// Mux serves mux, with its plain 404 and 405 answers turned into AUTH-6. Allow
// is kept, and what the mux's own handlers answer is not looked at. Redirects
// pass; one that may repeat a token from the query is for nobody to keep. A nil w
// answers like the nearest [Writer] outside.
func Mux(mux *http.ServeMux, w *Writer) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/") {
			w.Resource(rw, r, "", NotFound())
			return
		}
		h, pattern := mux.Handler(r)
		if r.URL.RawQuery != "" && reflect.TypeOf(h) == redirect {
			rw.Header().Set("Cache-Control", "no-store")
			rw.Header().Set("Referrer-Policy", "no-referrer")
		}
		if pattern != "" {
			mux.ServeHTTP(rw, r)
			return
		}
		// Nothing of the user's matches: h only writes the mux's own answer.
		answer := headerOnly{header: http.Header{}}
		h.ServeHTTP(&answer, r)
		switch answer.status {
		case http.StatusNotFound:
			w.Resource(rw, r, "", NotFound())
		case http.StatusMethodNotAllowed:
			allow := answer.header.Get("Allow")
			rw.Header().Set("Allow", allow)
			w.Resource(rw, r, "", MethodNotAllowed(allow))
		default:
			h.ServeHTTP(rw, r)
		}
	})
}

// headerOnly records an answer's status and header.
type headerOnly struct {
	header http.Header
	status int
}

func (h *headerOnly) Header() http.Header         { return h.header }
func (h *headerOnly) WriteHeader(status int)      { h.status = status }
func (h *headerOnly) Write(p []byte) (int, error) { return len(p), nil }
