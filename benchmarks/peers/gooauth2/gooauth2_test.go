package gooauth2

import (
	"net/http"
	"testing"

	"github.com/authtier/authtier/benchmarks/peers/bench"
)

func TestOpaque(t *testing.T)      { Opaque(t).Check(t) }
func BenchmarkOpaque(b *testing.B) { Opaque(b).Bench(b) }

var endpoint = bench.Endpoint{Name: "go-oauth2", Token: "opaque", Handler: func(tb testing.TB) http.Handler { return newSite(tb) }}

func TestTokenEndpoint(t *testing.T)      { endpoint.Checked(t) }
func BenchmarkTokenEndpoint(b *testing.B) { endpoint.Bench(b) }
