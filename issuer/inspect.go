package issuer

import (
	"context"
	"errors"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// InspectAccess returns the record of a valid access token. If the token is not valid,
// it returns the error with which [Issuer.Validate] refuses it. For a refresh token in
// the store this is [errorsx.WrongTokenType], even if it has expired.
func (i *Issuer) InspectAccess(ctx context.Context, token string) (*store.Token, error) {
	return i.inspect(ctx, token, func(refresh bool) bool { return !refresh })
}

// InspectRefresh is like [Issuer.InspectAccess] for a refresh token. For an access
// token it returns [errorsx.WrongTokenType].
func (i *Issuer) InspectRefresh(ctx context.Context, token string) (*store.Token, error) {
	return i.inspect(ctx, token, func(refresh bool) bool { return refresh })
}

// inspectAny is for the introspection endpoint, which accepts both types.
func (i *Issuer) inspectAny(ctx context.Context, token string) (*store.Token, error) {
	return i.inspect(ctx, token, func(bool) bool { return true })
}

func (i *Issuer) inspect(ctx context.Context, token string, expected func(refresh bool) bool) (*store.Token, error) {
	if i.closed.Load() {
		return nil, errClosed
	}

	if signed(token) {
		_, t, err := i.validateJWT(ctx, middleware.Credential{Scheme: middleware.SchemeBearer, Secret: token})
		// The error names the wrong type only for a genuine token.
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
