package middleware_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/middleware"
)

func succeeded(status int) bool { return status < 400 }

var quietBearer = middleware.Chain(middleware.Errors(silent), middleware.Bearer(people, nil))

// byStatus puts a wrapper around h that counts only answers with a good status.
func byStatus(m middleware.Meter, h http.HandlerFunc) http.Handler {
	return middleware.Chain(quietBearer, middleware.Usage(m, &middleware.UsageConfig{CountStatus: succeeded}))(h)
}

func TestCountStatus(t *testing.T) {
	for name, tt := range map[string]struct {
		h     http.HandlerFunc
		total int64
	}{
		"nothing":     {func(http.ResponseWriter, *http.Request) {}, 1},
		"body":        {func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "x"); io.WriteString(w, "y") }, 1},
		"204":         {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) }, 1},
		"404":         {func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }, 0},
		"500, twice":  {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500); w.WriteHeader(200) }, 0},
		"200, twice":  {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200); w.WriteHeader(500) }, 1},
		"early hints": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(103); w.WriteHeader(404) }, 0},
		"flush":       {func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush(); w.WriteHeader(500) }, 1},
		"copy":        {func(w http.ResponseWriter, r *http.Request) { io.Copy(w, strings.NewReader("x")) }, 1},
		"copy of nothing": {func(w http.ResponseWriter, r *http.Request) {
			io.Copy(w, strings.NewReader(""))
			w.WriteHeader(404)
		}, 0},
		"add with any status": {func(w http.ResponseWriter, r *http.Request) {
			if err := middleware.AddUsage(r.Context(), 10); err != nil {
				t.Error(err)
			}
			w.WriteHeader(500)
		}, 10},
	} {
		m := &tally{}
		serve(byStatus(m, tt.h), "GET", "/", tokenAda)
		if m.total != tt.total {
			t.Errorf("%s: got %d, want %d", name, m.total, tt.total)
		}
	}
}

// TestCountedBeforeTheHeader tests that a request is counted before the client sees
// the answer.
func TestCountedBeforeTheHeader(t *testing.T) {
	m := &tally{}
	h := byStatus(m, func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("x"))
		panic(http.ErrAbortHandler)
	})
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	conn := dial(t, server.Listener.Addr())
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n\r\n", tokenAda)
	if _, err := io.ReadAll(conn); err != nil {
		t.Fatal(err)
	}
	if got := m.sum(); got != 1 {
		t.Errorf("got %d, want 1", got)
	}
}

func TestStatusUncounted(t *testing.T) {
	ended := errors.New("ended")
	m := &fading{fail: ended}
	h := byStatus(m, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", "x")
		w.Header().Set("Content-Length", "3")
		if n, err := w.Write([]byte("abc")); n != 0 || !errors.Is(err, ended) {
			t.Errorf("writing: got %d, %v", n, err)
		}
	})
	if w := serve(h, "GET", "/", tokenAda); code(w) != "AUTH-8" || w.Header().Get("Etag") != "" || strings.Contains(w.Body.String(), "abc") {
		t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
	}
	panics := middleware.Usage(&tally{}, &middleware.UsageConfig{CountStatus: func(int) bool { panic("mine") }})
	if w := serve(quietBearer(panics(whoami)), "GET", "/", tokenAda); code(w) != "AUTH-8" {
		t.Errorf("a CountStatus that panics: got %d %s", w.Code, w.Body)
	}
}

// fading is a meter whose counters return an error when they are used.
type fading struct{ fail error }

func (m *fading) Counter(int, string, string) (func(int64) error, error) {
	return func(int64) error { return m.fail }, nil
}

func TestAllowUncounted(t *testing.T) {
	outer := &tally{}
	for name, m := range map[string]middleware.Meter{
		"no counter":   &tally{fail: errors.New("disk full")},
		"none to add":  &fading{fail: errors.New("ended")},
		"panic":        panicking{},
		"only for now": &fading{fail: errors.New("ended")},
	} {
		for _, status := range []func(int) bool{nil, succeeded} {
			inner := middleware.Usage(m, &middleware.UsageConfig{AllowUncounted: true, CountStatus: status})
			h := middleware.Chain(quietBearer, middleware.Usage(outer, nil), inner)(
				http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if err := middleware.AddUsage(r.Context(), 5); err == nil {
						t.Errorf("%s: AddUsage, and nothing can be counted: no error", name)
					}
				}))
			if w := serve(h, "GET", "/", tokenAda); w.Code != 200 {
				t.Errorf("%s: got %d %s", name, w.Code, w.Body)
			}
		}
	}
	if outer.total != 8 {
		t.Errorf("the outer product: got %d, want its 8 requests", outer.total)
	}
}

