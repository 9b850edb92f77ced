package peers

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

const (
	issuerURL = "https://id.example"
	audience  = "https://api.example"
	scope     = "read"
)

// next is the handler behind everybody. The compiler cannot see into it, or it
// would keep the request's copy on the stack. Its status proves that it was
// reached.
var next http.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusNoContent)
})

// A party is one of those compared.
type party struct {
	name string
	h    http.Handler
}

// A discard is a response writer that keeps nothing but the status.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// status returns what h answers.
func status(h http.Handler, r *http.Request) int {
	w := &discard{header: http.Header{}, status: http.StatusOK}
	h.ServeHTTP(w, r)
	return w.status
}

// check fails unless p lets the good request through and none of the bad ones,
// twice: the second time a cache may answer.
func (p party) check(tb testing.TB, good *http.Request, bad map[string]*http.Request) {
	tb.Helper()
	for range 2 {
		if got := status(p.h, good); got != http.StatusNoContent {
			tb.Fatalf("%s answers %d to what is good", p.name, got)
		}
		for what, r := range bad {
			if got := status(p.h, r); got < 400 || got >= 500 {
				tb.Errorf("%s answers %d to a credential with %s", p.name, got, what)
			}
		}
	}
}

// request returns a request with headers, without what nobody here reads.
func request(headers ...string) *http.Request {
	r := &http.Request{
		Method: "GET", URL: &url.URL{Path: "/user/profile"}, Host: "api.example",
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, RemoteAddr: "192.0.2.1:1234",
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func withToken(token string) *http.Request { return request("Authorization", "Bearer "+token) }

// turn is whose turn it is among several requests. It goes on from one run to
// the next, so that a cache has always seen all others in between.
var turn atomic.Uint64

// serve runs h on requests in turn, on all cores.
func serve(b *testing.B, h http.Handler, accept bool, requests ...*http.Request) {
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

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// The rest is what peers that are no wrappers, or check no scopes, need around
// them to do the same job.

type contextKey struct{}

// admit calls next with what is known of the caller.
func admit(w http.ResponseWriter, r *http.Request, caller any) {
	next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, caller)))
}

func refuse(w http.ResponseWriter) {
	w.Header()["WWW-Authenticate"] = []string{"Bearer"}
	w.WriteHeader(http.StatusUnauthorized)
}

func bearer(r *http.Request) (token string, ok bool) {
	return strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
}

func hasScope(list string) bool {
	for s := range strings.FieldsSeq(list) {
		if s == scope {
			return true
		}
	}
	return false
}
