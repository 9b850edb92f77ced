package importing

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store"
)

// users imports users.
type users struct{ db backend.Store }

// A userRecord is a user, and which columns the file has.
type userRecord struct {
	store.User
	hasFirst, hasLast, hasLang, hasScopes bool
}

func (u *users) Close() error { return nil }

func (u *users) columns() columns {
	return columns{
		known:    []string{"login", "hash", "first", "last", "lang", "scopes"},
		required: []string{"login", "hash"},
	}
}

func (u *users) names(r *userRecord) []unique { return []unique{{'l', "login", r.Login}} }

// parse implements kind.
func (u *users) parse(f fields) (r userRecord, faults []fault) {
	r = userRecord{hasFirst: f.has("first"), hasLast: f.has("last"), hasLang: f.has("lang"), hasScopes: f.has("scopes")}
	r.Login, r.Password = strings.Clone(f.get("login")), strings.Clone(f.get("hash"))
	r.First, r.Last, r.Lang = strings.Clone(f.get("first")), strings.Clone(f.get("last")), strings.Clone(f.get("lang"))

	// Without scopes there is no limit: a user who may have no scope at all is useless.
	r.Scopes = scopesOf(f.get("scopes"))
	r.LimitScopes = len(r.Scopes) > 0
	if faults = faultsOf(r.Check()); len(faults) > 0 {
		return r, faults
	}

	// One comparison of a higher cost takes seconds of a whole core, and anyone can ask for
	// it with a login.
	if cost, err := bcrypt.Cost([]byte(r.Password)); err == nil && cost > issuer.MaxBcryptCost {
		return r, []fault{{"hash", fmt.Sprintf("its cost is %d, expected at most %d: import the user without a hash, and set a new password", cost, issuer.MaxBcryptCost)}}
	}
	return r, nil
}

// creatable implements kind. Users depend on no other records.
func (u *users) creatable(context.Context, []*entry[userRecord]) error { return nil }

// create implements kind.
func (u *users) create(ctx context.Context, batch []*entry[userRecord]) error {
	records := make([]store.User, len(batch))
	for i, e := range batch {
		records[i] = e.record.User
	}
	return u.db.CreateUsers(ctx, records...)
}

// compare implements kind.
func (u *users) compare(ctx context.Context, r *userRecord) (verdict, error) {
	stored, err := u.db.User(ctx, r.Login)
	if errors.Is(err, store.ErrNotFound) {
		return verdict{}, nil
	}
	if err != nil {
		return verdict{}, err
	}

	var names []string
	if r.hasFirst && stored.First != r.First {
		names = append(names, "first")
	}
	if r.hasLast && stored.Last != r.Last {
		names = append(names, "last")
	}
	if r.hasLang && stored.Lang != r.Lang {
		names = append(names, "lang")
	}
	if r.hasScopes && (stored.LimitScopes != r.LimitScopes || !sameScopes(stored.Scopes, r.Scopes)) {
		names = append(names, "scopes")
	}

	newer := stored.Password != r.Password
	if newer && !replaced(stored, r.Password) {
		names = append(names, "hash")
	}
	return verdict{stored: true, newer: newer, faults: differing("user", names...)}, nil
}

// replaced reports whether the stored hash may have replaced that of the file since the
// import: by a login, or because the user has a new password. Operators who resume an import while
// people log in want to keep both.
func replaced(stored *store.User, hash string) bool {
	// A new user has version 1. A new password raises it, and so does a revocation.
	return stored.Version > 1 || rehashed(stored.Password, hash)
}

// rehashed reports whether a login may have replaced the hash by the stored one: a login
// replaces bcrypt, and argon2id of other costs, by argon2id.
func rehashed(stored, hash string) bool {
	const argon2id = "$argon2id$"
	return hash != "" && strings.HasPrefix(stored, argon2id) && costs(stored) != costs(hash)
}

// costs returns the kind, version and costs of a hash in PHC form.
func costs(hash string) string {
	parts := strings.Split(hash, "$")
	return strings.Join(parts[:min(4, len(parts))], "$")
}

// refused implements kind.
func (u *users) refused(error) fault {
	return fault{"login", "the login is in use, expected another"}
}
