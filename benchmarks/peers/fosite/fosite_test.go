package fosite

import (
	"net/http"
	"testing"

	"github.com/authtier/authtier/benchmarks/peers/bench"
)

func TestOpaque(t *testing.T)      { Opaque(t).Check(t) }
func BenchmarkOpaque(b *testing.B) { Opaque(b).Bench(b) }

var tokens = []string{"opaque", "ES256", "RS256"}

func endpoint(token string) bench.Endpoint {
	return bench.Endpoint{Name: "fosite", Token: token, Handler: func(tb testing.TB) http.Handler { return newSite(tb, token) }}
}

func TestTokenEndpoint(t *testing.T) {
	for _, token := range tokens {
		endpoint(token).Checked(t)
	}
}

func BenchmarkTokenEndpoint(b *testing.B) {
	for _, token := range tokens {
		endpoint(token).Bench(b)
	}
}
