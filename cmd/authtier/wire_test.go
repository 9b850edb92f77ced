package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/issuer"
)

// A wire is a demo on a real listener, and a client that neither follows
// redirects nor keeps cookies.
type wire struct {
	t    *testing.T
	url  string
	addr string
}

// startDemo serves the demo until the test ends.
func startDemo(t *testing.T) *wire {
	t.Helper()
	return startDemoWith(t, 5*time.Minute)
}

func startDemoWith(t *testing.T, sessionTimeout time.Duration) *wire {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	addr := server.Listener.Addr().String()
	h, err := newKeyedDemo(t.Context(), "http://"+addr, sessionTimeout)
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = h
	server.Start()
	t.Cleanup(server.Close)
	return &wire{t: t, url: "http://" + addr, addr: addr}
}

// newKeyedDemo is newDemo with a new random key. The demo is closed when ctx ends.
func newKeyedDemo(ctx context.Context, url string, sessionTimeout time.Duration) (http.Handler, error) {
	key, err := issuer.GenerateKey("ES256")
	if err != nil {
		return nil, err
	}
	d, err := newDemo(ctx, url, key, sessionTimeout)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, d.close)
	return d, nil
}

// An answer is a response that was read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

// field returns a member of a JSON answer, or nil.
func (a *answer) field(name string) any {
	var m map[string]any
	json.Unmarshal([]byte(a.body), &m)
	return m[name]
}

// text returns a string member of a JSON answer, or "".
func (a *answer) text(name string) string {
	s, _ := a.field(name).(string)
	return s
}

// A req is a request in the making.
type req struct {
	method, path string
	header       http.Header
	body         string
}

// option changes a request.
type option func(*req)

func header(name, value string) option {
	return func(r *req) { r.header[name] = append(r.header[name], value) }
}

func basic(id, secret string) option {
	return func(r *req) {
		hr := &http.Request{Header: http.Header{}}
		hr.SetBasicAuth(id, secret)
		r.header["Authorization"] = append(r.header["Authorization"], hr.Header.Get("Authorization"))
	}
}

func bearer(token string) option { return header("Authorization", "Bearer "+token) }

// form sends a urlencoded body of names and values in turn.
func form(pairs ...string) option {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return body("application/x-www-form-urlencoded", v.Encode())
}

// body sends a body; without a type, no Content-Type is sent.
func body(contentType, content string) option {
	return func(r *req) {
		r.body = content
		if contentType != "" {
			r.header["Content-Type"] = []string{contentType}
		}
	}
}

// do sends a request and reads the answer.
func (w *wire) do(method, path string, options ...option) *answer {
	w.t.Helper()
	in := &req{method: method, path: path, header: http.Header{}}
	for _, o := range options {
		o(in)
	}
	r, err := http.NewRequest(method, w.url+path, strings.NewReader(in.body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header = in.header
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	return read(w.t, resp)
}

// raw sends bytes as they are, and reads one answer.
func (w *wire) raw(request string) *answer {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		w.t.Fatal(err)
	}
	return readRaw(w.t, conn)
}

// rawTarget sends a request line with that target, and further header lines.
func (w *wire) rawTarget(method, target string, lines ...string) *answer {
	w.t.Helper()
	var b bytes.Buffer
	b.WriteString(method + " " + target + " HTTP/1.1\r\nHost: " + w.addr + "\r\nConnection: close\r\n")
	for _, l := range lines {
		b.WriteString(l + "\r\n")
	}
	b.WriteString("\r\n")
	return w.raw(b.String())
}

// want checks status and code of an answer; code "" means that there is none.
func (a *answer) want(t *testing.T, status int, code string) {
	t.Helper()
	if a.status != status || a.text("code") != code {
		t.Errorf("got %d %s, want %d %s; body %s", a.status, a.text("code"), status, code, a.body)
	}
}

func readRaw(t *testing.T, conn net.Conn) *answer {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, resp)
}

func read(t *testing.T, resp *http.Response) *answer {
	t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &answer{resp.StatusCode, resp.Header, string(b)}
}
