// Package bench holds everything that the compared libraries have in common: the
// requests, the tokens, the handler, the credentials that must be refused, and the
// benchmarks. It imports none of them but golang-jwt, which signs the tokens.
package bench

import (
	"net/http"
	"net/url"
	"testing"
)

// The contents of valid credentials.
const (
	IssuerURL    = "https://id.example"
	Audience     = "https://api.example"
	Scope        = "read"
	ClientID     = "app"
	ClientSecret = "7Fjfp0ZBr1KtDRbnfVdmIw"
)

// Next is the handler behind every party. The compiler cannot inline it, and so cannot
// keep the request's copy on the stack. Its status proves that it was reached.
var Next http.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusNoContent)
})

// A Party is one of the compared libraries.
type Party struct {
	Name    string
	Handler http.Handler
}

// A discard is a response writer that keeps nothing but the status.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// status returns the status with which h answers.
func status(h http.Handler, r *http.Request) int {
	w := &discard{header: http.Header{}, status: http.StatusOK}
	h.ServeHTTP(w, r)
	return w.status
}

// Check fails unless p lets the good request through and none of the bad ones,
// twice: the second time a cache may answer.
func (p Party) Check(tb testing.TB, good *http.Request, bad map[string]*http.Request) {
	tb.Helper()
	for range 2 {
		if got := status(p.Handler, good); got != http.StatusNoContent {
			tb.Fatalf("%s answers %d to what is good", p.Name, got)
		}
		for what, r := range bad {
			if got := status(p.Handler, r); got < 400 || got >= 500 {
				tb.Errorf("%s answers %d to a credential with %s", p.Name, got, what)
			}
		}
	}
}

// Request returns a request with headers, and without the parts that no party reads.
func Request(headers ...string) *http.Request {
	r := &http.Request{
		Method: "GET", URL: &url.URL{Path: "/user/profile"}, Host: "api.example",
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, RemoteAddr: "192.0.2.1:1234",
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// WithToken returns a request with a bearer token.
func WithToken(token string) *http.Request { return Request("Authorization", "Bearer "+token) }

// Must fails the test if its preparation failed.
func Must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
