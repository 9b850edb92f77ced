package middleware

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
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

	request *http.Request // that offers it, or nil
	from    netip.Addr    // set by WithAddr
	now     time.Time
}

// From returns the address of the client that offers the credential, for
// throttles: see [ClientAddr]. Whether a credential is genuine does not depend on
// it. It is the zero Addr if the address is not known.
func (c Credential) From() netip.Addr {
	if c.request == nil {
		return c.from
	}
	return ClientAddr(c.request)
}

// WithRequest returns c as r offers it, for handlers that authenticate clients or
// users themselves. Without it, a throttle takes all of them for one client.
func (c Credential) WithRequest(r *http.Request) Credential {
	c.request = r
	return c
}

// WithAddr returns c as a client with that address offers it, where there is no
// [http.Request], as in other protocols.
func (c Credential) WithAddr(addr netip.Addr) Credential {
	c.request, c.from = nil, addr
	return c
}

// observed notes whether a cache knew the credential.
func (c *Credential) observed(hit bool) {
	if c.request == nil {
		return
	}
	if s := stateOf(c.request.Context()); s != nil {
		s.observation().asked(hit)
	}
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
	// The identity names a client or a user; one with neither is a fault (AUTH-8).
	// The wrapper sets its Methods.
	//
	// Validate depends on c alone. A scheme that it does not know is a fault in
	// wiring, see [errorsx.Fault]. It may be called concurrently, must not retain
	// c, and the identity that it returns is not changed afterwards.
	//
	// A validator that wraps others also has a method Unwrap() Validator or
	// Unwrap() []Validator that returns them. A [Cache] around it thereby finds
	// every [Source] inside. [Around] makes such a validator.
	Validate(ctx context.Context, c Credential) (*Identity, error)
}

// A ValidatorFunc is a function that is a [Validator].
type ValidatorFunc func(ctx context.Context, c Credential) (*Identity, error)

// Validate calls f.
func (f ValidatorFunc) Validate(ctx context.Context, c Credential) (*Identity, error) {
	return f(ctx, c)
}
