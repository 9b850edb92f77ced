package issuer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
	"github.com/authtier/authtier/store"
)

// RevokeToken revokes a token of this issuer, whichever client it belongs to.
//
// A refresh token is revoked with its whole family. It may be used or expired already,
// so that a user can still log out after the answer to a rotation was lost. A client's
// own access token is revoked with its family too, which are the tokens minted with it.
// A user's access token is revoked without its family (RFC 7009 section 2.1).
//
// The issuer remembers at most 10,000 revocations of unexpired tokens for each client.
// At the next one, it revokes all tokens of that client.
//
// RevokeToken returns [store.ErrNotFound] if token is not a token of this issuer: for
// example, if it is another issuer's or a token's ID, or was revoked before. It also
// returns it for a signed token that has expired. An expired opaque token can be revoked
// while the store still has it.
//
// Like all methods that revoke, RevokeToken goes on when ctx ends, because a revocation
// must take effect even if the connection that asked for it is gone. The store has five
// seconds.
func (i *Issuer) RevokeToken(ctx context.Context, token string) error {
	ctx, cancel := lasting(ctx)
	defer cancel()
	t, err := i.revocable(ctx, token)
	switch {
	case err == nil:
		err = i.revokeRecord(ctx, t)
	case unlessRefused(err) == nil:
		err = fmt.Errorf("%w: no live token of this issuer (%v)", store.ErrNotFound, err)
	}
	if err != nil {
		return fmt.Errorf("issuer: RevokeToken: %w", err)
	}
	return nil
}

// revocable returns the record of a token that can be revoked. An opaque token may be
// used or expired.
func (i *Issuer) revocable(ctx context.Context, token string) (*store.Token, error) {
	if signed(token) {
		return i.InspectAccess(ctx, token)
	}
	return i.opaque(ctx, token)
}

// revokeRecord revokes a token, or its family if it is a refresh token or a client's
// own.
func (i *Issuer) revokeRecord(ctx context.Context, t *store.Token) error {
	c := store.Change{Kind: store.KindToken, ID: t.ID, Until: t.Expires}
	if t.Refresh || t.User == "" {
		c = store.Change{Kind: store.KindFamily, ID: t.Family, Until: t.FamilyEnds}
	}
	return i.revokeFor(ctx, t.Client, c)
}

// RevokeClient revokes all access and refresh tokens of a client. When it returns, this
// issuer and the caches in front of it refuse them. Others on the same store do so
// within a second. Like [Issuer.RevokeToken], it goes on when ctx ends. It returns
// [store.ErrNotFound] if the client does not exist.
//
// Call it after you remove scopes from a client: an access token keeps its scopes until
// it expires.
//
// The client's secrets and API keys stay valid, and the client can get new tokens with
// them. To prevent that, disable the client ([store.Admin]), or revoke them with
// [Issuer.RevokeAPIKey] and [Issuer.RevokeSecret].
func (i *Issuer) RevokeClient(ctx context.Context, id string) error {
	ctx, cancel := lasting(ctx)
	defer cancel()
	err := ifMissing(i.db.Client(ctx, id))
	if err == nil {
		err = i.revoke(ctx, store.Change{Kind: store.KindClient, ID: id})
	}
	if err != nil {
		return fmt.Errorf("issuer: RevokeClient: %w", err)
	}
	return nil
}

// RevokeUser revokes all tokens and sessions of a user, and the API keys that the user
// owns. It takes effect as soon as RevokeClient does. The keys are deleted and can
// never be created again.
//
// RevokeUser returns [store.ErrNotFound] if the user does not exist. With
// [Config].Users, which may have deleted the user already, it does not: it revokes
// everything that belongs to that login.
//
// The user's password stays valid, and the user can log in again. To prevent that,
// disable the user or set another password ([store.Admin]). Tokens that a client got
// with an API key of the user are the client's own and stay valid.
func (i *Issuer) RevokeUser(ctx context.Context, login string) error {
	ctx, cancel := lasting(ctx)
	defer cancel()
	u, err := i.users.User(ctx, login)
	changes := []store.Change{{Kind: store.KindUser, ID: login}}
	// A table outside the store may find the user by several spellings of the login.
	if err == nil && u.Login != login {
		changes = append(changes, store.Change{Kind: store.KindUser, ID: u.Login})
	}

	if err = ifMissing(u, err); err == nil || i.ownUsers() {
		err = i.revoke(ctx, changes...)
	}
	if err != nil {
		return fmt.Errorf("issuer: RevokeUser: %w", err)
	}
	return nil
}

