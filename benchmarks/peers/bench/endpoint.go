package bench

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// An Endpoint is a party's token endpoint, which issues one kind of token. It is
// made anew each time, since its store grows.
type Endpoint struct {
	Name, Token string
	Handler     func(tb testing.TB) http.Handler
}

var tokenURL = &url.URL{Path: "/oauth2/token"}

// tokenRequest is a request for a token, as a server would have read it.
func tokenRequest(secret, scope string) *http.Request {
	form := "grant_type=client_credentials&scope=" + scope
	r := &http.Request{
		Method: "POST", URL: tokenURL, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: "id.example",
		Header:        http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		Body:          io.NopCloser(strings.NewReader(form)),
		ContentLength: int64(len(form)),
	}
	r.SetBasicAuth(ClientID, secret)
	return r
}

// Checked returns the endpoint, which has shown that it gives a token to whom it
// should and to nobody else.
func (e Endpoint) Checked(tb testing.TB) http.Handler {
	tb.Helper()
	h := e.Handler(tb)
	for _, tt := range []struct {
		secret, scope string
		ok            bool
	}{{ClientSecret, Scope, true}, {ClientSecret + "x", Scope, false}, {ClientSecret, "admin", false}} {
		if got := status(h, tokenRequest(tt.secret, tt.scope)); (got == http.StatusOK) != tt.ok {
			tb.Fatalf("%s answers %d to secret %q and scope %q", e.Name, got, tt.secret, tt.scope)
		}
	}
	return h
}

// Bench is the client credentials grant, with the client's generated secret in
// the Authorization header and one scope.
func (e Endpoint) Bench(b *testing.B) {
	b.Run("peer="+e.Name+"/token="+e.Token, func(b *testing.B) {
		h, w := e.Checked(b), &discard{header: http.Header{}}
		b.ReportAllocs()
		for b.Loop() {
			clear(w.header)
			w.status = http.StatusOK
			h.ServeHTTP(w, tokenRequest(ClientSecret, Scope))
			if w.status != http.StatusOK {
				b.Fatalf("status %d", w.status)
			}
		}
	})
}
