package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const output = `date: 2026-01-02
go: go1.26
goos: linux
cpu: A Processor @ 2.10GHz
BenchmarkBearer/peer=go-oidc/alg=ES256/outcome=accept         	    1000	       300 ns/op	     384 B/op	       2 allocs/op
BenchmarkBearer/peer=go-oidc/alg=ES256/outcome=accept-2       	    1000	       150.5 ns/op	     384 B/op	       2 allocs/op
BenchmarkBearer/peer=go-oidc/alg=ES256/outcome=accept         	    1000	       100 ns/op	     384 B/op	       2 allocs/op
BenchmarkBearer/peer=go-oidc/alg=ES256/outcome=accept         	    1000	      9000 ns/op	     400 B/op	       3 allocs/op
BenchmarkChain/peer=copy-per-wrapper-2	 500	 7 ns/op	 0 B/op	 0 allocs/op
PASS
ok  	example.com/x	1.234s
`

func TestParse(t *testing.T) {
	rs, err := parse(strings.NewReader(output))
	if err != nil {
		t.Fatal(err)
	}
	const name = "Bearer/peer=go-oidc/alg=ES256/outcome=accept"
	for k, want := range map[key]result{
		{name, 1}:                          {300, 384, 2},
		{name, 2}:                          {150.5, 384, 2},
		{"Chain/peer=copy-per-wrapper", 2}: {7, 0, 0},
	} {
		if got := rs.median[k]; got != want {
			t.Errorf("%v: %v, want %v", k, got, want)
		}
	}
	if got, want := rs.rounds[key{name, 1}], (map[int]result{1: {300, 384, 2}, 2: {100, 384, 2}, 3: {9000, 400, 3}}); !maps.Equal(got, want) {
		t.Errorf("rounds %v, want one for each repetition", got)
	}
	if len(rs.order) != 3 || rs.order[0] != (key{name, 1}) {
		t.Errorf("order %v", rs.order)
	}
	if rs.config["cpu"] != "A Processor @ 2.10GHz" || rs.config["date"] != "2026-01-02" {
		t.Errorf("config %v", rs.config)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, in := range []string{"", "PASS\n", "BenchmarkX 10 1 ns/op 2\n", "BenchmarkX 10 fast ns/op\n", "BenchmarkX\n", output + "BenchmarkX --- FAIL: BenchmarkX\n",
		"round: one\n" + output, "round: 0\n" + output} {
		if _, err := parse(strings.NewReader(in)); err == nil {
			t.Errorf("%q is accepted", in)
		}
	}
}

// TestParties fails if a package has benchmarks but is not among the parties, or the
// reverse.
func TestParties(t *testing.T) {
	files, err := filepath.Glob("../*/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, name := range files {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(source), "\nfunc Benchmark") {
			found[filepath.Base(filepath.Dir(name))] = true
		}
	}
	if got, want := slices.Sorted(slices.Values(parties)), slices.Sorted(maps.Keys(found)); !slices.Equal(got, want) {
		t.Errorf("%v take turns, %v have benchmarks", got, want)
	}
}

// TestRatio has a machine that is ten times slower in the second round, and a
// benchmark that warms up in that and is disturbed in the third. The ratio of the
// medians would be 5.
func TestRatio(t *testing.T) {
	rs, err := parse(strings.NewReader(`round: 1
BenchmarkX/peer=a 100 10 ns/op
BenchmarkX/peer=b 100 20 ns/op
round: 2
BenchmarkX/peer=a 100 900 ns/op
BenchmarkX/peer=a 100 100 ns/op
BenchmarkX/peer=b 100 200 ns/op
BenchmarkX/peer=c 100 50 ns/op
round: 3
BenchmarkX/peer=a 100 200 ns/op
BenchmarkX/peer=b 100 10 ns/op
`))
	if err != nil {
		t.Fatal(err)
	}
	a := one("X/peer=a")
	for peer, want := range map[string]float64{"X/peer=b": 0.5, "X/peer=c": 2, "X/peer=d": 0} {
		if got := rs.ratio(a, one(peer)); got != want {
			t.Errorf("%s: %v, want %v", peer, got, want)
		}
	}
	if _, ok := rs.config["round"]; ok || rs.median[a].ns != 100 {
		t.Errorf("config %v, median %v", rs.config, rs.median[a])
	}
}

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{5}, 5}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 100}, 3.5}} {
		if got := median(tt.values); got != tt.want {
			t.Errorf("median(%v) = %v, want %v", tt.values, got, tt.want)
		}
	}
}

func TestReached(t *testing.T) {
	ours := result{ns: 10, allocs: 2, bytes: 100}
	for _, tt := range []struct {
		limit limit
		want  string
	}{
		{limit{}, ""},
		{limit{ratio: 0.1, allocs: 2, bytes: 100}, "yes"},
		{limit{ratio: 0.09}, "**no**"},
		{limit{ratio: 1, allocs: 1}, "**no**"},
		{limit{ratio: 1, allocs: -1}, "**no**"},
		{limit{ns: 9}, "**no**"},
		{limit{ns: 10}, "yes"},
	} {
		if got := tt.limit.reached(ours, 0.1); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.limit, got, tt.want)
		}
	}
}

func TestWords(t *testing.T) {
	for ns, want := range map[float64]string{0: "", 7.5: "7.5 ns", 412: "412 ns", 999.7: "1 µs", 95_200: "95.2 µs", 63e6: "63 ms"} {
		if got := duration(ns); got != want {
			t.Errorf("duration(%v) = %q, want %q", ns, got, want)
		}
	}
	for r, want := range map[float64]string{3.456: "3.46", 1: "1", 0.0051: "0.0051", 0.00001: "1/100000"} {
		if got := ratio(r); got != want {
			t.Errorf("ratio(%v) = %q, want %q", r, got, want)
		}
	}
}
