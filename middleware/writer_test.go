package middleware_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/authtier/authtier/middleware"
)

// behindAll puts h inside of every kind of wrapper.
func behindAll(t *testing.T, h http.Handler) http.Handler {
	t.Helper()
	c := newCache(t, people, 100, middleware.CacheConfig{})
	guard := middleware.Tiers(middleware.TierTable{"/user/": middleware.Chain(
		middleware.APIKey(c, nil),
		middleware.Bearer(c, &middleware.BearerConfig{RequireUser: true, Audience: "a1"}),
		middleware.Basic(people, &middleware.BasicConfig{Header: "X-Basic"}),
		middleware.Scope("read"), middleware.Usage(&tally{}, nil),
	)}, nil)
	return guard(h)
}

// requestOf writes a request that behindAll admits.
func requestOf(t *testing.T, conn net.Conn) *bufio.Reader {
	t.Helper()
	_, err := fmt.Fprintf(conn, "GET /user/x HTTP/1.1\r\nHost: h\r\nX-API-KEY: key-app\r\nAuthorization: Bearer token-ada\r\nX-Basic: Basic YXBwOnBhc3M=\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	return bufio.NewReader(conn)
}

// serveBehindAll serves h on a real server and returns a connection to it.
func serveBehindAll(t *testing.T, h http.HandlerFunc) net.Conn {
	t.Helper()
	server := httptest.NewServer(behindAll(t, h))
	t.Cleanup(server.Close)
	return dial(t, server.Listener.Addr())
}

func dial(t *testing.T, addr net.Addr) net.Conn {
	t.Helper()
	conn, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// TestS08Flush sends events. Each must arrive before the handler continues.
func TestS08Flush(t *testing.T) {
	arrived := make(chan struct{})
	flushes := []func(w http.ResponseWriter) error{
		func(w http.ResponseWriter) error { w.(http.Flusher).Flush(); return nil },
		func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() },
	}
	conn := serveBehindAll(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i, flush := range flushes {
			fmt.Fprintf(w, "data: %d\n\n", i)
			if err := flush(w); err != nil {
				t.Errorf("flush %d: %v", i, err)
			}
			select {
			case <-arrived:
			case <-r.Context().Done():
			}
		}
	})
	resp, err := http.ReadResponse(requestOf(t, conn), nil)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("got %v, %v", resp, err)
	}
	events := bufio.NewReader(resp.Body)
	for i := range flushes {
		line, err := events.ReadString('\n')
		if want := fmt.Sprintf("data: %d\n", i); line != want || err != nil {
			t.Fatalf("got %q, %v, want %q", line, err, want)
		}
		if _, err := events.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		arrived <- struct{}{}
	}
}

// TestS08Hijack takes over the connection and exchanges data on it.
func TestS08Hijack(t *testing.T) {
	for name, hijack := range map[string]func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error){
		"assertion": func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) { return w.(http.Hijacker).Hijack() },
		"controller": func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) {
			return http.NewResponseController(w).Hijack()
		},
	} {
		t.Run(name, func(t *testing.T) {
			conn := serveBehindAll(t, func(w http.ResponseWriter, r *http.Request) {
				conn, rw, err := hijack(w)
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
				line, _ := rw.ReadString('\n')
				io.WriteString(conn, strings.ToUpper(line))
			})
			answers := requestOf(t, conn)
			resp, err := http.ReadResponse(answers, nil)
			if err != nil || resp.StatusCode != 101 {
				t.Fatalf("got %v, %v", resp, err)
			}
			io.WriteString(conn, "hello\n")
			if line, err := answers.ReadString('\n'); line != "HELLO\n" || err != nil {
				t.Errorf("got %q, %v", line, err)
			}
		})
	}
}

// A copyListener counts the bytes that go through the ReadFrom methods of its
// connections. A server lets the system copy a file through that method.
type copyListener struct {
	net.Listener
	copied atomic.Int64
}

func (l *copyListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &copyConn{conn.(*net.TCPConn), &l.copied}, nil
}

type copyConn struct {
	*net.TCPConn
	copied *atomic.Int64
}

func (c *copyConn) ReadFrom(r io.Reader) (int64, error) {
	n, err := c.TCPConn.ReadFrom(r)
	c.copied.Add(n)
	return n, err
}

// TestSendfile copies a file into the answer. The wrappers must not hide the server's
// own writer, whose ReadFrom passes the file to the connection.
func TestSendfile(t *testing.T) {
	const size = 1 << 20
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(behindAll(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := w.(io.ReaderFrom); !ok {
			t.Errorf("%T is no io.ReaderFrom", w)
		}
		f, err := os.Open(name)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		w.Header().Set("Content-Length", fmt.Sprint(size))
		if n, err := io.Copy(w, f); n != size || err != nil {
			t.Errorf("copied %d bytes: %v", n, err)
		}
	})))
	l := &copyListener{Listener: server.Listener}
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
	resp, err := http.ReadResponse(requestOf(t, dial(t, l.Addr())), nil)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("got %v, %v", resp, err)
	}
	if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil {
		t.Errorf("received %d bytes: %v", n, err)
	}
	// The server writes the first bytes itself, because it detects the type from
	// them.
	if n := l.copied.Load(); n < size-1<<10 {
		t.Errorf("the connection copied %d of %d bytes itself", n, size)
	}
}

// TestWriterIsTheServersOwn tests that no wrapper replaces the server's writer.
func TestWriterIsTheServersOwn(t *testing.T) {
	var outside, inside http.ResponseWriter
	h := behindAll(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { inside = w }))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		outside = w
		h.ServeHTTP(w, r)
	}))
	defer server.Close()
	resp, err := http.ReadResponse(requestOf(t, dial(t, server.Listener.Addr())), nil)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("got %v, %v", resp, err)
	}
	if inside == nil || inside != outside {
		t.Errorf("the handler got a %T, the wrappers a %T", inside, outside)
	}
}
