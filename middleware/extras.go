package middleware

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"

	"github.com/authtier/authtier/errorsx"
)

// Extras are rarely used properties of an identity. They are stored apart, so that a
// cache does not reserve memory for them in every entry. They must not be changed.
type extras struct {
	addrs        []netip.Prefix // networks from which the credential may be used; if empty, from everywhere
	owner        string
	confirmation string
	dropped      []string // elements of the claims for scopes that were no scope tokens
	limitsScopes bool
	boundToKey   bool
}

// with returns a copy of id whose extras are changed by change.
func (id Identity) with(change func(*extras)) Identity {
	var e extras
	if id.extras != nil {
		e = *id.extras
	}
	change(&e)
	id.extras = &e
	return id
}

// WithAddrs returns a copy of id for a credential that may be used only from these
// networks. If networks is empty, it may be used from everywhere. Wrappers check this
// on every request by [ClientAddr]. It is for packages that implement a [Validator];
// most programs do not need it.
func (id Identity) WithAddrs(networks []netip.Prefix) Identity {
	return id.with(func(e *extras) { e.addrs = slices.Clone(networks) })
}

// WithOwner returns a copy of id for a credential that ends when the user with that
// login is revoked or changed. The owner is not the identity's User. It is for
// packages that implement a [Validator]; most programs do not need it.
func (id Identity) WithOwner(login string) Identity {
	return id.with(func(e *extras) { e.owner = login })
}

// WithConfirmation returns a copy of id for a credential that is valid only together
// with something else in the request, such as a cookie. [BearerConfig.Confirm] must
// compare the request with digest. A wrapper without Confirm answers such an identity
// with AUTH-8. It is for packages that implement a [Validator]; most programs do not
// need it.
func (id Identity) WithConfirmation(digest string) Identity {
	return id.with(func(e *extras) { e.confirmation = digest })
}

// WithKeyBinding returns a copy of id for a token that is bound to a key (RFC 7800), such
// as one with the claim cnf. A wrapper without [BearerConfig.ConfirmKey] refuses it with
// AUTH-12, because the client has not shown that it has the key. It is for packages that
// implement a [Validator]; most programs do not need it.
func (id Identity) WithKeyBinding() Identity {
	return id.with(func(e *extras) { e.boundToKey = true })
}

// WithDroppedScopes returns a copy of id that tells [Observe] of elements in its claims
// for scopes that are no scopes. It is for packages that implement a [Validator]; most
// programs do not need it.
func (id Identity) WithDroppedScopes(elements []string) Identity {
	return id.with(func(e *extras) { e.dropped = elements })
}

// WithScopeLimit returns a copy of id for a credential whose scopes limit the tokens
// that it may ask for, even if it has no scopes. It is for packages that implement a
// [Validator]; most programs do not need it.
func (id Identity) WithScopeLimit() Identity {
	return id.with(func(e *extras) { e.limitsScopes = true })
}

// HasScopeLimit reports whether id is from [Identity.WithScopeLimit].
func (id *Identity) HasScopeLimit() bool { return id.extras != nil && id.extras.limitsScopes }

// Confirmation returns the digest that [Identity.WithConfirmation] was given, or "".
func (id Identity) Confirmation() string {
	if id.extras == nil {
		return ""
	}
	return id.extras.confirmation
}

// ownedBy reports whether the identity ends when that user is revoked.
func (id *Identity) ownedBy(login string) bool {
	return id.User == login || id.extras != nil && id.extras.owner == login
}

// usableFrom returns a refusal if the credential must not be used from r's address.
func (id *Identity) usableFrom(r *http.Request) error {
	if id.extras == nil || len(id.extras.addrs) == 0 {
		return nil
	}

	addr := ClientAddr(r)
	if !addr.IsValid() {
		return errorsx.Fault(errors.New("middleware: the credential is limited to some networks, and the client's address is not known"))
	}
	if slices.ContainsFunc(id.extras.addrs, func(n netip.Prefix) bool { return n.Contains(addr) }) {
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
		Err: fmt.Errorf("the credential is limited to %v, and was sent from %v", id.extras.addrs, addr),
	}
}
