// Package auth0 measures auth0/go-jwt-middleware.
package auth0

import (
	"context"
	"errors"
	"net/http"
	"testing"

	jwtmiddleware "github.com/auth0/go-jwt-middleware/v2"
	"github.com/auth0/go-jwt-middleware/v2/validator"

	"github.com/authtier/authtier/benchmarks/peers/bench"
)

// claims are the checks that the library leaves to its caller.
type claims bench.Claims

func (c *claims) Validate(context.Context) error {
	if !bench.HasScope(c.Scope) {
		return errors.New("scope")
	}
	return nil
}

// Handler verifies the tokens of s.
func Handler(tb testing.TB, s *bench.Signer) http.Handler {
	tb.Helper()
	key := func(context.Context) (any, error) { return s.Public, nil }
	v, err := validator.New(key, validator.SignatureAlgorithm(s.Alg), bench.IssuerURL, []string{bench.Audience},
		validator.WithCustomClaims(func() validator.CustomClaims { return &claims{} }))
	bench.Must(tb, err)
	return jwtmiddleware.New(v.ValidateToken).CheckJWT(bench.Next)
}
