package bench

import (
	"net/http"
	"sync/atomic"
	"testing"
)

// turn is whose turn it is among several requests. It goes on from one run to
// the next, so that a cache has always seen all others in between.
var turn atomic.Uint64

// Serve runs h on requests in turn, on all cores, and fails unless it accepts
// all of them or none.
func Serve(b *testing.B, h http.Handler, accept bool, requests ...*http.Request) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer() // making requests is not measured
	b.RunParallel(func(pb *testing.PB) {
		w, r := &discard{header: http.Header{}}, requests[0]
		for pb.Next() {
			clear(w.header)
			w.status = http.StatusOK
			if len(requests) > 1 {
				r = requests[turn.Add(1)%uint64(len(requests))]
			}
			h.ServeHTTP(w, r)
			if (w.status == http.StatusNoContent) != accept {
				b.Errorf("status %d", w.status)
				return
			}
		}
	})
}

// Outcomes measures what p accepts and what it refuses, each again and again.
func (p Party) Outcomes(b *testing.B, variant string, good, bad *http.Request) {
	b.Helper()
	name := "peer=" + p.Name + variant
	b.Run(name+"/outcome=accept", func(b *testing.B) { Serve(b, p.Handler, true, good) })
	b.Run(name+"/outcome=refuse", func(b *testing.B) { Serve(b, p.Handler, false, bad) })
}

// Junk measures the refusal of credentials that are new each time.
func (p Party) Junk(b *testing.B, variant string, junk func() *http.Request) {
	b.Helper()
	b.Run("peer="+p.Name+variant+"/outcome=junk", func(b *testing.B) { Serve(b, p.Handler, false, tooMany(junk)...) })
}

// tooMany returns more requests than any cache here remembers.
func tooMany(request func() *http.Request) []*http.Request {
	requests := make([]*http.Request, 8192)
	for i := range requests {
		requests[i] = request()
	}
	return requests
}
