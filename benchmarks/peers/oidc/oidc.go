// Package oidc measures coreos/go-oidc.
package oidc

import (
	"crypto"
	"net/http"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/authtier/authtier/benchmarks/peers/bench"
)

// Handler verifies the tokens of s.
func Handler(_ testing.TB, s *bench.Signer) http.Handler {
	keys := &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{s.Public}}
	v := oidc.NewVerifier(bench.IssuerURL, keys, &oidc.Config{ClientID: bench.Audience, SupportedSigningAlgs: []string{s.Alg}})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, ok := bench.BearerToken(r)
		if !ok {
			bench.Refuse(w)
			return
		}
		token, err := v.Verify(r.Context(), raw)
		c := &bench.Claims{}
		if err != nil || token.Claims(c) != nil || !bench.HasScope(c.Scope) {
			bench.Refuse(w)
			return
		}
		bench.Admit(w, r, c)
	})
}
