package middleware

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/authtier/authtier/errorsx"
)

// Scope lets a request through only if its identity has one of the scopes. It
// stands behind a wrapper that authenticates, and refuses as that one does,
// with insufficient_scope and the scopes needed (RFC 6750 section 3.1). A
// request that nobody authenticated is a fault in wiring: AUTH-8.
//
// It panics without a scope, and if one is not a scope token (RFC 6749 section
// 3.3).
func Scope(anyOf ...string) Wrapper {
	if len(anyOf) == 0 {
		panic("middleware: Scope: no scope given")
	}
	for _, scope := range anyOf {
		if !ValidScope(scope) {
			panic(fmt.Sprintf("middleware: Scope: %q is not a scope", scope))
		}
	}
	anyOf = slices.Clone(anyOf)
	needed := strings.Join(anyOf, " ")
	return func(next http.Handler) http.Handler {
		notNil("Scope", next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := stateOf(r.Context())
			var id *Identity
			if s != nil {
				id = s.identity.Load()
			}
			if id == nil {
				(*errorsx.Writer)(nil).Resource(w, r, "", errorsx.Fault(errors.New("middleware: Scope: no wrapper has authenticated the request")))
				return
			}
			if !slices.ContainsFunc(anyOf, id.Scopes.has) {
				ew, scheme := s.writer()
				ew.Resource(w, r, scheme, &errorsx.Error{
					Code: errorsx.ScopeNotAuthorized, Client: id.Client, Scope: needed,
					Message: "The request needs a scope that its credentials do not have",
				})
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
