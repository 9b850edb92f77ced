package store

import "slices"

// Check returns an error if c can never work, or would not work as intended. The error
// names every field at fault and the expected value. A secret that has expired by the
// clock of this machine is such a fault.
func (c *Client) Check() error { return c.check(nil) }

// CheckUpdate returns an error if an update may not change old to c. It checks
// only the fields that differ. It is for packages that implement a [Store]; most
// programs do not need it.
func (c *Client) CheckUpdate(old *Client) error { return c.check(old) }

func (c *Client) check(old *Client) error {
	f := faults{what: "client", name: c.ID}
	created := old == nil
	if created {
		old = &Client{}
		f.required("ID", c.ID)
		f.secrets(c.Secrets)
	} else {
		f.fixed("ID", c.ID != old.ID)
		f.fixed("Version", c.Version != old.Version)
		f.fixed("Secrets", !slices.EqualFunc(c.Secrets, old.Secrets, sameSecret))
	}

	if created || !slices.Equal(c.Scopes, old.Scopes) {
		f.scopes("Scopes", c.Scopes)
	}
	if created || !slices.Equal(c.Default, old.Default) || !slices.Equal(c.Scopes, old.Scopes) {
		f.scopes("Default", c.Default)
		f.within("Default", c.Default, "Scopes", c.Scopes)
	}
	if created || !slices.Equal(c.Grants, old.Grants) {
		f.grants(c.Grants)
	}
	return f.err()
}

// Check returns an error if u can never work, or would not work as intended, as
// [Client.Check] does. A Password that is not a hash is such a fault; the error does
// not repeat it.
func (u *User) Check() error { return u.check(nil) }

// CheckUpdate is for users what [Client.CheckUpdate] is for clients.
func (u *User) CheckUpdate(old *User) error { return u.check(old) }

func (u *User) check(old *User) error {
	f := faults{what: "user", name: u.Login}
	created := old == nil
	if created {
		old = &User{}
		f.required("Login", u.Login)
		f.password(u.Password)
	} else {
		f.fixed("Login", u.Login != old.Login)
		f.fixed("Version", u.Version != old.Version)
		f.fixed("Password", u.Password != old.Password)
	}

	for _, text := range []struct{ field, is, was string }{
		{"First", u.First, old.First}, {"Last", u.Last, old.Last}, {"Lang", u.Lang, old.Lang},
	} {
		if text.is != text.was {
			f.text(text.field, text.is)
		}
	}
	if created || !slices.Equal(u.Scopes, old.Scopes) || u.LimitScopes != old.LimitScopes {
		f.scopes("Scopes", u.Scopes)
		if len(u.Scopes) > 0 && !u.LimitScopes {
			f.add("Scopes", "are given, and LimitScopes is not set: they would limit nothing")
		}
	}
	return f.err()
}

// CheckPasswordHash returns an error if hash is neither empty nor a hash that a
// user's Password may hold: argon2id in PHC form, or bcrypt. The error does not
// repeat it.
func CheckPasswordHash(hash string) error {
	f := faults{what: "password"}
	f.password(hash)
	return f.err()
}

// Check returns an error if k can never work, or would not work as intended, as
// [Client.Check] does. A key that has expired by the clock of this machine is such a
// fault.
func (k *APIKey) Check() error { return k.check(nil) }

// CheckUpdate is for API keys what [Client.CheckUpdate] is for clients.
func (k *APIKey) CheckUpdate(old *APIKey) error { return k.check(old) }

func (k *APIKey) check(old *APIKey) error {
	f := faults{what: "API key", name: k.ID}
	created := old == nil
	if created {
		old = &APIKey{}
		f.required("ID", k.ID)
		f.required("Client", k.Client)
		f.digest("Digest", k.Digest)
	} else {
		f.fixed("ID", k.ID != old.ID)
		f.fixed("Client", k.Client != old.Client)
		f.fixed("Digest", k.Digest != old.Digest)
		f.fixed("Created", !k.Created.Equal(old.Created))
		f.fixed("LastUsed", !k.LastUsed.Equal(old.LastUsed))
	}

	if k.Name != old.Name {
		f.text("Name", k.Name)
	}
	if k.Owner != old.Owner {
		f.text("Owner", k.Owner)
	}
	if created || !slices.Equal(k.Scopes, old.Scopes) {
		f.scopes("Scopes", k.Scopes)
	}
	if !slices.Equal(k.Addrs, old.Addrs) {
		f.networks("Addrs", k.Addrs)
	}

	if created {
		f.life("", k.Created, k.Expires)
	} else if !k.Expires.Equal(old.Expires) {
		f.span("Expires", k.Created, k.Expires)
		f.sooner("Expires", k.Expires, old.Expires)
	}
	return f.err()
}

// Check returns an error if s can never work, as [Client.Check] does.
func (s *Secret) Check() error {
	f := faults{what: "secret", name: s.ID}
	f.secret("", *s)
	return f.err()
}

// Check returns an error if t can never work, as [Client.Check] does.
func (t *Token) Check() error {
	f := faults{what: "token", name: t.ID}
	f.required("ID", t.ID)
	f.required("Client", t.Client)
	f.digest("Digest", t.Digest)

	if t.Expires.IsZero() {
		f.add("Expires", "is zero, expected when the token expires")
	}
	return f.err()
}

// Check returns an error if s can never work, as [Client.Check] does.
func (s *Session) Check() error {
	f := faults{what: "session", name: s.ID}
	f.required("ID", s.ID)
	f.required("User", s.User)
	f.digest("Token", s.Token)

	if s.Ends.IsZero() || s.Expires.IsZero() {
		f.add("Expires or Ends", "is zero, expected when the session ends")
	}
	return f.err()
}

// Check returns an error if k can never work, as [Client.Check] does.
func (k *SigningKey) Check() error {
	f := faults{what: "signing key", name: k.ID}
	f.required("ID", k.ID)
	f.required("Set", k.Set)
	f.required("Alg", k.Alg)
	if len(k.Sealed) == 0 {
		f.add("Sealed", "is empty, expected the encrypted key")
	}
	return f.err()
}
