package issuer

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer/internal/secret"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// Validate implements [middleware.Validator] for all three schemes: API keys, client
// IDs with their secrets, and access tokens of this issuer and audience.
func (i *Issuer) Validate(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
	if i.closed.Load() {
		return nil, errClosed
	}
	switch c.Scheme {
	case errorsx.SchemeAPIKey:
		return i.validateAPIKey(ctx, c)
	case errorsx.SchemeBasic:
		client, expires, err := i.authenticateClient(ctx, c)
		if err != nil {
			return nil, err
		}
		return &middleware.Identity{
			Issuer: i.url, Client: client.ID, Methods: middleware.ByBasic, Expires: expires,
			Scopes: middleware.Scopes(strings.Join(client.Scopes, " ")), Audience: middleware.Scopes(i.cfg.Audience),
			ClientVersion: client.Version,
		}, nil
	case errorsx.SchemeBearer:
		return i.validateToken(ctx, c)
	}
	return nil, errorsx.Fault(fmt.Errorf("issuer: a credential of scheme %q", c.Scheme))
}

// authenticateClient returns the client whose ID and secret c is, and when the
// secret expires. Whatever is wrong, the work and the answer are the same.
func (i *Issuer) authenticateClient(ctx context.Context, c middleware.Credential) (*store.Client, time.Time, error) {
	digest := store.DigestOf(c.Secret)
	client, err := i.db.Client(ctx, c.Username)
	switch {
	case errors.Is(err, store.ErrNotFound):
		client = &store.Client{Secrets: make([]store.Secret, 1), Disabled: true}
	case err != nil:
		return nil, time.Time{}, &errorsx.Error{Code: errorsx.CredentialStore, Err: err}
	}
	match := -1
	for n, s := range client.Secrets {
		same := subtle.ConstantTimeCompare(digest[:], s.Digest[:]) == 1
		if same && (s.Expires.IsZero() || s.Expires.After(c.Now())) {
			match = n
		}
	}
	if match < 0 || client.Disabled {
		return nil, time.Time{}, errorsx.CredentialsIncorrect
	}
	i.uses.note(client.ID, client.Secrets[match].ID, c.Now())
	return client, client.Secrets[match].Expires, nil
}

func (i *Issuer) validateToken(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
	if signed(c.Secret) {
		id, t, err := i.validateJWT(ctx, c)
		if err != nil {
			return nil, err
		}
		id.Family, id.ClientVersion = t.Family, t.ClientVersion
		return id, nil
	}
	t, err := i.opaque(ctx, c.Secret)
	switch {
	case err != nil:
		return nil, err
	case t.Refresh:
		return nil, &errorsx.Error{Code: errorsx.WrongTokenType, Client: t.Client}
	}
	if err := i.checkToken(t, c.Now()); err != nil {
		return nil, err
	}
	return &middleware.Identity{
		Issuer: i.url, Client: t.Client, User: t.User, Scopes: middleware.Scopes(t.Scopes), Methods: middleware.ByToken,
		TokenID: t.ID, Family: t.Family, Audience: middleware.Scopes(t.Audience), Expires: t.Expires,
		ClientVersion: t.ClientVersion,
	}, nil
}

// Local implements [middleware.Local]: a signed token is judged without the store, unless
// it names a key that may be there, and so is what only looks like a token or key
// of ours.
func (i *Issuer) Local(c middleware.Credential) bool {
	switch c.Scheme {
	case errorsx.SchemeBearer:
		if signed(c.Secret) {
			local, ok := i.jwt.(middleware.Local)
			return i.cfg.OpaqueTokens || ok && local.Local(c)
		}
		return !i.wellFormed(c.Secret)
	case errorsx.SchemeAPIKey:
		return i.mistypedKey(c.Secret)
	}
	return false
}

// wellFormed reports whether a token looks like an opaque one of this issuer.
func (i *Issuer) wellFormed(token string) bool {
	return secret.WellFormed(i.refreshPrefix, token) || secret.WellFormed(i.accessPrefix, token)
}

// signed tells signed tokens from opaque ones, which hold no dot. There is no
// second try as the other kind.
func signed(token string) bool { return strings.Contains(token, ".") }

