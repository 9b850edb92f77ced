package middleware

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/authtier/authtier/errorsx"
)

// A Credential is what a request offers as proof. It is syntactically right;
// nothing else is known of it. Printed or logged, it does not show its secret.
type Credential struct {
	Scheme   errorsx.Scheme
	Username string // of SchemeBasic; never empty there
	Secret   string `json:"-"` // never empty

	// From is who offers it, for throttles. Whether it is genuine does not depend
	// on that.
	From netip.Addr

	now time.Time
}

// Now is the time that the credential is judged by: one reading of the clock
// serves a whole request. Without one, it is [time.Now].
func (c Credential) Now() time.Time {
	if c.now.IsZero() {
		return time.Now()
	}
	return c.now
}

// At returns c, to be judged by the time t.
func (c Credential) At(t time.Time) Credential {
	c.now = t
	return c
}

// Format writes c without its secret, whatever the verb.
func (c Credential) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "%s credential of %q", c.Scheme, c.Username)
}

// LogValue returns c without its secret.
func (c Credential) LogValue() slog.Value {
	return slog.GroupValue(slog.String("scheme", string(c.Scheme)), slog.String("username", c.Username))
}

// A Validator decides whether a credential is genuine.
type Validator interface {
	// Validate returns the identity that c proves. It refuses c with an error
	// wrapping an [*errorsx.Error] or an [errorsx.Code]; any other error means
	// that no decision was possible, and fails the request as ours (AUTH-8).
	//
	// Validate depends on c alone. A scheme that it does not know is a fault in
	// wiring, see [errorsx.Fault]. It may be called concurrently, must not retain
	// c, and the identity that it returns is not changed afterwards.
	Validate(ctx context.Context, c Credential) (*Identity, error)
}

// A ValidatorFunc is a function that is a [Validator].
type ValidatorFunc func(ctx context.Context, c Credential) (*Identity, error)

// Validate calls f.
func (f ValidatorFunc) Validate(ctx context.Context, c Credential) (*Identity, error) {
	return f(ctx, c)
}

// ByScheme is a validator for each scheme, such as one's own issuer for API keys
// and another issuer's keys for Bearer. Caches and throttles go around each of
// them. A scheme that it does not have is a fault in wiring.
type ByScheme map[errorsx.Scheme]Validator

// Validate implements [Validator].
func (vs ByScheme) Validate(ctx context.Context, c Credential) (*Identity, error) {
	v := vs[c.Scheme]
	if v == nil {
		return nil, errorsx.Fault(fmt.Errorf("middleware: ByScheme: no validator for the scheme %q", c.Scheme))
	}
	return v.Validate(ctx, c)
}
