package middleware

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"
)

// A Scheme is an authentication scheme (RFC 9110 section 11.1).
type Scheme string

// The schemes of this suite. ApiKey is not a registered scheme. It is used because a
// Basic challenge would open the browser's password dialog.
const (
	SchemeBasic  Scheme = "Basic"
	SchemeBearer Scheme = "Bearer"
	SchemeAPIKey Scheme = "ApiKey"
)

// A Credential is the proof of identity that a request carries. It is syntactically
// valid, but nothing else about it has been checked. Its secret does not appear when
// it is printed, logged or encoded as JSON.
type Credential struct {
	Scheme   Scheme
	Username string // set only for SchemeBasic, and never empty there
	Secret   string `json:"-"` // never empty

	request *http.Request // the request that carries it, or nil
	from    netip.Addr    // set by WithAddr
	now     time.Time
}

// From returns the address of the client that sent the credential, see [ClientAddr].
// It is the zero Addr if the address is not known. carried is false if the credential
// has neither a request nor an address, so that nobody could know where it came from.
//
// Throttles use it. A validator must not decide by it whether a credential is genuine.
func (c Credential) From() (addr netip.Addr, carried bool) {
	if c.request == nil {
		return c.from, c.from.IsValid()
	}
	return ClientAddr(c.request), true
}

// WithRequest returns c as if r carried it. It is for handlers that authenticate
// clients or users themselves. A throttle needs the request, or the address that
// [Credential.WithAddr] sets.
func (c Credential) WithRequest(r *http.Request) Credential {
	c.request = r
	return c
}

// WithAddr returns c as if a client with that address sent it. It is for protocols
// that have no [http.Request].
func (c Credential) WithAddr(addr netip.Addr) Credential {
	c.request, c.from = nil, addr
	return c
}

// observed notes for Observe whether a cache knew the credential.
func (c *Credential) observed(hit bool) {
	if c.request == nil {
		return
	}
	if s := stateOf(c.request.Context()); s != nil {
		s.observation().asked(hit)
	}
}

// Now returns the time by which the credential is judged. A wrapper reads the clock
// once for each request. If no time was set, Now returns [time.Now].
func (c Credential) Now() time.Time {
	if c.now.IsZero() {
		return time.Now()
	}
	return c.now
}

// At returns a copy of c that is judged by the time t.
func (c Credential) At(t time.Time) Credential {
	c.now = t
	return c
}

// Format writes c without its secret, for every verb.
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
	// wrapping an [*errorsx.Error] or an [errorsx.Code]. Any other error means that
	// no decision was possible, and is a failure of the server (AUTH-8).
	//
	// The identity must name a client or a user; otherwise the request fails with
	// AUTH-8. The wrapper sets its Methods. The validator must not change an identity
	// after it has returned it.
	//
	// The result must depend only on c. A validator returns an [errorsx.Fault] for a
	// scheme that it does not support. Validate must be safe for concurrent use and
	// must not retain c.
	//
	// If the error of a refused credential has a method ValidFrom() time.Time, the
	// credential becomes valid at that time, and a [Cache] forgets the refusal then.
	//
	// A validator that wraps others also has a method Unwrap() Validator or Unwrap()
	// []Validator that returns them. Through it, a [Cache] finds every [Source]
	// inside. [Around] returns such a validator.
	Validate(ctx context.Context, c Credential) (*Identity, error)
}

// A ValidatorFunc is a function that implements [Validator].
type ValidatorFunc func(ctx context.Context, c Credential) (*Identity, error)

// Validate calls f.
func (f ValidatorFunc) Validate(ctx context.Context, c Credential) (*Identity, error) {
	return f(ctx, c)
}

// An OfflineValidator is a [Validator] that can judge some credentials by computation,
// without a request to another service. A [Cache] validates as many signed tokens at
// once as there are cores. From the hundredth failure within a second on, it leaves one
// core free for a second, so that junk with fresh signatures does not take all cores
// from requests with remembered credentials. It is for packages that implement a
// Validator; most programs do not need it.
type OfflineValidator interface {
	// Offline reports whether c can be judged without asking another service. It must
	// be safe for concurrent use.
	Offline(c Credential) bool
}
