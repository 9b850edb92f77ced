package middleware

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/authtier/authtier/errorsx"
)

// Scope lets a request through only if its identity has at least one of the scopes;
// [AllScopes] demands all of them. It stands behind every wrapper that
// authenticates, and refuses with insufficient_scope and the scopes of which one is
// needed (RFC 6750 section 3.1).
//
// A request that such a wrapper let in without a credential, because of
// AllowAnonymous, is refused with AUTH-2. A request that no wrapper looked at is a
// fault in wiring: AUTH-8. So is a wrapper inside that changes client, user or
// scopes after Scope has let the request through.
//
// Scope panics without a scope, and if one is not a scope token (RFC 6749 section
// 3.3).
func Scope(anyOf ...string) Wrapper {
	needed := scopeList("Scope", anyOf)
	anyOf = slices.Clone(anyOf)
	const message = "The request needs a scope that its credentials do not have"
	return scopes("Scope", needed, message, func(id *Identity) bool {
		return slices.ContainsFunc(anyOf, id.Scopes.has)
	})
}

// AllScopes lets a request through only if its identity has all of the scopes. It is
// otherwise like [Scope]. Its refusal lists all scopes that are needed.
func AllScopes(all ...string) Wrapper {
	needed := scopeList("AllScopes", all)
	all = slices.Clone(all)
	const message = "The request needs scopes that its credentials do not have"
	return scopes("AllScopes", needed, message, func(id *Identity) bool {
		for _, scope := range all {
			if !id.Scopes.has(scope) {
				return false
			}
		}
		return true
	})
}

// scopeList returns the scopes as one list. It panics if there is none, or one that
// is not a scope token.
func scopeList(wrapper string, scopes []string) string {
	if len(scopes) == 0 {
		panic("middleware: " + wrapper + ": no scope given")
	}
	for _, scope := range scopes {
		if !ValidScope(scope) {
			panic(fmt.Sprintf("middleware: %s: %q is not a scope", wrapper, scope))
		}
	}
	return strings.Join(scopes, " ")
}

// scopes returns a wrapper that lets a request through if its identity has enough
// scopes. Its refusal lists those that are needed.
func scopes(name, needed, message string, enough func(id *Identity) bool) Wrapper {
	return func(next http.Handler) http.Handler {
		notNil(name, next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, r := join(r)
			if id := s.identity.Load(); id.names() && enough(id) {
				s.marks |= judged
				next.ServeHTTP(w, r)
				return
			}

			id, err := s.authenticated(name)
			if err == nil {
				err = &errorsx.Error{Code: errorsx.ScopeNotAuthorized, Client: id.Client, Scope: needed, Message: message}
			}
			s.refuse(w, r, err)
		})
	}
}

// authenticated returns the identity of a request whose wrappers must have proven
// one. If one of them let it in without a credential, that credential is missing
// here; if there is no such wrapper, that is a fault in wiring.
func (s *state) authenticated(wrapper string) (*Identity, error) {
	if id := s.identity.Load(); id.names() {
		return id, nil
	}
	if g := s.openedBy(); g != nil {
		return nil, g.absent
	}
	return nil, errorsx.Fault(errors.New("middleware: " + wrapper + ": no wrapper has authenticated the request"))
}

// refuse answers with the challenge of the credential that the identity's scopes
// are from, or of the wrapper that let the request in without one.
func (s *state) refuse(w http.ResponseWriter, r *http.Request, err error) {
	scheme := errorsx.SchemeBearer
	var others []errorsx.Scheme
	if id := s.identity.Load(); id != nil {
		scheme = id.Methods.scheme()
	} else if g := s.openedBy(); g != nil {
		scheme, others = g.scheme, g.others
	}
	(*errorsx.Writer)(nil).Resource(w, r, scheme, err, others...)
}
