// Package keyfunc measures golang-jwt with the keys of MicahParks/keyfunc.
package keyfunc

import (
	"net/http"
	"testing"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/authtier/authtier/benchmarks/peers/bench"
)

type accessClaims struct {
	jwt.RegisteredClaims
	bench.Claims
}

// Handler verifies the tokens of s.
func Handler(tb testing.TB, s *bench.Signer) http.Handler {
	tb.Helper()
	keys, err := keyfunc.NewJWKSetJSON(s.JWKS(tb))
	bench.Must(tb, err)
	parser := jwt.NewParser(jwt.WithValidMethods([]string{s.Alg}), jwt.WithIssuer(bench.IssuerURL),
		jwt.WithAudience(bench.Audience), jwt.WithExpirationRequired())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := bench.BearerToken(r)
		if !ok {
			bench.Refuse(w)
			return
		}
		c := &accessClaims{}
		if _, err := parser.ParseWithClaims(token, c, keys.Keyfunc); err != nil || !bench.HasScope(c.Scope) {
			bench.Refuse(w)
			return
		}
		bench.Admit(w, r, c)
	})
}