type panicking struct{}

func (panicking) Counter(int, string, string) (func(int64) error, error) { panic("mine") }

// TestRememberedCounterEnds tests that the meter is asked for another counter when
// the one that an identity remembers has ended.
func TestRememberedCounterEnds(t *testing.T) {
	for _, status := range []func(int) bool{nil, succeeded} {
		m := &replaced{}
		h := middleware.Chain(
			middleware.Bearer(newCache(t, people, 10, middleware.CacheConfig{}), nil),
			middleware.Usage(m, &middleware.UsageConfig{CountStatus: status}),
		)(whoami)
		for range 3 {
			serve(h, "GET", "/", tokenAda)
		}
		m.generation++
		for range 2 {
			if w := serve(h, "GET", "/", tokenAda); w.Code != 200 {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
		}
		if m.total != 5 {
			t.Errorf("got %d, want 5", m.total)
		}
	}
}

// replaced is a meter whose counters end.
type replaced struct {
	generation int
	total      int64
}

func (m *replaced) Counter(int, string, string) (func(int64) error, error) {
	mine := m.generation
	return func(n int64) error {
		if m.generation != mine {
			return errors.New("ended")
		}
		m.total += n
		return nil
	}, nil
}

// TestStatusHijack takes over the connection inside of a wrapper that counts by
// status.
func TestStatusHijack(t *testing.T) {
	for name, hijack := range map[string]func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error){
		"assertion": func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) { return w.(http.Hijacker).Hijack() },
		"controller": func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) {
			return http.NewResponseController(w).Hijack()
		},
	} {
		m := &tally{}
		server := httptest.NewServer(byStatus(m, func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := hijack(w)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			io.WriteString(conn, "mine")
			conn.Close()
		}))
		conn := dial(t, server.Listener.Addr())
		fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n\r\n", tokenAda)
		if got, err := io.ReadAll(conn); string(got) != "mine" || err != nil {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
		server.Close()
		if got := m.sum(); got != 1 {
			t.Errorf("%s: got %d, want 1", name, got)
		}
	}
	m := &tally{}
	// A recorder has no connection to take over.
	serve(byStatus(m, func(w http.ResponseWriter, r *http.Request) {
		if _, _, err := http.NewResponseController(w).Hijack(); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("got %v", err)
		}
		w.WriteHeader(500)
	}), "GET", "/", tokenAda)
	if m.total != 0 {
		t.Errorf("got %d, want 0", m.total)
	}
}

// TestStatusSendfile copies a file through the counting writer.
func TestStatusSendfile(t *testing.T) {
	const size = 1 << 20
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	m := &tally{}
	server := httptest.NewUnstartedServer(byStatus(m, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) }))
	l := &copyListener{Listener: server.Listener}
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
	conn := dial(t, l.Addr())
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n\r\n", tokenAda)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil {
		t.Errorf("received %d bytes: %v", n, err)
	}
	// Close waits until the handler has ended.
	server.Close()
	if n := l.copied.Load(); n < size-2<<10 || m.sum() != 1 {
		t.Errorf("the connection copied %d of %d bytes itself, %d counted", n, size, m.sum())
	}
}

// TestStatusCloseNotify tests that the writers of Observe and Usage pass on the deprecated
// CloseNotify of the server's writer, which a stream of gin calls.
func TestStatusCloseNotify(t *testing.T) {
	type closeNotifier interface{ CloseNotify() <-chan bool }
	waiting, gone := make(chan struct{}), make(chan bool, 1)
	audit := middleware.Observe(func(*http.Request, middleware.Decision) {})
	server := httptest.NewServer(audit(byStatus(&tally{}, func(w http.ResponseWriter, r *http.Request) {
		notice := w.(closeNotifier).CloseNotify()
		close(waiting)
		select {
		case ok := <-notice:
			gone <- ok
		case <-time.After(10 * time.Second):
			gone <- false
		}
	})))
	t.Cleanup(server.Close)

	conn := dial(t, server.Listener.Addr())
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer token-ada\r\n\r\n")
	<-waiting
	conn.Close()
	if !<-gone {
		t.Error("the handler has not been told that the client is gone")
	}

	// A recorder has no CloseNotify.
	serve(byStatus(&tally{}, func(w http.ResponseWriter, r *http.Request) {
		if notice := w.(closeNotifier).CloseNotify(); notice != nil {
			t.Errorf("got %v, want nil", notice)
		}
	}), "GET", "/", tokenAda)
}
