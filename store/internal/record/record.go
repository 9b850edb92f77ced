package record

import (
	"fmt"
	"slices"

	"github.com/authtier/authtier/store"
)

// maxLimit is how many records a List method returns at most.
const maxLimit = 1000

// CheckLimit returns an error if a List method may not have that limit.
func CheckLimit(limit int) error {
	if limit < 1 || limit > maxLimit {
		return fmt.Errorf("store: the limit is %d, expected from 1 to %d", limit, maxLimit)
	}
	return nil
}

// Error says which record an error is about.
func Error(what, name string, err error) error {
	return fmt.Errorf("the %s %.64q: %w", what, name, err)
}

// CheckAPIKeys returns the first error of the keys' Check methods, or an error
// wrapping [store.ErrExists] if two keys have the same ID or digest.
func CheckAPIKeys(ks []store.APIKey) error {
	ids, digests := make(map[string]bool, len(ks)), make(map[store.Digest]bool, len(ks))
	for _, k := range ks {
		if err := k.Check(); err != nil {
			return err
		}
		if ids[k.ID] || digests[k.Digest] {
			return Error("API key", k.ID, store.ErrExists)
		}
		ids[k.ID], digests[k.Digest] = true, true
	}
	return nil
}

// CheckUsers returns the first error of the users' Check methods, or an error
// wrapping [store.ErrExists] if two users have the same login.
func CheckUsers(us []store.User) error {
	logins := make(map[string]bool, len(us))
	for _, u := range us {
		if err := u.Check(); err != nil {
			return err
		}
		if logins[u.Login] {
			return Error("user", u.Login, store.ErrExists)
		}
		logins[u.Login] = true
	}
	return nil
}

// CheckTokens returns the first error of the tokens' Check methods.
func CheckTokens(ts []store.Token) error {
	for i := range ts {
		if err := ts[i].Check(); err != nil {
			return err
		}
	}
	return nil
}

// CheckSigningKeys returns the first error of the keys' Check methods.
func CheckSigningKeys(ks []store.SigningKey) error {
	for i := range ks {
		if err := ks[i].Check(); err != nil {
			return err
		}
	}
	return nil
}

// UnshareClient gives c slices of its own. The lists of strings share one array, of
// which each has a part without room to grow: appending to one list does not change
// the next.
func UnshareClient(c *store.Client) {
	c.Secrets = slices.Clone(c.Secrets)
	all := make([]string, 0, len(c.Scopes)+len(c.Default)+len(c.Grants))
	for _, list := range []*[]string{&c.Scopes, &c.Default, &c.Grants} {
		if from := len(all); *list != nil {
			all = append(all, *list...)
			*list = all[from:len(all):len(all)]
		}
	}
}

// UnshareUser gives u slices of its own.
func UnshareUser(u *store.User) { u.Scopes = slices.Clone(u.Scopes) }

// UnshareAPIKey gives k slices of its own.
func UnshareAPIKey(k *store.APIKey) {
	k.Scopes, k.Addrs = slices.Clone(k.Scopes), slices.Clone(k.Addrs)
}

// SameClient reports whether a and b are equal but for the last use of secrets.
func SameClient(a, b *store.Client) bool {
	return a.ID == b.ID && a.Disabled == b.Disabled && a.Version == b.Version &&
		slices.EqualFunc(a.Secrets, b.Secrets, sameSecret) && slices.Equal(a.Scopes, b.Scopes) &&
		slices.Equal(a.Default, b.Default) && slices.Equal(a.Grants, b.Grants)
}

func sameSecret(a, b store.Secret) bool {
	return a.ID == b.ID && a.Digest == b.Digest && a.Created.Equal(b.Created) && a.Expires.Equal(b.Expires)
}

// SameUser reports whether a and b are equal.
func SameUser(a, b *store.User) bool {
	return a.Login == b.Login && a.Password == b.Password && a.First == b.First && a.Last == b.Last && a.Lang == b.Lang &&
		slices.Equal(a.Scopes, b.Scopes) && a.LimitScopes == b.LimitScopes && a.Disabled == b.Disabled && a.Version == b.Version
}

// SameAPIKey reports whether a and b are equal but for the last use.
func SameAPIKey(a, b *store.APIKey) bool {
	return a.ID == b.ID && a.Name == b.Name && a.Client == b.Client && a.Digest == b.Digest && a.Owner == b.Owner &&
		slices.Equal(a.Scopes, b.Scopes) && slices.Equal(a.Addrs, b.Addrs) &&
		a.Created.Equal(b.Created) && a.Expires.Equal(b.Expires)
}
