// Package middleware authenticates, authorizes and counts net/http requests.
//
//	h := middleware.Bearer(tokens, &middleware.BearerConfig{RequireUser: true})(mux)
//	mux.Handle("GET /reports/{id}", middleware.Scope("reports:read")(reports))
//
// A wrapper takes its required values as arguments. Everything else is in a config
// whose zero value is ready to use, and which may be nil. Handlers read the result
// with [IdentityFromContext].
//
// A [Validator] decides whether a credential is genuine. It may be an issuer, a verifier
// of package idp for tokens that others sign, or an [APIKeyFunc] for API keys of your own.
// Several wrappers around one handler prove one identity: a request with an [APIKey]
// and a [Bearer] token of different clients is refused. [Tiers] chooses the wrappers
// by path.
//
// [APIKey], [Basic] and [Bearer] authenticate, and [OneOf] takes either of several
// credentials. [Scope], [AllScopes] and [Require] say what a route needs of the identity.
// [Usage] counts. [ProtectedResource] tells clients where to get a token. [Errors],
// [Proxy] and [Observe] belong around everything else. Package middlewaretest tests who
// may call what.
//
// The wrappers of one request share a state in its context. A middleware between them
// must pass on the context and the header of the request. Do not serve one request
// with several handlers at once; give each of them a clone.
//
// Refusals follow RFC 6750 (Bearer), RFC 7617 (Basic) and RFC 9110 section 11. An
// [errorsx.Writer] renders them.
package middleware

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/authtier/authtier/middleware/internal/wiring"
)

// A Wrapper returns a handler that checks requests before it calls the given handler.
// It does not change the given handler. A Wrapper may be used for several handlers.
//
// The wrappers of this package panic if the given handler is nil or holds a nil
// pointer.
type Wrapper = func(http.Handler) http.Handler

// Chain composes wrappers. The first wrapper is the outermost and sees requests
// first. Chain panics if there is no wrapper, because nothing would be guarded, and if
// some are nil. The chain panics if a wrapper returns a nil handler.
func Chain(wrappers ...Wrapper) Wrapper {
	var errs []error
	if len(wrappers) == 0 {
		errs = append(errs, errors.New("no wrapper"))
	}
	ws := slices.Clone(wrappers)
	for i, w := range ws {
		if w == nil {
			errs = append(errs, fmt.Errorf("wrapper %d is nil", i+1))
		}
	}
	mustWire("Chain", errs...)

	return func(next http.Handler) http.Handler {
		notNil("Chain", next)
		for i, w := range slices.Backward(ws) {
			if next = w(next); wiring.IsNil(next) {
				panic(fmt.Sprintf("middleware: Chain: wrapper %d returned a nil Handler", i+1))
			}
		}
		return next
	}
}

// mustWire panics if a constructor has found faults in its arguments. The text of the
// panic names the constructor and all faults.
func mustWire(constructor string, faults ...error) {
	if err := errors.Join(faults...); err != nil {
		panic("middleware: " + constructor + ": " + err.Error())
	}
}

// notNil panics if a wrapper is given a nil handler. Such a handler would panic at the
// first request.
func notNil(wrapper string, next http.Handler) {
	if wiring.IsNil(next) {
		panic("middleware: " + wrapper + ": nil Handler")
	}
}
