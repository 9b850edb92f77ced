package gohttpauth

import (
	"testing"

	"github.com/authtier/authtier/benchmarks/peers/bench"
)

func party(tb testing.TB) bench.Party { return bench.Party{Name: "go-http-auth", Handler: Handler(tb)} }

func TestBasic(t *testing.T)      { party(t).CheckBasic(t) }
func BenchmarkBasic(b *testing.B) { party(b).BenchBasic(b) }
