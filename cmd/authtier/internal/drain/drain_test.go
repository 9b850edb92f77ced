package drain_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/authtier/authtier/cmd/authtier/internal/drain"
)

// A site is a server on loopback.
type site struct {
	*drain.Drainer
	addr    string
	states  chan http.ConnState // of the connections
	stopped chan struct{}       // closed once it accepts no more connections
}

func start(t *testing.T, h http.HandlerFunc) *site {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h}
	s := &site{drain.New(server, listener), listener.Addr().String(), make(chan http.ConnState, 100), make(chan struct{})}

	track := server.ConnState
	server.ConnState = func(c net.Conn, state http.ConnState) { track(c, state); s.states <- state }
	go func() {
		defer close(s.stopped)
		s.Serve()
	}()
	t.Cleanup(func() { server.Close() })
	return s
}

// drain drains s and returns once it accepts no more connections.
func (s *site) drain(timeout time.Duration) (drained chan error) {
	drained = make(chan error, 1)
	go func() { drained <- s.Drain(timeout) }()
	<-s.stopped
	return drained
}

// A client is a connection to a site.
type client struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, s *site) *client {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return &client{t, conn, bufio.NewReader(conn)}
}

func (c *client) send() { io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n") }

// want reads an answer with status 200.
func (c *client) want() *http.Response {
	c.t.Helper()
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if resp.StatusCode != 200 {
		c.t.Errorf("status %d, want 200", resp.StatusCode)
	}
	return resp
}

func wantNil(t *testing.T, drained chan error) {
	t.Helper()
	if err := <-drained; err != nil {
		t.Errorf("Drain returned %v", err)
	}
}

func nothing(http.ResponseWriter, *http.Request) {}

func TestRequestInFlight(t *testing.T) {
	began, finish := make(chan bool), make(chan bool)
	s := start(t, func(http.ResponseWriter, *http.Request) { began <- true; <-finish })
	c := dial(t, s)
	c.send()
	<-began

	drained := s.drain(time.Minute)
	finish <- true
	c.want()
	wantNil(t, drained)
}

func TestRequestThatDoesNotEnd(t *testing.T) {
	began := make(chan bool)
	s := start(t, func(_ http.ResponseWriter, r *http.Request) { began <- true; <-r.Context().Done() })
	dial(t, s).send()
	<-began
	if err := s.Drain(time.Millisecond); !errors.Is(err, drain.ErrCut) {
		t.Errorf("Drain returned %v, want ErrCut", err)
	}
}

// A request may be on its way on a connection that was made before.
func TestRequestOnNewConnection(t *testing.T) {
	s := start(t, nothing)
	c := dial(t, s)
	<-s.states

	drained := s.drain(time.Minute)
	c.send()
	c.want()
	wantNil(t, drained)
}

// The same holds for a connection that is kept alive. Its client learns that it ends.
func TestRequestOnIdleConnection(t *testing.T) {
	s := start(t, nothing)
	c := dial(t, s)
	c.send()
	if c.want().Close {
		t.Error("an answer closes the connection before Drain")
	}
	for state := range s.states {
		if state == http.StateIdle {
			break
		}
	}

	drained := s.drain(time.Minute)
	c.send()
	if !c.want().Close {
		t.Error("an answer keeps the connection while draining")
	}
	wantNil(t, drained)
}

// A connection that sends nothing does not hold the server.
func TestSilentConnection(t *testing.T) {
	s := start(t, nothing)
	dial(t, s)
	<-s.states
	wantNil(t, s.drain(3*time.Second))
}
