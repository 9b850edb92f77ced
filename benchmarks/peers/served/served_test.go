// Package served compares whole servers. They share a process, in which they take turns.
package served

import (
	"cmp"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/benchmarks/load/drive"
	"github.com/authtier/authtier/benchmarks/peers/bench"
	"github.com/authtier/authtier/benchmarks/peers/fosite"
	"github.com/authtier/authtier/benchmarks/peers/keyfunc"
	"github.com/authtier/authtier/benchmarks/peers/ours"
)

// served is a handler on a real server, with requests that it accepts.
type served struct {
	name     string
	handler  http.Handler
	requests [][]byte
	perSec   []float64
	p50, p99 []float64
}

// TestServed measures whole servers, ours and those of two peers, in rounds that
// take turns. It runs for AUTHTIER_LOAD, a duration for each round, or a moment:
//
//	AUTHTIER_LOAD=1s go -C benchmarks/peers test -run TestServed -count 1 ./served
//
// and then writes benchmarks/results/load-peers.md.
func TestServed(t *testing.T) {
	round, rounds := 20*time.Millisecond, 1
	if long, err := time.ParseDuration(os.Getenv("AUTHTIER_LOAD")); err == nil {
		round, rounds = long, 15
	}
	all := servers(t)
	for range rounds {
		for _, s := range all {
			s.run(t, round)
		}
	}
	table := servedTable(all, round, rounds)
	t.Log("\n" + table)
	if rounds > 1 {
		bench.Must(t, os.WriteFile("../../results/load-peers.md", []byte(table), 0o644))
	}
}

// servers returns the servers that are measured. The first checks nothing and sends the
// same headers as our chain.
func servers(t *testing.T) []*served {
	answer := bench.Next
	t.Cleanup(func() { bench.Next = answer })
	bench.Next = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("hello\n")) })
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Vary"], h["Cache-Control"] = []string{"X-API-KEY"}, []string{"private"}
		bench.Next.ServeHTTP(w, r)
	})
	site, signer, introspected := ours.NewSite(t, "ES256"), bench.NewSigner("ES256"), fosite.Opaque(t)
	token := site.Token(t, bench.Scope)
	chain := [][]byte{drive.Get("/user/profile", "X-API-KEY", site.Key, "Authorization", "Bearer "+token)}
	jwt := [][]byte{drive.Get("/user/profile", "Authorization", "Bearer "+signer.Token(t, nil))}
	opaque := [][]byte{drive.Get("/user/profile", "Authorization", "Bearer "+introspected.Good)}
	return []*served{
		{name: "bare", handler: bare, requests: chain},
		{name: "authtier: tiers, API key, ES256 token, scope, usage", handler: site.Chain(t), requests: chain},
		{name: "golang-jwt + keyfunc: ES256 token, scope", handler: keyfunc.Handler(t, signer), requests: jwt},
		{name: "fosite: opaque token, audience, scope", handler: introspected.Handler, requests: opaque},
	}
}

func (s *served) run(t *testing.T, d time.Duration) {
	t.Helper()
	server := httptest.NewServer(s.handler)
	defer server.Close()
	requests := slices.Repeat(s.requests, 64)
	r := drive.Run(t.Context(), strings.TrimPrefix(server.URL, "http://"), requests, 32, d)
	accepted := r.Status(http.StatusOK)
	if r.Err != nil || accepted.Count() == 0 || accepted.Count() != r.All().Count() {
		t.Fatalf("%s: %d of %d accepted, %v", s.name, accepted.Count(), r.All().Count(), r.Err)
	}
	s.perSec = append(s.perSec, r.PerSecond())
	s.p50 = append(s.p50, accepted.Quantile(0.5).Seconds()*1e6)
	s.p99 = append(s.p99, accepted.Quantile(0.99).Seconds()*1e6)
}

// servedTable shows medians. Ratios are medians too, and compare each run with the bare
// one of its round.
func servedTable(all []*served, round time.Duration, rounds int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Servers beside others under load\n\n%s, GOMAXPROCS=%d, GOGC=%s; 32 keep-alive connections on loopback; server and generator share a process. Medians over %d rounds of %v, of the ratios too.\n\n```sh\nAUTHTIER_LOAD=%v go -C benchmarks/peers test -run TestServed -count 1 ./served\n```\n\n",
		runtime.Version(), runtime.GOMAXPROCS(0), cmp.Or(os.Getenv("GOGC"), "100"), rounds, round, round)
	b.WriteString("| server | requests/s | of bare | p50 | p99 | p99 to bare |\n|---|---:|---:|---:|---:|---:|\n")
	for _, s := range all {
		rate, late := make([]float64, rounds), make([]float64, rounds)
		for i := range rounds {
			rate[i], late[i] = s.perSec[i]/all[0].perSec[i], s.p99[i]/all[0].p99[i]
		}
		fmt.Fprintf(&b, "| %s | %.0f | %.2f | %.0f µs | %.0f µs | %.2f |\n",
			s.name, middle(s.perSec), middle(rate), middle(s.p50), middle(s.p99), middle(late))
	}
	return b.String()
}

// middle returns the median.
func middle(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
