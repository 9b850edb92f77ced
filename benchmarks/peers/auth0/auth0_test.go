package auth0

import (
	"testing"

	"github.com/authtier/authtier/benchmarks/peers/bench"
)

var party = bench.JWT{Name: "go-jwt-middleware", Algs: bench.Algs, Handler: Handler}

func TestBearer(t *testing.T)      { party.Test(t) }
func BenchmarkBearer(b *testing.B) { party.Bench(b) }
