package middleware

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/authtier/authtier/errorsx"
)

// Scope lets a request through only if its identity has one of the scopes; one of
// them is enough. It stands behind every wrapper that authenticates, and refuses
// with insufficient_scope and the scopes needed (RFC 6750 section 3.1). A request
// that such a wrapper let in without a credential, because of AllowAnonymous, is
// refused with AUTH-2. A request that no wrapper looked at is a fault in wiring:
// AUTH-8. So is a wrapper inside that changes client, user or scopes after Scope has
// let the request through.
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
			id, err := s.authenticated("Scope")
			if err == nil && !slices.ContainsFunc(anyOf, id.Scopes.has) {
				err = &errorsx.Error{
					Code: errorsx.ScopeNotAuthorized, Client: id.Client, Scope: needed,
					Message: "The request needs a scope that its credentials do not have",
				}
			}
			if err != nil {
				s.refuse(w, r, err)
				return
			}
			s.note(judged)
			next.ServeHTTP(w, r)
		})
	}
}

// authenticated returns the identity of a request whose wrappers must have proven
// one. If one of them let it in without a credential, that credential is missing
// here; if there is no such wrapper, that is a fault in wiring. s may be nil.
func (s *state) authenticated(wrapper string) (*Identity, error) {
	if s == nil {
		return nil, errorsx.Fault(errors.New("middleware: " + wrapper + ": no wrapper has authenticated the request"))
	}
	if id := s.identity.Load(); id != nil {
		return id, nil
	}
	if g := s.openedBy.Load(); g != nil {
		return nil, g.absent
	}
	return (*state)(nil).authenticated(wrapper)
}

// refuse answers with the challenge of the credential that the identity's scopes
// are from, or of the wrapper that let the request in without one. s may be nil.
func (s *state) refuse(w http.ResponseWriter, r *http.Request, err error) {
	scheme := errorsx.SchemeBearer
	var others []errorsx.Scheme
	if s != nil {
		if id := s.identity.Load(); id != nil {
			scheme = id.Methods.scheme()
		} else if g := s.openedBy.Load(); g != nil {
			scheme, others = g.scheme, g.others
		}
	}
	(*errorsx.Writer)(nil).Resource(w, r, scheme, err, others...)
}
