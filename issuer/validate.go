package issuer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer/internal/secret"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// Validate implements [middleware.Validator]. It accepts API keys, client IDs with
// their secrets, and access tokens of this issuer and audience. A credential of any
// other scheme is an internal error.
func (i *Issuer) Validate(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
	switch {
	case i.db == nil:
		return nil, errorsx.Fault(errors.New("issuer: the Issuer does not come from Open or New"))
	case i.closed.Load():
		return nil, errClosed
	}
	switch c.Scheme {
	case middleware.SchemeAPIKey:
		return i.validateAPIKey(ctx, c)
	case middleware.SchemeBasic:
		client, expires, err := i.authenticateClient(ctx, c)
		if err != nil {
			return nil, err
		}
		return &middleware.Identity{
			Issuer: i.url, Client: client.ID, Methods: middleware.ByBasic, Expires: expires,
			Scopes: middleware.Scopes(strings.Join(client.Scopes, " ")), Audience: middleware.Audience(i.cfg.Audience),
			ClientVersion: client.Version,
		}, nil
	case middleware.SchemeBearer:
		return i.validateToken(ctx, c)
	}
	return nil, errorsx.Fault(fmt.Errorf("issuer: a credential of scheme %q", c.Scheme))
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
		TokenID: t.ID, Family: t.Family, Audience: middleware.Audience(t.Audience), Expires: t.Expires,
		ClientVersion: t.ClientVersion,
	}, nil
}

// Offline implements [middleware.OfflineValidator]. It reports true for a signed token,
// unless the token names a key that may have to be read from the store. It also reports
// true for an opaque token or API key that the issuer refuses by its form, without
// asking the store.
func (i *Issuer) Offline(c middleware.Credential) bool {
	switch c.Scheme {
	case middleware.SchemeBearer:
		if signed(c.Secret) {
			return i.cfg.OpaqueTokens || i.signed.Offline(c)
		}
		return !i.wellFormed(c.Secret)
	case middleware.SchemeAPIKey:
		return i.mistypedKey(c.Secret)
	}
	return false
}

// wellFormed reports whether a token has the form of an opaque one of this issuer.
func (i *Issuer) wellFormed(token string) bool {
	return secret.WellFormed(i.refreshPrefix, token) || secret.WellFormed(i.accessPrefix, token)
}

// signed reports whether a token has the form of a JWT: it contains a dot, and an
// opaque token never does. A token is never tried as both kinds.
func signed(token string) bool { return strings.Contains(token, ".") }

func (i *Issuer) validateJWT(ctx context.Context, c middleware.Credential) (*middleware.Identity, *store.Token, error) {
	if i.cfg.OpaqueTokens {
		return nil, nil, errorsx.UnknownToken
	}
	id, err := i.signed.Validate(ctx, c)
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

// record returns the record that the store would have of a signed token.
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

// opaque returns the record of a refresh token or an opaque access token of this
// audience. The caller must check with checkToken that it is still valid.
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

// checkRevoked refuses a token that is known to be revoked. It refuses every token if
// the store could not be read for too long.
func (i *Issuer) checkRevoked(t *store.Token, now time.Time) error {
	switch dead, unsure := i.revocations.of(t); {
	case dead:
		return revoked(t)
	case i.revocations.isStale(now) && !(i.cfg.AllowStale && i.runs.Load() > 0):
		return i.errStale()
	case unsure:
		return errUnsure
	}
	return nil
}

// errStale returns the reason why tokens cannot be validated.
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

var (
	errRevoked = errors.New("issuer: the token is revoked")
	errUnsure  = errors.New("issuer: the version of a revoked client or user could not be read")
)

func revoked(t *store.Token) error {
	return &errorsx.Error{Code: errorsx.UnknownToken, Client: t.Client, Err: errRevoked}
}

// notFoundAs returns refusal if err is [store.ErrNotFound]. It wraps any other error
// with code.
func notFoundAs(refusal error, code errorsx.Code, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return refusal
	}
	return &errorsx.Error{Code: code, Err: err}
}

// unlessRefused returns nil if err refuses a credential. It returns err if it is an
// internal one or AUTH-13.
func unlessRefused(err error) error {
	if e := errorsx.From(err); !e.Code.IsServerError() && e.Code != errorsx.TooManyRequests {
		return nil
	}
	return err
}
