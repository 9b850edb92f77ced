package main

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// describe returns the facts that the figures depend on.
func describe() []string {
	return []string{
		fmt.Sprintf("machine: %s/%s, %d x %s, load average %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processor(), loadAverage()),
		fmt.Sprintf("%s, GOMAXPROCS=%d, GOGC=%s", runtime.Version(), runtime.GOMAXPROCS(0), cmp.Or(os.Getenv("GOGC"), "100")),
		fmt.Sprintf("%d keep-alive connections on loopback; server and generator share the processors", connections),
		fmt.Sprintf("%d ES256 tokens, all cached, %d good and %d expired ones, and one API key", tokens, tooMany, tooMany),
	}
}

// processor returns the processor's name, if the system provides it.
func processor() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}

// loadAverage returns the load average of the last minute.
func loadAverage() string {
	b, _ := os.ReadFile("/proc/loadavg")
	one, _, _ := strings.Cut(string(b), " ")
	return cmp.Or(one, "unknown")
}

// writeTable writes the medians of all variants, compared with the first.
func writeTable(w io.Writer, variants []*variant) {
	fmt.Fprint(w, `
| variant | requests/s | overhead | p50 | p99 | p99 to bare |
|---|---:|---:|---:|---:|---:|
`)
	bare := variants[0]
	for _, v := range variants {
		slower := v.median(func(i int) float64 { return bare.results[i].PerSecond()/v.results[i].PerSecond() - 1 })
		later := v.median(func(i int) float64 { return v.accepted(i, 0.99) / bare.accepted(i, 0.99) })
		fmt.Fprintf(w, "| %s | %.0f | %.1f %% | %s | %s | %.2f |\n", v.name,
			v.median(func(i int) float64 { return v.results[i].PerSecond() }), 100*slower,
			microseconds(v.median(func(i int) float64 { return v.accepted(i, 0.5) })),
			microseconds(v.median(func(i int) float64 { return v.accepted(i, 0.99) })), later)
	}
	fmt.Fprintf(w, `
Medians over %d rounds of %.3g seconds, also of the overhead and of p99 against bare
in the same round. Requests/s counts all answers; overhead is how much longer one
takes than with bare; p50 and p99 are of requests with remembered credentials.
`, len(bare.results), bare.results[0].Elapsed.Seconds())
}

// median returns the median of the results of f for v's rounds.
func (v *variant) median(f func(round int) float64) float64 {
	values := make([]float64, len(v.results))
	for i := range values {
		values[i] = f(i)
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// accepted returns the q-quantile of the accepted requests with remembered
// credentials in a round, in seconds.
func (v *variant) accepted(round int, q float64) float64 {
	return v.results[round].Status(http.StatusOK).Quantile(q).Seconds()
}

func microseconds(seconds float64) string {
	return time.Duration(seconds * float64(time.Second)).Round(time.Microsecond).String()
}
