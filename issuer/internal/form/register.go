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
	RegisterBehind(mux, func(h http.Handler) http.Handler { return h }, path, h, allowed...)
}

// RegisterBehind is [Register] for a path all of which is behind a wrapper: it refuses
// a method no sooner than the wrapper has let the request through.
func RegisterBehind(mux *http.ServeMux, wrapper func(http.Handler) http.Handler, path string, h http.Handler, allowed ...string) {
	if len(allowed) > 0 {
		h = allowing(allowed, h)
	}
	for _, method := range methods {
		mux.Handle(method+" "+path, everyMethod{wrapper(h)})
	}
}

// everyMethod is what is registered for each method of a path.
type everyMethod struct{ http.Handler }

// ServesEveryMethod lets [errorsx.Mux] give h the methods that no RFC has, too.
func (h everyMethod) ServesEveryMethod() bool { return true }

// allowing serves the methods that are allowed by h, and HEAD where GET is. It refuses
// others with AUTH-6.
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
		inherited.Resource(w, r, "", errorsx.MethodNotAllowed(allow))
	})
}
