package form

import (
	"net/http"
	"slices"
	"strings"

	"github.com/authtier/authtier/errorsx"
)

// methods are those of RFC 9110 and RFC 5789, but for HEAD, which a pattern for GET
// takes with it.
var methods = []string{
	http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodOptions, http.MethodConnect, http.MethodTrace,
}

// Register adds a path to mux, with a pattern for each method. A single pattern for
// all of them would conflict with one of the program such as "GET /". h serves the
// methods that are allowed, and any other is refused. Without allowed ones, h serves
// all, and refuses by itself.
func Register(mux *http.ServeMux, path string, h http.Handler, allowed ...string) {
	names := slices.Clone(allowed)
	if slices.Contains(allowed, http.MethodGet) {
		names = append(names, http.MethodHead)
	}
	slices.Sort(names)
	refusal := refuseMethod(strings.Join(names, ", "))
	for _, method := range methods {
		if len(allowed) == 0 || slices.Contains(allowed, method) {
			mux.Handle(method+" "+path, h)
		} else {
			mux.Handle(method+" "+path, refusal)
		}
	}
}

// refuseMethod refuses a method with AUTH-6.
func refuseMethod(allow string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", allow)
		var inherited *errorsx.Writer
		inherited.Resource(w, r, "", errorsx.MethodNotAllowed(allow))
	})
}
