package benchmarks

import (
	"testing"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
)

// BenchmarkValidate measures a cache miss: checks of the signature, of the claims and of
// the known revocations.
func BenchmarkValidate(b *testing.B) {
	for _, alg := range []string{"HS256", "RS256", "ES256", "EdDSA"} {
		s := newSite(b, issuer.Config{}, alg, 16)
		c := middleware.Credential{Scheme: middleware.SchemeBearer, Secret: s.tokens(b, 1)[0]}
		b.Run("token="+alg, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.iss.Validate(b.Context(), c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
