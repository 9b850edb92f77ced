package issuer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// AuthenticateUser returns the user whose login and password c is, of
// [errorsx.SchemeBasic]. An unknown or disabled user, one without a password and a
// wrong password are all [errorsx.CredentialsIncorrect], after the same work.
// Hashing is bounded: with too many waiting the error is
// [errorsx.TooManyRequests], as it is from the configured throttle, which counts
// by c.From().
//
// The work is the same as long as all hashes are argon2id as [HashPassword] makes
// them, or bcrypt of at most [Config.BcryptCost]. A user whose imported hash costs
// more can be told from others, until the hash is replaced by one of these, which
// the first login does where the users are a [store.Admin].
func (i *Issuer) AuthenticateUser(ctx context.Context, c middleware.Credential) (user *store.User, err error) {
	if i.closed.Load() {
		return nil, errClosed
	}
	attempt, err := i.cfg.Throttle.Begin(c)
	if err != nil {
		return nil, err
	}
	defer func() { attempt.End(err) }()
	return i.tryUser(ctx, c, attempt)
}

// tryUser asks once more whether the attempt is blocked when it is its turn: who
// guesses with many requests at once has failed by then.
func (i *Issuer) tryUser(ctx context.Context, c middleware.Credential, attempt *middleware.Attempt) (*store.User, error) {
	user, err := i.User(ctx, c.Username)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, &errorsx.Error{Code: errorsx.CredentialStore, Err: err}
	}
	hash := ""
	if user != nil && !user.Disabled {
		hash = user.Password
	}
	var ok bool
	var refused error
	err = hashing.do(ctx, func() {
		if refused = attempt.Blocked(); refused == nil {
			ok = checkPassword(hash, c.Secret, i.cfg.BcryptCost)
		}
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errorsx.CredentialsIncorrect
	}
	if outdated(hash) {
		i.rehash(ctx, c.Username, hash, c.Secret)
	}
	return user, nil
}

// Passwords returns a validator of the users' logins and passwords, for Basic. It
// belongs behind a [middleware.Cache], and that behind a [middleware.Throttle]; the
// issuer's own throttle does not count here.
//
// The validator tells the cache of changes of the users. With [Config].Users it
// hears of none but those by [Issuer.RevokeUser], and the cache needs an explicit
// TTL: for so long a changed password may still be accepted.
func (i *Issuer) Passwords() middleware.Validator { return passwords{i} }

type passwords struct{ issuer *Issuer }

// Validate implements [middleware.Validator].
func (p passwords) Validate(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
	i := p.issuer
	if c.Scheme != errorsx.SchemeBasic {
		return nil, errorsx.Fault(fmt.Errorf("issuer: Passwords: a credential of scheme %q", c.Scheme))
	}
	user, err := i.tryUser(ctx, c, nil)
	if err != nil {
		return nil, err
	}
	return &middleware.Identity{
		Issuer: i.url, User: user.Login, Methods: middleware.ByBasic, Audience: middleware.Scopes(i.cfg.Audience),
	}, nil
}

// Subscribe implements [middleware.Source].
func (p passwords) Subscribe(s middleware.Sink) (cancel func()) { return p.issuer.Subscribe(s) }

// Partial implements [middleware.PartialSource].
func (p passwords) Partial() bool { return p.issuer.ownUsers() }

// A rehasher is a store of users that can take a better hash of the same
// password, as [store.Admin] can.
type rehasher interface {
	Rehash(ctx context.Context, login, from, to string) error
}

// rehash stores the password's hash as new ones are made. That it cannot be
// stored is no reason to refuse who has proven the password.
func (i *Issuer) rehash(ctx context.Context, login, from, password string) {
	users, ok := i.users.(rehasher)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second) // it can be done the next time
	defer cancel()
	to, err := HashPassword(ctx, password)
	if err == nil {
		err = users.Rehash(ctx, login, from, to)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) { // which is a password that has just changed
		i.logger().WarnContext(ctx, "authtier: an old password hash cannot be replaced", "issuer", i.url, "cause", err)
	}
}

// User returns a user, from the users that the issuer was configured with, at
// the version that the user's tokens and sessions must have: that of the login in
// the record, however it was spelt by the caller.
func (i *Issuer) User(ctx context.Context, login string) (*store.User, error) {
	if i.closed.Load() {
		return nil, errClosed
	}
	u, err := i.users.User(ctx, login)
	if err != nil {
		return nil, err
	}
	known := *u
	known.Version = i.revocations.version(store.KindUser, u.Login, u.Version)
	return &known, nil
}
