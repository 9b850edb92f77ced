// Package hook lets the session and partner systems ask their issuer for what no
// other package needs.
package hook

import (
	"context"
	"time"

	"github.com/authtier/authtier/middleware"
)

// Sessions is what a session system asks of its issuer.
type Sessions interface {
	// IsRevoked reports whether the issuer has heard that the session of that ID is
	// revoked.
	IsRevoked(id string) bool

	// Revoke revokes the session of that ID. It does not end with ctx.
	Revoke(ctx context.Context, id string) error

	// OwnUsers reports whether the users are in a table of which the issuer hears
	// no changes.
	OwnUsers() bool
}

// SessionsOf returns what an *issuer.Issuer knows of sessions that live for maxAge
// at most. Package issuer sets it.
var SessionsOf func(issuer any, maxAge time.Duration) Sessions

// Guarded returns a validator behind a cache, and behind the throttle of an
// *issuer.Issuer. Package issuer sets it.
var Guarded func(issuer any, v middleware.Validator) middleware.Validator
