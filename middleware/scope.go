package middleware

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/authtier/authtier/errorsx"
)

// Scope admits a request only if its identity has at least one of the scopes.
// [AllScopes] requires all of them. Scope belongs inside of every wrapper that
// authenticates. It refuses with insufficient_scope, and the challenge lists the
// scopes of which one is needed (RFC 6750 section 3.1).
//
// A request that was admitted without a credential, because of AllowAnonymous, is
// refused with AUTH-2. It is a fault in wiring (AUTH-8) if no wrapper has
// authenticated the request. It is another one if an inner wrapper changes client,
// user or scopes after Scope has admitted the request.
//
// Scope panics if no scope is given, and if one is not a scope token (RFC 6749
// section 3.3).
func Scope(anyOf ...string) Wrapper {
	needed := scopeList("Scope", anyOf)
	anyOf = slices.Clone(anyOf)
	const message = "The request needs a scope that its credentials do not have"
	return scopes("Scope", needed, message, func(id *Identity) bool {
		return slices.ContainsFunc(anyOf, id.Scopes.has)
	})
}

// AllScopes admits a request only if its identity has all of the scopes. Otherwise it
// is like [Scope]. Its refusal lists all scopes that are needed. AllScopes panics if no
// scope is given, and if one is not a scope token.
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

// scopeList joins the scopes. It panics if there is none, or if one is not a scope
// token.
func scopeList(wrapper string, scopes []string) string {
	var errs []error
	if len(scopes) == 0 {
		errs = append(errs, errors.New("no scope given"))
	}
	for _, scope := range scopes {
		if !validScope(scope) {
			errs = append(errs, fmt.Errorf("%q is not a scope", scope))
		}
	}
	mustWire(wrapper, errs...)
	return strings.Join(scopes, " ")
}

// scopes returns a wrapper that admits a request if enough is true for its identity.
// Its refusal lists the needed scopes.
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

// authenticated returns the identity that an outer wrapper has proven. If a wrapper
// admitted the request without a credential, the error refuses the missing
// credential. If there is no such wrapper, the error is a fault in wiring.
func (s *state) authenticated(wrapper string) (*Identity, error) {
	if id := s.identity.Load(); id.names() {
		return id, nil
	}
	if g := s.openedBy(); g != nil {
		return nil, g.absent
	}
	return nil, errorsx.Fault(errors.New("middleware: " + wrapper + ": no wrapper has authenticated the request"))
}

// refuse refuses a request. It challenges with the scheme of the credential whose
// scopes count, or of the wrapper that admitted the request without a credential.
func (s *state) refuse(w http.ResponseWriter, r *http.Request, err error) {
	scheme := string(SchemeBearer)
	if id := s.identity.Load(); id != nil {
		scheme = s.schemeOf(id)
	} else if g := s.openedBy(); g != nil {
		s.usage.Load().writer.Refuse(w, r, g.onWire, err, g.others...)
		return
	}
	(*errorsx.Writer)(nil).Refuse(w, r, scheme, err)
}
