package bench

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// An Endpoint is a party's token endpoint, which issues one kind of token. A new one is
// made each time, because its store grows.
type Endpoint struct {
	Name, Token string
	Handler     func(tb testing.TB) http.Handler
}

// A tokenRequest is a request for a token, as a server would have read it. It can be sent
// repeatedly, so that the measurement does not include making it.
type tokenRequest struct {
	form    string
	body    strings.Reader
	whole   http.Request
	request http.Request
}

func newTokenRequest(secret, scope string) *tokenRequest {
	t := &tokenRequest{form: "grant_type=client_credentials&scope=" + scope}
	t.whole = http.Request{
		Method: "POST", URL: &url.URL{Path: "/oauth2/token"}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: "id.example",
		Header:        http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		Body:          io.NopCloser(&t.body),
		ContentLength: int64(len(t.form)),
		RemoteAddr:    "192.0.2.1:1234",
	}
	t.whole.SetBasicAuth(ClientID, secret)
	return t
}

// fresh returns the request, its body unread and its form not yet parsed.
func (t *tokenRequest) fresh() *http.Request {
	t.body.Reset(t.form)
	t.request = t.whole
	return &t.request
}

// Checked returns the endpoint, after it has shown that it gives a token to the client
// and to nobody else.
func (e Endpoint) Checked(tb testing.TB) http.Handler {
	tb.Helper()
	h := e.Handler(tb)
	for _, tt := range []struct {
		secret, scope string
		ok            bool
	}{{ClientSecret, Scope, true}, {ClientSecret + "x", Scope, false}, {ClientSecret, "admin", false}} {
		if got := status(h, newTokenRequest(tt.secret, tt.scope).fresh()); (got == http.StatusOK) != tt.ok {
			tb.Fatalf("%s answers %d to secret %q and scope %q", e.Name, got, tt.secret, tt.scope)
		}
	}
	return h
}

// IssuedBy returns an access token that h gives to the client.
func IssuedBy(tb testing.TB, h http.Handler, scope string) string {
	tb.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, newTokenRequest(ClientSecret, scope).fresh())
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	Must(tb, json.Unmarshal(w.Body.Bytes(), &answer))
	if answer.AccessToken == "" {
		tb.Fatalf("no token: %d %s", w.Code, w.Body)
	}
	return answer.AccessToken
}

// Bench is the client credentials grant, with the client's generated secret in
// the Authorization header and one scope.
func (e Endpoint) Bench(b *testing.B) {
	b.Run("peer="+e.Name+"/token="+e.Token, func(b *testing.B) {
		h, w, r := e.Checked(b), &discard{header: http.Header{}}, newTokenRequest(ClientSecret, Scope)
		b.ReportAllocs()
		for b.Loop() {
			clear(w.header)
			w.status = http.StatusOK
			h.ServeHTTP(w, r.fresh())
			if w.status != http.StatusOK {
				b.Fatalf("status %d", w.status)
			}
		}
	})
}
