// Package jwx measures lestrrat-go/jwx.
package jwx

import (
	"net/http"
	"testing"

	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/authtier/authtier/benchmarks/peers/bench"
)

// Handler verifies the tokens of s.
func Handler(tb testing.TB, s *bench.Signer) http.Handler {
	tb.Helper()
	set, err := jwk.Parse(s.JWKS(tb))
	bench.Must(tb, err)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, ok := bench.BearerToken(r)
		if !ok {
			bench.Refuse(w)
			return
		}
		token, err := jwt.ParseString(raw, jwt.WithKeySet(set), jwt.WithIssuer(bench.IssuerURL),
			jwt.WithAudience(bench.Audience), jwt.WithRequiredClaim(jwt.ExpirationKey))
		var list string
		if err != nil || token.Get("scope", &list) != nil || !bench.HasScope(list) {
			bench.Refuse(w)
			return
		}
		bench.Admit(w, r, token)
	})
}
