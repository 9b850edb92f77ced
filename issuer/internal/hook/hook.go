// Package hook holds what package issuer shares with the session and partner systems,
// and lets them call its unexported functions.
package hook

import (
	"context"
	"reflect"
	"time"

	"github.com/authtier/authtier/middleware"
)

// Sessions are the methods of an issuer that a session system needs.
type Sessions interface {
	// IsRevoked reports whether the issuer knows that the session with that ID is
	// revoked.
	IsRevoked(id string) bool

	// Revoke revokes the session with that ID. It goes on when ctx ends.
	Revoke(ctx context.Context, id string) error

	// OwnUsers reports whether the users are in a table outside the store, whose
	// changes the issuer does not learn of.
	OwnUsers() bool
}

// SessionsOf returns the methods for sessions that live at most maxAge. issuer must be
// an *issuer.Issuer. Package issuer sets it.
var SessionsOf func(issuer any, maxAge time.Duration) Sessions

// Guarded returns v behind a cache and the throttle of issuer, which must be an
// *issuer.Issuer. Package issuer sets it.
var Guarded func(issuer any, v middleware.Validator) middleware.Validator

// IsNil reports whether v is nil or holds a nil pointer, map or function. A constructor
// returns such a value with an error that the program has ignored.
func IsNil(v any) bool {
	if v == nil {
		return true
	}
	switch value := reflect.ValueOf(v); value.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Func:
		return value.IsNil()
	}
	return false
}
