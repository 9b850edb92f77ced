package issuer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authtier/authtier/issuer/internal/secret"
	"github.com/authtier/authtier/store"
)

// CreateClient stores a new client with a secret, which it returns. The secret can
// be shown but once. It never expires.
//
// c.Secrets must be empty: with secrets that were made elsewhere, or without any,
// the store's CreateClient stores a client ([ImportSecret], [store.Admin]). The
// store chooses the version.
//
// The error is [store.ErrExists] if there is a client of that ID, so that a program
// may create its clients at every start. The secret is empty unless the error is
// nil.
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

// CreateAPIKey stores a new API key for k.Client and returns it. The key is
// prefix_id_secret with a checksum, and can be shown but once. Its ID may be shown
// and logged.
//
// CreateAPIKey fills ID, Digest and Created, which must be empty. A zero Expires
// means never. The owner, if there is one, must exist.
//
// A key with scopes gets tokens for no others. A key without scopes passes no route
// that demands one, and does not limit what its client may ask for at an endpoint
// behind the key: an empty list gives the key all scopes of its client there.
//
// The error is [store.ErrNotFound] if there is no such client or owner. The key is
// empty unless the error is nil.
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
		k.Owner = owner.Login // however the caller has spelt it
	}
	plain, record := i.newAPIKey()
	k.ID, k.Digest, k.Created = record.ID, record.Digest, record.Created
	return plain, db.CreateAPIKeys(ctx, k)
}

// CreateUser stores a new user who logs in with the password, which is stored as a
// hash alone. u.Password must be empty. A user who has no password, or the hash of
// another system, is for the store's CreateUsers.
//
// The error is [store.ErrExists] if there is a user of that login. It waits its turn
// to hash, see [HashPassword]. With [Config].Users, which are not in the store, it
// is an error.
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

// SetPassword gives a user another password. The user's tokens and sessions end:
// they are refused here and by the caches in front when SetPassword returns, and by
// others on the same store within a second.
//
// The error is [store.ErrNotFound] if there is no such user. With [Config].Users it
// is an error, as CreateUser is.
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
	ctx, cancel := lasting(ctx)
	defer cancel()
	if err := db.SetPassword(ctx, login, hash); err != nil {
		return err
	}

	// The store tells nobody which version the user has now, until it is read.
	i.revocations.doubt([]store.Change{{Kind: store.KindUser, ID: login}})
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
	return nil, fmt.Errorf("the store, a %T, is no store.Admin", i.db)
}

// userAdmin returns the store, if the users are in it.
func (i *Issuer) userAdmin() (store.Admin, error) {
	if i.ownUsers() {
		return nil, errors.New("the users are in a table of the program's own, which alone can change them")
	}
	return i.admin()
}

// newAPIKey returns a new API key, and the record of it with ID, Digest and Created.
func (i *Issuer) newAPIKey() (string, store.APIKey) {
	id, plain := secret.GenerateWithID(i.keyPrefix)
	return plain, store.APIKey{ID: id, Digest: store.DigestOf(plain), Created: created()}
}

// newSecret returns a new secret for a client and the record of it. The secret has
// the form of an API key, in characters that are the same form-encoded (RFC 6749
// section 2.3.1).
func (i *Issuer) newSecret() (string, store.Secret) {
	id, plain := secret.GenerateWithID(i.secretPrefix)
	return plain, store.Secret{ID: id, Digest: store.DigestOf(plain), Created: created()}
}

// created is now, as exactly as every store keeps it.
func created() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
