package errorsx

import (
	"net/http"
	"reflect"
	"strings"
)

// redirect is the type of the handler by which a mux redirects to another path.
var redirect = reflect.TypeOf(http.RedirectHandler("/", http.StatusTemporaryRedirect))

// Mux serves mux and turns the plain 404 and 405 answers of mux itself into AUTH-6.
// It keeps the Allow header. It does not change the answers of registered handlers.
// Redirects pass. A query may contain a token, so a redirect of a request with a
// query is marked as not to be stored.
//
// The nearest [Writer] outside answers, or a zero Writer if there is none. Mux panics
// if mux is nil.
func Mux(mux *http.ServeMux) http.Handler {
	if mux == nil {
		panic("errorsx: Mux: nil ServeMux")
	}
	var w *Writer
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		// The path of every pattern begins with a slash, so no pattern serves such a
		// path.
		if !strings.HasPrefix(r.URL.Path, "/") {
			w.Refuse(rw, r, "", NotFound())
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

		// No registered pattern matches, so h writes an answer of the mux's own.
		own := headerOnly{header: http.Header{}}
		h.ServeHTTP(&own, r)
		switch own.status {
		case http.StatusNotFound:
			w.Refuse(rw, r, "", NotFound())
		case http.StatusMethodNotAllowed:
			allow := own.header.Get("Allow")
			if every := everyMethod(mux, r, allow); every != nil {
				every.ServeHTTP(rw, r)
				return
			}
			rw.Header().Set("Allow", allow)
			w.Refuse(rw, r, "", MethodNotAllowed(allow))
		default:
			h.ServeHTTP(rw, r)
		}
	})
}

// everyMethod returns the handler of a path that refuses wrong methods by itself, or
// nil. It is registered for each method of RFC 9110, so that the Allow header of mux
// lists them all, and the method of r is another one.
func everyMethod(mux *http.ServeMux, r *http.Request, allow string) http.Handler {
	method, _, _ := strings.Cut(allow, ", ")
	registered := new(http.Request)
	*registered = *r
	registered.Method = method
	h, _ := mux.Handler(registered)
	if every, ok := h.(interface{ ServesEveryMethod() bool }); ok && every.ServesEveryMethod() {
		return h
	}
	return nil
}

// headerOnly records the status and the header of an answer.
type headerOnly struct {
	header http.Header
	status int
}

func (h *headerOnly) Header() http.Header         { return h.header }
func (h *headerOnly) WriteHeader(status int)      { h.status = status }
func (h *headerOnly) Write(p []byte) (int, error) { return len(p), nil }