func (i *Issuer) validateJWT(ctx context.Context, c middleware.Credential) (*middleware.Identity, *store.Token, error) {
	if i.cfg.OpaqueTokens {
		return nil, nil, errorsx.UnknownToken
	}
	id, err := i.jwt.Validate(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	t, err := record(id)
	if err != nil {
		return nil, nil, &errorsx.Error{Code: errorsx.UnknownToken, Err: err}
	}
	if err := i.checkRevoked(t, c.Now()); err != nil {
		return nil, nil, err
	}
	return id, t, nil
}

// record returns what the store would say of a signed token, were it there.
func record(id *middleware.Identity) (*store.Token, error) {
	var c privateClaims
	if err := id.DecodeClaims(&c); err != nil {
		return nil, err
	}
	t := &store.Token{
		ID: id.TokenID, Family: c.Family, Client: id.Client, User: id.User,
		Audience: string(id.Audience), Scopes: string(id.Scopes),
		ClientVersion: c.ClientVersion, UserVersion: c.UserVersion,
		Issued: time.Unix(c.Issued, 0), Expires: id.Expires, FamilyEnds: id.Expires,
	}
	if c.FamilyEnds != 0 {
		t.FamilyEnds = time.Unix(c.FamilyEnds, 0)
	}
	return t, nil
}

// opaque finds a refresh token or an opaque access token of this audience.
// Whether it is still good is for checkToken.
func (i *Issuer) opaque(ctx context.Context, token string) (*store.Token, error) {
	if !i.wellFormed(token) {
		return nil, errorsx.UnknownToken
	}
	t, err := i.db.Token(ctx, store.DigestOf(token))
	if err != nil {
		return nil, notFoundAs(errorsx.UnknownToken, errorsx.Internal, err)
	}
	if t.Audience != i.cfg.Audience {
		return nil, errorsx.UnknownToken
	}
	return t, nil
}

// checkToken refuses a token that is expired, used or revoked.
func (i *Issuer) checkToken(t *store.Token, now time.Time) error {
	switch {
	case !t.Expires.After(now):
		return &errorsx.Error{Code: errorsx.TokenExpired, Client: t.Client}
	case t.Used:
		return revoked(t)
	}
	return i.checkRevoked(t, now)
}

// checkRevoked refuses a token that is known to be revoked, and any where that has
// not been heard of for too long.
func (i *Issuer) checkRevoked(t *store.Token, now time.Time) error {
	switch dead, unsure := i.revocations.of(t); {
	case dead:
		return revoked(t)
	case i.revocations.isStale(now) && !(i.cfg.AllowStale && i.runs.Load() > 0):
		return i.errStale()
	case unsure:
		return errors.New("issuer: the version of a revoked client or user could not be read")
	}
	return nil
}

// errStale says why tokens cannot be judged.
func (i *Issuer) errStale() error {
	why := "the store cannot be read"
	switch {
	case !i.ran.Load():
		why = "Run was never called"
	case i.runs.Load() == 0:
		why = "Run has ended, with its context"
	}
	return errors.New("issuer: revocations have not been heard of for too long: " + why)
}

var errRevoked = errors.New("issuer: the token is revoked")

func revoked(t *store.Token) error {
	return &errorsx.Error{Code: errorsx.UnknownToken, Client: t.Client, Err: errRevoked}
}

// InspectAccess returns what is known of an access token that is valid. Otherwise
// the error is the refusal that the token gets as a credential. A refresh token is
// [errorsx.WrongTokenType], also if it is expired or known to be revoked.
func (i *Issuer) InspectAccess(ctx context.Context, token string) (*store.Token, error) {
	return i.inspect(ctx, token, func(refresh bool) bool { return !refresh })
}

// InspectRefresh is [Issuer.InspectAccess] of a refresh token. An access token is
// [errorsx.WrongTokenType].
func (i *Issuer) InspectRefresh(ctx context.Context, token string) (*store.Token, error) {
	return i.inspect(ctx, token, func(refresh bool) bool { return refresh })
}

// inspectAny is for the introspection endpoint, which says of which type a token is.
func (i *Issuer) inspectAny(ctx context.Context, token string) (*store.Token, error) {
	return i.inspect(ctx, token, func(bool) bool { return true })
}

func (i *Issuer) inspect(ctx context.Context, token string, expected func(refresh bool) bool) (*store.Token, error) {
	if i.closed.Load() {
		return nil, errClosed
	}
	if signed(token) {
		_, t, err := i.validateJWT(ctx, middleware.Credential{Scheme: errorsx.SchemeBearer, Secret: token})
		ours := err == nil || errors.Is(err, errorsx.TokenExpired) || errors.Is(err, errRevoked)
		if ours && !expected(false) {
			return nil, errorsx.WrongTokenType
		}
		return t, err
	}
	t, err := i.opaque(ctx, token)
	if err != nil {
		return nil, err
	}
	if !expected(t.Refresh) {
		return nil, &errorsx.Error{Code: errorsx.WrongTokenType, Client: t.Client}
	}
	if err := i.checkToken(t, time.Now()); err != nil {
		return nil, err
	}
	return t, nil
}

// notFoundAs returns refusal for a record that does not exist, and a failure of
// ours with that code for any other error.
func notFoundAs(refusal error, code errorsx.Code, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return refusal
	}
	return &errorsx.Error{Code: code, Err: err}
}

// unlessRefused returns err if it is a failure of ours, and nil if it refuses.
func unlessRefused(err error) error {
	if e := errorsx.From(err); !e.Code.Ours() && e.Code != errorsx.TooManyRequests {
		return nil
	}
	return err
}
