// Package middleware authenticates and authorizes net/http requests.
//
//	h := middleware.Bearer(tokens, &middleware.BearerConfig{RequireUser: true})(mux)
//	mux.Handle("GET /reports/{id}", middleware.Scope("reports:read")(reports))
//
// A wrapper takes its required values as arguments. Everything else is in a config
// that may be nil and whose zero value is ready to use. Handlers read the outcome
// with [IdentityFromContext].
//
// A [Validator] decides whether a credential is genuine: an issuer, [JWT] for tokens
// that others sign, or [APIKeyFunc] for API keys of your own. Several wrappers around
// one handler prove one identity: an [APIKey] and a [Bearer] token of different
// clients are refused. [Tiers] chooses the wrappers by path.
//
// The wrappers of one request share a state in its context. A middleware between them
// must pass the context and the header of the request on. One request must not be
// served by several handlers at once; give each of them a clone.
//
// Refusals follow RFC 6750 (Bearer), RFC 7617 (Basic) and RFC 9110 section 11. An
// [errorsx.Writer] renders them.
package middleware

import (
	"net/http"
	"reflect"
	"slices"
)

// A Wrapper puts a check in front of a handler: it returns the guarded handler,
// which is the one to serve. It does not change the handler that it is given, and
// may be used for several.
type Wrapper = func(http.Handler) http.Handler

// Chain composes wrappers; the first is the outermost and answers first. It panics
// if there is no wrapper, since nothing would be guarded, and if one is nil.
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

// isNil reports whether v is nil or holds a nil pointer, map or function: what a
// constructor returned beside an error that nobody looked at.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Func:
		return r.IsNil()
	}
	return false
}

// notNil panics where a wrapper is put around nothing.
func notNil(wrapper string, next http.Handler) {
	if next == nil {
		panic("middleware: " + wrapper + ": nil Handler")
	}
}
