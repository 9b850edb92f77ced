// Package middleware authenticates and authorizes net/http requests.
//
// A wrapper takes what it cannot work without as arguments and the rest as a
// config whose zero value is ready to use:
//
//	mux.Handle("GET /reports/{id}", middleware.Scope("reports:read")(reports))
//	h := middleware.Bearer(tokens, middleware.BearerConfig{RequireUser: true})(mux)
//
// Several wrappers around one handler prove one identity: an [APIKey] and a
// [Bearer] token of different clients are refused. [Tiers] chooses the wrappers
// by path. Handlers read the outcome with [IdentityFromContext].
//
// The wrappers of one request share what they know by its context, and tell it from
// other requests by its header. A middleware in between must pass the context on.
// One request must not be served by several handlers at once; give each of them a
// clone.
//
// What a credential is worth is decided by a [Validator]: an issuer, or [JWT]
// for tokens that others sign. Refusals follow RFC 6750 (Bearer), RFC 7617
// (Basic) and RFC 9110 section 11, and are written by an [errorsx.Writer].
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
