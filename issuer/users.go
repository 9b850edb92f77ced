package issuer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer/internal/password"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/throttle"
	"github.com/authtier/authtier/store"
)

// HashPassword returns the argon2id hash of a password in PHC form, for the Password of
// a store.User. It waits for its turn among all hashing of the process. If too many
// passwords wait, the error wraps errorsx.TooManyRequests. If ctx ends first, the error
// is its cause.
func HashPassword(ctx context.Context, plain string) (string, error) {
	return password.Hash(ctx, plain)
}

// AuthenticateUser returns the user that login and password in c authenticate. c.Scheme
// should be [middleware.SchemeBasic].
//
// It returns [errorsx.CredentialsIncorrect] for an unknown or disabled user, for a user
// without a password and for a wrong password, after the same amount of work. It
// returns [errorsx.TooManyRequests] if too many passwords wait to be hashed, or from
// the configured throttle, which counts by c.From().
//
// The work is the same as long as every hash is argon2id as [HashPassword] makes it, or
// bcrypt of at most [Config.BcryptCost]. A user whose imported hash costs more can be
// told from others by the response time. The first login replaces such a hash, if the
// users are a [store.Admin].
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

// tryUser checks the password. When its turn to hash comes, it asks the throttle again:
// a client that guesses with many requests at once has failed by then.
func (i *Issuer) tryUser(ctx context.Context, c middleware.Credential, attempt *throttle.Attempt) (*store.User, error) {
	user, err := i.User(ctx, c.Username)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, &errorsx.Error{Code: errorsx.CredentialStore, Err: err}
	}

	// Without a user, the password is compared with a hash that nothing matches, which
	// takes as long.
	hash := ""
	if user != nil && !user.Disabled {
		hash = user.Password
	}

	var ok bool
	var refused error
	err = password.Do(ctx, func() {
		if refused = attempt.Blocked(); refused == nil {
			ok = password.Matches(hash, c.Secret, i.cfg.BcryptCost)
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
	if password.Outdated(hash) {
		i.rehash(ctx, c.Username, hash, c.Secret)
	}
	return user, nil
}

// Passwords returns a validator of the users' logins and passwords, for Basic. Put it
// behind a [middleware.Cache], and the cache behind a [throttle.Throttle], because
// the issuer's own throttle does not apply here.
//
// The validator tells the cache when users change. With [Config].Users it learns only
// of [Issuer.RevokeUser]. The cache then needs an explicit TTL, for which a changed
// password may still be accepted.
func (i *Issuer) Passwords() middleware.Validator {
	i.mustExist("Passwords")
	return passwords{i}
}

type passwords struct{ issuer *Issuer }

// Validate implements [middleware.Validator].
func (p passwords) Validate(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
	i := p.issuer
	if c.Scheme != middleware.SchemeBasic {
		return nil, errorsx.Fault(fmt.Errorf("issuer: Passwords: a credential of scheme %q", c.Scheme))
	}
	user, err := i.tryUser(ctx, c, nil)
	if err != nil {
		return nil, err
	}
	return &middleware.Identity{
		Issuer: i.url, User: user.Login, Methods: middleware.ByBasic, Audience: middleware.Audience(i.cfg.Audience),
	}, nil
}

// Subscribe implements [middleware.Source].
func (p passwords) Subscribe(s middleware.Sink) (cancel func()) { return p.issuer.Subscribe(s) }

// Partial implements [middleware.PartialSource].
func (p passwords) Partial() bool { return p.issuer.ownUsers() }

// A rehasher is a store of users that can replace a hash by a better one of the same
// password, as [store.Admin] can.
type rehasher interface {
	Rehash(ctx context.Context, login, from, to string) error
}

// rehash replaces the password's hash by one as HashPassword makes it. A failure is
// logged and does not refuse the user, whose password was correct.
func (i *Issuer) rehash(ctx context.Context, login, from, password string) {
	users, ok := i.users.(rehasher)
	if !ok {
		return
	}

	// The login waits for this. If it takes too long, a later login does it.
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	to, err := HashPassword(ctx, password)
	if err == nil {
		err = users.Rehash(ctx, login, from, to)
	}

	// ErrNotFound means that the password has just changed.
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		i.logger().WarnContext(ctx, "authtier: an old password hash cannot be replaced", "issuer", i.url, "cause", err)
	}
}

// User returns a user from the configured users. Its Version is the one that the user's
// tokens and sessions must have. It belongs to the login in the record, even if the
// caller used another spelling. User returns [store.ErrNotFound] if there is no such
// user.
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
