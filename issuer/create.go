package issuer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authtier/authtier/issuer/internal/secret"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// CreateClient stores a new client with a new secret and returns the secret. The secret
// cannot be read again later. It never expires.
//
// c.Secrets must be empty. To store a client with imported secrets or without any, call
// the store's CreateClient ([ImportSecret], [store.Admin]). The store chooses the
// version.
//
// CreateClient returns [store.ErrExists] if a client with that ID exists, so that a
// program may create its clients at every start. The secret is empty unless the error
// is nil.
func (i *Issuer) CreateClient(ctx context.Context, c store.Client) (string, error) {
	plain, err := i.createClient(ctx, c)
	if err != nil {
		return "", fmt.Errorf("issuer: CreateClient: %w", err)
	}
	return plain, nil
}

func (i *Issuer) createClient(ctx context.Context, c store.Client) (string, error) {
	db, err := i.admin()
	if err != nil {
		return "", err
	}
	if len(c.Secrets) > 0 {
		return "", errors.New("the client has Secrets, expected none: CreateClient makes the secret")
	}
	plain, record := i.newSecret()
	c.Secrets = []store.Secret{record}
	return plain, db.CreateClient(ctx, c)
}

// CreateAPIKey stores a new API key for k.Client and returns it. The key has the form
// prefix_id_secret, with a checksum. It cannot be read again later. Its ID, which is the
// part of 12 characters between the last two underscores, may be shown and logged.
//
// CreateAPIKey sets ID, Digest and Created, which must be empty. If Expires is zero,
// the key never expires. If Owner is not empty, that user must exist.
//
// A route that requires a scope refuses a key without scopes. With
// [Config].BehindAPIKey, a key with scopes gets tokens for these scopes only, and a key
// without scopes gets tokens for any scope of its client.
//
// CreateAPIKey returns [store.ErrNotFound] if the client or the owner does not exist.
// The key is empty unless the error is nil.
func (i *Issuer) CreateAPIKey(ctx context.Context, k store.APIKey) (string, error) {
	plain, err := i.createAPIKey(ctx, k)
	if err != nil {
		return "", fmt.Errorf("issuer: CreateAPIKey: %w", err)
	}
	return plain, nil
}

func (i *Issuer) createAPIKey(ctx context.Context, k store.APIKey) (string, error) {
	db, err := i.admin()
	if err != nil {
		return "", err
	}
	if k.ID != "" || k.Digest != (store.Digest{}) || !k.Created.IsZero() {
		return "", errors.New("ID, Digest or Created is set, expected none of them: CreateAPIKey fills them in")
	}

	if k.Owner != "" {
		owner, err := i.User(ctx, k.Owner)
		if err != nil {
			return "", fmt.Errorf("the owner %q: %w", k.Owner, err)
		}
		k.Owner = owner.Login // in the spelling of the record
	}

	plain, record := i.newAPIKey()
	k.ID, k.Digest, k.Created = record.ID, record.Digest, record.Created
	return plain, db.CreateAPIKeys(ctx, k)
}

// CreateUser stores a new user with a hash of the password. u.Password must be empty.
// To store a user without a password, or with a hash from another system, call the
// store's CreateUsers.
//
// CreateUser returns [store.ErrExists] if the login exists, and an error if the users
// are not in the store ([Config].Users). Hashing may have to wait or fail, as in
// [HashPassword].
func (i *Issuer) CreateUser(ctx context.Context, u store.User, password string) error {
	err := i.createUser(ctx, u, password)
	if err != nil {
		return fmt.Errorf("issuer: CreateUser: %w", err)
	}
	return nil
}

func (i *Issuer) createUser(ctx context.Context, u store.User, password string) error {
	db, err := i.userAdmin()
	if err != nil {
		return err
	}
	if u.Password != "" {
		return errors.New("the user has a Password, expected none: CreateUser stores the hash of the password that it is given")
	}
	if u.Password, err = hashNew(ctx, password); err != nil {
		return err
	}
	return db.CreateUsers(ctx, u)
}

// SetPassword changes a user's password and revokes the user's tokens and sessions.
// When it returns, this issuer and the caches in front of it refuse them. Other issuers
// on the same store do so within a second.
//
// SetPassword returns [store.ErrNotFound] if the user does not exist. Like CreateUser,
// it returns an error if the users are not in the store.
func (i *Issuer) SetPassword(ctx context.Context, login, password string) error {
	if err := i.setPassword(ctx, login, password); err != nil {
		return fmt.Errorf("issuer: SetPassword: %w", err)
	}
	return nil
}

func (i *Issuer) setPassword(ctx context.Context, login, password string) error {
	db, err := i.userAdmin()
	if err != nil {
		return err
	}
	hash, err := hashNew(ctx, password)
	if err != nil {
		return err
	}

	// From here on the change must take effect, even if the caller has gone.
	ctx, cancel := lasting(ctx)
	defer cancel()
	err = db.SetPassword(ctx, login, hash)
	if errors.Is(err, store.ErrNotFound) {
		return err
	}

	// After any other error the store may have changed the password and raised the
	// version of the user. Until it is read, old tokens cannot be told from new ones.
	i.revocations.doubt([]store.Change{{Kind: store.KindUser, ID: login}})
	i.sinks.Forget(middleware.Revocation{User: login})
	if err != nil {
		return err
	}
	return i.follow(ctx)
}

func hashNew(ctx context.Context, password string) (string, error) {
	if password == "" {
		return "", errors.New("the password is empty")
	}
	return HashPassword(ctx, password)
}

// admin returns the store, if it can create records.
func (i *Issuer) admin() (store.Admin, error) {
	if i.closed.Load() {
		return nil, errClosed
	}
	if db, ok := i.db.(store.Admin); ok {
		return db, nil
	}
	return nil, fmt.Errorf("the store, a %T, is not a store.Admin", i.db)
}

// userAdmin returns the store, if the users are in it.
func (i *Issuer) userAdmin() (store.Admin, error) {
	if i.ownUsers() {
		return nil, errors.New("the users are in the program's own table, so only the program can change them")
	}
	return i.admin()
}

// newAPIKey returns a new API key and its record with ID, Digest and Created.
func (i *Issuer) newAPIKey() (string, store.APIKey) {
	id, plain := secret.GenerateWithID(i.keyPrefix)
	return plain, store.APIKey{ID: id, Digest: store.DigestOf(plain), Created: created()}
}

// newSecret returns a new client secret and its record. The secret has the form of an
// API key. Form-encoding does not change its characters (RFC 6749 section 2.3.1).
func (i *Issuer) newSecret() (string, store.Secret) {
	id, plain := secret.GenerateWithID(i.secretPrefix)
	return plain, store.Secret{ID: id, Digest: store.DigestOf(plain), Created: created()}
}

// created returns the current time, at the precision that every store keeps.
func created() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
