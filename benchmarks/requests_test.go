package benchmarks

import (
	stdcontext "context"
	"io"
	"net/http"
	"net/url"
	"strings"
)

type context = stdcontext.Context

// withState is a context with a state, like that of the suite.
type withState struct {
	stdcontext.Context
	_ [64]byte
}

var tokenURL = &url.URL{Path: "/oauth2/token"}

// tokenRequest is a request for a token, as a server would have read it.
func tokenRequest() *http.Request {
	const form = "grant_type=client_credentials"
	r := &http.Request{
		Method: "POST", URL: tokenURL, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: "id.example",
		Header: http.Header{
			"Content-Type":  {"application/x-www-form-urlencoded"},
			"Authorization": {"Basic YXBwOmFwcC1zZWNyZXQ="},
		},
		Body: io.NopCloser(strings.NewReader(form)), ContentLength: int64(len(form)),
	}
	return r
}
