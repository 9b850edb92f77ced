package form

import (
	"net/http"
	"slices"
	"strings"

	"github.com/authtier/authtier/errorsx"
)

// methods are those of RFC 9110 and RFC 5789. HEAD is missing, because a pattern for
// GET includes it.
var methods = []string{
	http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodOptions, http.MethodConnect, http.MethodTrace,
}

// Register adds a path to mux, with one pattern for each method. A single pattern for
// all methods would conflict with a pattern of the program such as "GET /".
//
// h serves the allowed methods, and any other method is refused. If allowed is empty, h
// serves all methods and must refuse some itself.
func Register(mux *http.ServeMux, path string, h http.Handler, allowed ...string) {
	RegisterBehind(mux, func(h http.Handler) http.Handler { return h }, path, h, allowed...)
}

// RegisterBehind is like [Register] for a path behind a wrapper. A wrong method is
// refused only after the wrapper has let the request through.
func RegisterBehind(mux *http.ServeMux, wrapper func(http.Handler) http.Handler, path string, h http.Handler, allowed ...string) {
	if len(allowed) > 0 {
		h = allowing(allowed, h)
	}

	// The wrapper is outermost, so that it also sees the methods that are refused.
	for _, method := range methods {
		mux.Handle(method+" "+path, everyMethod{wrapper(h)})
	}
}

// everyMethod is the handler that is registered for each method of a path.
type everyMethod struct{ http.Handler }

// ServesEveryMethod tells [errorsx.Mux] that h also serves methods that are in no RFC.
func (h everyMethod) ServesEveryMethod() bool { return true }

// allowing returns a handler that passes allowed methods to h, and HEAD if GET is
// allowed. It refuses other methods with AUTH-6.
func allowing(allowed []string, h http.Handler) http.Handler {
	names := slices.Clone(allowed)
	if slices.Contains(allowed, http.MethodGet) {
		names = append(names, http.MethodHead)
	}
	slices.Sort(names)
	allow := strings.Join(names, ", ")

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains(names, r.Method) {
			h.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Allow", allow)
		var inherited *errorsx.Writer
		inherited.Refuse(w, r, "", errorsx.MethodNotAllowed(allow))
	})
}
