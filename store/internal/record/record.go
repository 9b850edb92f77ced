package record

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/authtier/authtier/store"
)

// maxLimit is the greatest number of records that a List method returns.
const maxLimit = 1000

// CheckLimit returns an error if limit is out of the range of a List method.
func CheckLimit(limit int) error {
	if limit < 1 || limit > maxLimit {
		return fmt.Errorf("store: the limit is %d, expected from 1 to %d", limit, maxLimit)
	}
	return nil
}

// maxBatch is the greatest number of records that one call creates. Revocations wait
// until the call is done; the limit keeps that time below their own timeout.
const maxBatch = 10_000

func checkBatch(n int) error {
	if n > maxBatch {
		return fmt.Errorf("store: %d records in one call, expected at most %d", n, maxBatch)
	}
	return nil
}

// Error returns err with the type and the name of the record at fault.
func Error(what, name string, err error) error {
	return fmt.Errorf("the %s %.64q: %w", what, name, err)
}

// CheckClient returns an error if c cannot be created. If the client exists, the error
// wraps [store.ErrExists], even if Check fails for another reason. A program can therefore create
// its clients at every start, even when one of their secrets has expired since.
func CheckClient(ctx context.Context, c *store.Client, db store.Clients) error {
	err := c.Check()
	if err == nil {
		return nil
	}
	if _, missing := db.Client(ctx, c.ID); missing == nil {
		return Error("client", c.ID, store.ErrExists)
	}
	return err
}

// CheckAPIKeys returns the first error of the keys' Check methods. It returns an error
// wrapping [store.ErrExists] if two keys have the same ID or digest, or if Check fails
// for a key whose ID exists, for the reason given at [CheckClient].
func CheckAPIKeys(ctx context.Context, ks []store.APIKey, db store.Lister) error {
	if err := checkBatch(len(ks)); err != nil {
		return err
	}

	ids, digests := make(map[string]bool, len(ks)), make(map[store.Digest]bool, len(ks))
	for _, k := range ks {
		if err := k.Check(); err != nil {
			if _, missing := db.APIKeyByID(ctx, k.ID); missing == nil {
				return Error("API key", k.ID, store.ErrExists)
			}
			return err
		}

		// The stores compare keys with stored ones, not with others of the call.
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
	if err := checkBatch(len(us)); err != nil {
		return err
	}

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

// CheckScopes returns an error that names a scope of k that neither its client nor the
// key before has. before may be nil.
func CheckScopes(k *store.APIKey, client []string, before *store.APIKey) error {
	for _, scope := range k.Scopes {
		if !slices.Contains(client, scope) && (before == nil || !slices.Contains(before.Scopes, scope)) {
			return ScopeError(k.ID, scope)
		}
	}
	return nil
}

// ScopeError returns the error for a scope of an API key that its client lacks.
func ScopeError(id, scope string) error {
	return fmt.Errorf("store: the API key %.64q: Scopes has %.64q, which its client lacks", id, scope)
}

// CheckReplace returns an error if the key next cannot replace another one.
func CheckReplace(until time.Time, next *store.APIKey) error { return orUntil(next.Check(), until) }

// CheckReplaceSecrets returns an error if s cannot replace other secrets.
func CheckReplaceSecrets(until time.Time, s *store.Secret) error { return orUntil(s.Check(), until) }

// orUntil returns err, or an error if until is zero. A zero until could mean at once or
// never, and the wrong guess would be the opposite of the caller's intention.
func orUntil(err error, until time.Time) error {
	if err == nil && until.IsZero() {
		err = errors.New("store: until is zero, expected when what is replaced expires: time.Now() for at once")
	}
	return err
}

// CheckRehash returns an error if hash is empty or not a password hash.
func CheckRehash(hash string) error {
	if hash == "" {
		return errors.New("store: the password: the new hash is empty")
	}
	return store.CheckPasswordHash(hash)
}

// CheckChanges returns the first error of the changes' Check methods.
func CheckChanges(cs []store.Change) error {
	for i := range cs {
		if err := cs[i].Check(); err != nil {
			return err
		}
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

// UnshareClient gives c slices of its own. The lists of strings share one array. Each
// list has no spare capacity, so that appending to it does not change the next one.
func UnshareClient(c *store.Client) {
	c.Secrets = slices.Clone(c.Secrets)

	// A client is copied on each read. One array for three lists saves allocations.
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

// SameClient reports whether a and b are equal in everything but LastUsed of secrets.
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

// SameAPIKey reports whether a and b are equal in everything but LastUsed.
func SameAPIKey(a, b *store.APIKey) bool {
	return a.ID == b.ID && a.Name == b.Name && a.Client == b.Client && a.Digest == b.Digest && a.Owner == b.Owner &&
		slices.Equal(a.Scopes, b.Scopes) && slices.Equal(a.Addrs, b.Addrs) &&
		a.Created.Equal(b.Created) && a.Expires.Equal(b.Expires)
}