// ifMissing returns the error of a look-up if it is [store.ErrNotFound], and nil
// otherwise. A store that cannot be read may still be able to store a revocation.
func ifMissing[T any](_ T, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

// revokeTimeout is how long the store may take to revoke.
const revokeTimeout = 5 * time.Second

// lasting returns the context of a revocation. It does not end with ctx.
func lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
}

// RevokeAPIKey revokes the API key with the given ID. When it returns, this issuer and
// the caches in front of it refuse the key. Others on the same store do so within a
// second. Like [Issuer.RevokeToken], it goes on when ctx ends.
//
// RevokeAPIKey returns [store.ErrNotFound] if no key has that ID, for example because
// it was revoked before, or because id is the key itself.
func (i *Issuer) RevokeAPIKey(ctx context.Context, id string) error {
	ctx, cancel := lasting(ctx)
	defer cancel()
	db, err := i.rotator()
	if err == nil {
		err = ifMissing(db.APIKeyByID(ctx, id))
	}
	if err == nil {
		err = i.revoke(ctx, store.Change{Kind: store.KindAPIKey, ID: id})
	} else {
		// The store has no such key, but a cache may.
		i.sinks.Forget(middleware.Revocation{APIKeyID: id})
	}
	if err != nil {
		return fmt.Errorf("issuer: RevokeAPIKey: %w", err)
	}
	return nil
}

// RevokeSecret revokes one of a client's secrets, by its ID, as [Issuer.RevokeAPIKey]
// revokes a key. Tokens that the client got with it stay valid; to revoke them, call
// [Issuer.RevokeClient]. RevokeSecret returns [store.ErrNotFound] if there is no such
// client or secret.
func (i *Issuer) RevokeSecret(ctx context.Context, client, id string) error {
	ctx, cancel := lasting(ctx)
	defer cancel()
	db, err := i.rotator()
	if err == nil {
		err = db.DeleteSecret(ctx, client, id)
		i.sinks.Forget(middleware.Revocation{Client: client})
	}
	if err != nil {
		return fmt.Errorf("issuer: RevokeSecret: %w", err)
	}
	return nil
}

// RevokeSession revokes the session with the given ID, which is [store.Session].ID and
// the TokenID of the session's identities. It takes effect as soon as
// [Issuer.RevokeClient] does.
//
// An ID has 32 hexadecimal digits in lower case. For anything else, such as a session's
// token, RevokeSession returns [store.ErrNotFound]. An ID that no session has is not an
// error, because stores find sessions by their tokens only.
//
// The user's other sessions, tokens and password stay valid.
func (i *Issuer) RevokeSession(ctx context.Context, id string) error {
	if !isSessionID(id) {
		return fmt.Errorf("issuer: RevokeSession: %w: expected an ID of 32 hexadecimal digits", store.ErrNotFound)
	}
	if err := (sessions{i, idp.MaxLifetime}).Revoke(ctx, id); err != nil {
		return fmt.Errorf("issuer: RevokeSession: %w", err)
	}
	return nil
}

func isSessionID(id string) bool {
	for n := range len(id) {
		if c := id[n]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(id) == 32
}

// RevokeSigningKey ends a signing key at once, for example because it has leaked. When
// it returns, this issuer refuses the tokens that the key signed. Other nodes do so
// when they learn of it. If the key is the one that signs, a new key signs from now on.
// Caches of the key set may not know the new key for up to five minutes.
//
// RevokeSigningKey returns an error if the keys are not stored ([Config].KeyFile), and
// [store.ErrNotFound] if no stored key has that ID.
func (i *Issuer) RevokeSigningKey(ctx context.Context, kid string) error {
	if err := i.keys.Revoke(ctx, kid); err != nil {
		return fmt.Errorf("issuer: RevokeSigningKey: %w", err)
	}
	return i.follow(ctx)
}
