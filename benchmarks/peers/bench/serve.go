package bench

import (
	"net/http"
	"sync/atomic"
	"testing"
)

// Serve runs h on one request, on all cores. It fails unless h accepts or refuses the
// request as expected.
func Serve(b *testing.B, h http.Handler, accept bool, r *http.Request) {
	b.Helper()
	serve(b, h, accept, r, func(*http.Request) {})
}

// turn counts the turns of several credentials. It continues from one run to the next, so
// that a cache has always seen all others in between.
var turn atomic.Uint64

// ServeInTurn is like [Serve] with a header that has each of the values in turn. The rest
// of the request is reused. Many whole requests would not fit into the processor's
// caches, while a server has just read the request that it serves.
func ServeInTurn(b *testing.B, h http.Handler, accept bool, r *http.Request, header string, values []string) {
	b.Helper()
	serve(b, h, accept, r, func(r *http.Request) {
		n := turn.Add(1) % uint64(len(values))
		r.Header[header] = values[n : n+1 : n+1]
	})
}

// serve calls next before each request, to change the core's copy of the request.
func serve(b *testing.B, h http.Handler, accept bool, r *http.Request, next func(*http.Request)) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer() // making credentials is not measured
	b.RunParallel(func(pb *testing.PB) {
		w, r := &discard{header: http.Header{}}, r.Clone(b.Context())
		for pb.Next() {
			clear(w.header)
			w.status = http.StatusOK
			next(r)
			h.ServeHTTP(w, r)
			if (w.status == http.StatusNoContent) != accept {
				b.Errorf("status %d", w.status)
				return
			}
		}
	})
}

// Outcomes measures one accepted and one refused request, each repeatedly.
func (p Party) Outcomes(b *testing.B, variant string, good, bad *http.Request) {
	b.Helper()
	name := "peer=" + p.Name + variant
	b.Run(name+"/outcome=accept", func(b *testing.B) { Serve(b, p.Handler, true, good) })
	b.Run(name+"/outcome=refuse", func(b *testing.B) { Serve(b, p.Handler, false, bad) })
}

// Junk measures the refusal of values of a header that are new each time.
func (p Party) Junk(b *testing.B, variant string, r *http.Request, header string, junk func() string) {
	b.Helper()
	values := make([]string, many)
	for i := range values {
		values[i] = junk()
	}
	b.Run("peer="+p.Name+variant+"/outcome=junk", func(b *testing.B) { ServeInTurn(b, p.Handler, false, r, header, values) })
}

// many is more credentials than any cache here remembers.
const many = 8192
