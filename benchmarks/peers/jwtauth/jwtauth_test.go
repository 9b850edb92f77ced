package jwtauth

import (
	"testing"

	"github.com/authtier/authtier/benchmarks/peers/bench"
)

var party = bench.JWT{Name: "jwtauth", Algs: bench.Algs, Handler: Handler}

func TestBearer(t *testing.T)      { party.Test(t) }
func BenchmarkBearer(b *testing.B) { party.Bench(b) }
