// Package jwtauth measures go-chi/jwtauth.
package jwtauth

import (
	"net/http"
	"testing"

	"github.com/go-chi/jwtauth/v5"
	"github.com/lestrrat-go/jwx/v2/jwt"

	"github.com/authtier/authtier/benchmarks/peers/bench"
)

// Handler verifies the tokens of s.
func Handler(_ testing.TB, s *bench.Signer) http.Handler {
	auth := jwtauth.New(s.Alg, nil, s.Public, jwt.WithIssuer(bench.IssuerURL), jwt.WithAudience(bench.Audience),
		jwt.WithRequiredClaim(jwt.ExpirationKey))
	scoped := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := r.Context().Value(jwtauth.TokenCtxKey).(jwt.Token)
		list, _ := token.Get("scope")
		if s, _ := list.(string); !bench.HasScope(s) {
			bench.Refuse(w)
			return
		}
		bench.Next.ServeHTTP(w, r)
	})
	return jwtauth.Verifier(auth)(jwtauth.Authenticator(auth)(scoped))
}
