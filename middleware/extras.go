package middleware

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"

	"github.com/authtier/authtier/errorsx"
)

// Extras are what few identities have, apart from the rest, so that a cache does
// not keep room for them in each. They are not changed.
type extras struct {
	addrs        []netip.Prefix // from where the credential may be used; none: from everywhere
	owner        string
	confirmation string
}

// with returns id with changed extras.
func (id Identity) with(change func(*extras)) Identity {
	var e extras
	if id.extras != nil {
		e = *id.extras
	}
	change(&e)
	id.extras = &e
	return id
}

// WithAddrs returns id for a credential that may be used only from these networks.
// If there are none, it may be used from everywhere. Wrappers judge it on every
// request by [ClientAddr]. It is for packages that implement a [Validator]; most
// programs do not need it.
func (id Identity) WithAddrs(networks []netip.Prefix) Identity {
	return id.with(func(e *extras) { e.addrs = slices.Clone(networks) })
}

// WithOwner returns id for a credential that ends when the user of that login is
// revoked or changed. The owner is not the identity's User. It is for packages
// that implement a [Validator]; most programs do not need it.
func (id Identity) WithOwner(login string) Identity {
	return id.with(func(e *extras) { e.owner = login })
}

// WithConfirmation returns id for a credential that something else must accompany.
// A wrapper without [BearerConfig.Confirm] refuses such an identity, and Confirm
// compares the request with digest. It is for packages that implement a
// [Validator]; most programs do not need it.
func (id Identity) WithConfirmation(digest string) Identity {
	return id.with(func(e *extras) { e.confirmation = digest })
}

// Confirmation returns what [Identity.WithConfirmation] was given, or "".
func (id Identity) Confirmation() string {
	if id.extras == nil {
		return ""
	}
	return id.extras.confirmation
}

// ownedBy reports whether the identity ends with that user.
func (id *Identity) ownedBy(login string) bool {
	return id.User == login || id.extras != nil && id.extras.owner == login
}

// usableFrom refuses a request from an address from which the credential may not
// be used.
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
	message := "" // the same answer as to an unknown key, so that a thief does not learn that the key is genuine
	if id.Methods.Has(ByAPIKey) {
		message = "The API key is incorrect"
	}
	return &errorsx.Error{
		Code: errorsx.CredentialsIncorrect, Client: id.Client, Message: message,
		Err: fmt.Errorf("the credential is limited to %v, and was sent from %v", id.extras.addrs, addr),
	}
}
