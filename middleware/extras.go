package middleware

// Extras are what few identities have, apart from the rest, so that a cache does
// not keep room for them in each. They are not changed.
type extras struct {
	owner string
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

// WithOwner returns id for a credential that ends when the user of that login is
// revoked or changed. The owner is not the identity's User. It is for packages
// that implement a [Validator]; most programs do not need it.
func (id Identity) WithOwner(login string) Identity {
	return id.with(func(e *extras) { e.owner = login })
}

// ownedBy reports whether the identity ends with that user.
func (id *Identity) ownedBy(login string) bool {
	return id.User == login || id.extras != nil && id.extras.owner == login
}
