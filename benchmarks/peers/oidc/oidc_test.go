package oidc

import (
	"testing"

	"github.com/authtier/authtier/benchmarks/peers/bench"
)

// The library takes only public keys, and therefore not HS256, the first algorithm.
var party = bench.JWT{Name: "go-oidc", Algs: bench.Algs[1:], Handler: Handler}

func TestBearer(t *testing.T)      { party.Test(t) }
func BenchmarkBearer(b *testing.B) { party.Bench(b) }
