package middleware

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"

	"github.com/authtier/authtier/errorsx"
)

// Details are rarely used properties of an identity. They are stored apart, so that a
// cache does not reserve memory for them in every entry. They are for packages that
// implement a [Validator]; most programs do not need them.
type Details struct {
	// Addrs are the networks from which the credential may be used. If there are none,
	// it may be used from everywhere. Wrappers check this on every request by
	// [ClientAddr].
	Addrs []netip.Prefix

	// Owner is the login of a user who is not the identity's User. The credential ends
	// when that user is revoked or changed.
	Owner string

	// Confirmation, if not empty, is the digest of something else that must be in the
	// request, such as a cookie. [BearerConfig.Confirm] must compare the request with
	// it. A wrapper without Confirm answers such an identity with AUTH-8.
	Confirmation string

	// KeyBinding says that the token is bound to a key (RFC 7800), such as one with the
	// claim cnf. A wrapper without [BearerConfig.ConfirmKey] refuses it with AUTH-12,
	// because the client has not shown that it has the key.
	KeyBinding bool

	// ScopeLimit says that the scopes of the credential limit the tokens that it may ask
	// for, even if it has no scopes.
	ScopeLimit bool

	// DroppedScopes are elements in the token's claims for scopes that are no scope
	// tokens. [Observe] tells of them.
	DroppedScopes []string
}

// WithDetails returns a copy of id that has these details and no others.
func (id Identity) WithDetails(d Details) Identity {
	d.Addrs, d.DroppedScopes = slices.Clone(d.Addrs), slices.Clone(d.DroppedScopes)
	id.details = &d
	return id
}

// Details returns the details of id. Their lists must not be changed.
func (id *Identity) Details() Details {
	if id.details == nil {
		return Details{}
	}
	return *id.details
}

// ownedBy reports whether the identity ends when that user is revoked.
func (id *Identity) ownedBy(login string) bool {
	return id.User == login || id.details != nil && id.details.Owner == login
}

// usableFrom returns a refusal if the credential must not be used from r's address.
func (id *Identity) usableFrom(r *http.Request) error {
	if id.details == nil || len(id.details.Addrs) == 0 {
		return nil
	}

	addr := ClientAddr(r)
	if !addr.IsValid() {
		return errorsx.Fault(errors.New("middleware: the credential is limited to some networks, and the client's address is not known"))
	}
	if slices.ContainsFunc(id.details.Addrs, func(n netip.Prefix) bool { return n.Contains(addr) }) {
		return nil
	}

	// The answer is the same as for an unknown key. Otherwise it would tell a thief
	// that the key is genuine.
	message := ""
	if id.Methods.Has(ByAPIKey) {
		message = "The API key is incorrect"
	}

	return &errorsx.Error{
		Code: errorsx.CredentialsIncorrect, Client: id.Client, Message: message,
		Err: fmt.Errorf("the credential is limited to %v, and was sent from %v", id.details.Addrs, addr),
	}
}
