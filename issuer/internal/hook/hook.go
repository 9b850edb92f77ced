// Package hook lets the session and partner systems call unexported functions of
// package issuer.
package hook

import (
	"context"
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
