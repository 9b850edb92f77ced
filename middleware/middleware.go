// Package middleware authenticates, authorizes and counts net/http requests.
//
//	h := middleware.Bearer(tokens, &middleware.BearerConfig{RequireUser: true})(mux)
//	mux.Handle("GET /reports/{id}", middleware.Scope("reports:read")(reports))
//
// A wrapper takes its required values as arguments. Everything else is in a config
// whose zero value is ready to use, and which may be nil. Handlers read the result
// with [IdentityFromContext].
//
// A [Validator] decides whether a credential is genuine. It may be an issuer, a JWT
// validator of package idp for tokens that others sign, or an [APIKeyFunc] for API keys
// of your own.
// Several wrappers around one handler prove one identity: a request with an [APIKey]
// and a [Bearer] token of different clients is refused. [Tiers] chooses the wrappers
// by path.
//
// The wrappers of one request share a state in its context. A middleware between them
// must pass on the context and the header of the request. Do not serve one request
// with several handlers at once; give each of them a clone.
//
// Refusals follow RFC 6750 (Bearer), RFC 7617 (Basic) and RFC 9110 section 11. An
// [errorsx.Writer] renders them.
package middleware

import (
	"net/http"
	"slices"
)

// A Wrapper returns a handler that checks requests before it calls the given handler.
// It does not change the given handler. A Wrapper may be used for several handlers.
type Wrapper = func(http.Handler) http.Handler

// Chain composes wrappers. The first wrapper is the outermost and sees requests
// first. Chain panics if there is no wrapper, because nothing would be guarded, or if
// one is nil.
func Chain(wrappers ...Wrapper) Wrapper {
	if len(wrappers) == 0 {
		panic("middleware: Chain: no wrapper")
	}
	ws := slices.Clone(wrappers)
	for _, w := range ws {
		if w == nil {
			panic("middleware: Chain: nil Wrapper")
		}
	}
	return func(next http.Handler) http.Handler {
		for _, w := range slices.Backward(ws) {
			next = w(next)
		}
		return next
	}
}

// notNil panics if a wrapper is given a nil handler.
func notNil(wrapper string, next http.Handler) {
	if next == nil {
		panic("middleware: " + wrapper + ": nil Handler")
	}
}
