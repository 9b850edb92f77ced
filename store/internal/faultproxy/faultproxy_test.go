package faultproxy

import (
	"bufio"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// An echo is a server that answers each line with the same line. It remembers all lines.
type echo struct {
	net.Listener
	mu    sync.Mutex
	lines []string
}

func newEcho(t *testing.T) *echo {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{Listener: l}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go e.serve(c)
		}
	}()
	return e
}

func (e *echo) serve(c net.Conn) {
	defer c.Close()
	for r := bufio.NewReader(c); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		e.mu.Lock()
		e.lines = append(e.lines, strings.TrimSpace(line))
		e.mu.Unlock()
		io.WriteString(c, line)
	}
}

func (e *echo) has(line string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Contains(e.lines, line)
}

func newProxy(t *testing.T) (*Proxy, *echo) {
	e := newEcho(t)
	return New(t, e.Addr().String()), e
}

// A client sends and receives lines.
type client struct {
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, p *Proxy) client {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return client{c, bufio.NewReader(c)}
}

// ask sends a line and waits a second for the answer.
func (c client) ask(line string) (string, error) {
	c.SetDeadline(time.Now().Add(time.Second))
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		return "", err
	}
	answer, err := c.r.ReadString('\n')
	return strings.TrimSpace(answer), err
}

func (c client) wantAnswer(t *testing.T, line string) {
	t.Helper()
	if got, err := c.ask(line); got != line || err != nil {
		t.Errorf("%s: got %q, %v", line, got, err)
	}
}

func (c client) wantErr(t *testing.T, line string, want error) {
	t.Helper()
	if got, err := c.ask(line); !errors.Is(err, want) {
		t.Errorf("%s: got %q, %v, want %v", line, got, err, want)
	}
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

func TestForward(t *testing.T) {
	p, _ := newProxy(t)
	c := dial(t, p)
	c.wantAnswer(t, "one")
	c.wantAnswer(t, strings.Repeat("x", 1<<20))
	io.WriteString(c, "last\n")
	c.Conn.(*net.TCPConn).CloseWrite()
	if b, err := io.ReadAll(c.r); string(b) != "last\n" || err != nil {
		t.Errorf("half-closed: got %q, %v", b, err)
	}
}

func TestDelay(t *testing.T) {
	p, _ := newProxy(t)
	c := dial(t, p)
	const d = 50 * time.Millisecond
	p.Delay(d)
	begin := time.Now()
	c.wantAnswer(t, "slow")
	if took := time.Since(begin); took < 2*d {
		t.Errorf("took %v, want at least %v on either side", took, d)
	}
	p.Delay(time.Hour)
	go c.ask("stuck")
	time.Sleep(10 * time.Millisecond) // the cleanup must not wait for the delay
}

func TestCuts(t *testing.T) {
	p, _ := newProxy(t)
	c := dial(t, p)
	c.wantAnswer(t, "one")
	p.Reset()
	c.wantErr(t, "reset", syscall.ECONNRESET)

	c = dial(t, p)
	c.wantAnswer(t, "two")
	p.Disconnect()
	if _, err := c.r.ReadByte(); err != io.EOF {
		t.Errorf("disconnected: got %v, want %v", err, io.EOF)
	}
	dial(t, p).wantAnswer(t, "three")
}

func TestRefuse(t *testing.T) {
	p, _ := newProxy(t)
	c := dial(t, p)
	c.wantAnswer(t, "one")
	p.Refuse()
	p.Refuse()
	if _, err := net.Dial("tcp", p.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v, want %v", err, syscall.ECONNREFUSED)
	}
	c.wantAnswer(t, "two")
	p.Admit(t)
	p.Admit(t)
	dial(t, p).wantAnswer(t, "three")
}

func TestBlackHole(t *testing.T) {
	p, e := newProxy(t)
	old := dial(t, p)
	old.wantAnswer(t, "one")
	p.BlackHole()
	p.BlackHole()
	young := dial(t, p)
	for line, c := range map[string]client{"old": old, "young": young} {
		if got, err := c.ask(line); !isTimeout(err) || e.has(line) {
			t.Errorf("%s: got %q, %v, want nothing", line, got, err)
		}
	}
	p.Heal()
	p.Heal()
	for line, c := range map[string]client{"old": old, "young": young} {
		c.SetDeadline(time.Now().Add(time.Second))
		if got, err := c.r.ReadString('\n'); got != line+"\n" || err != nil {
			t.Errorf("%s after the black hole: got %q, %v", line, got, err)
		}
	}
	p.BlackHole() // the cleanup must not wait for Heal
}

func TestCutReply(t *testing.T) {
	p, e := newProxy(t)
	one, two := dial(t, p), dial(t, p)
	cut := p.CutReply(Containing("COMMIT"))
	one.wantAnswer(t, "com")
	one.wantAnswer(t, "mit") // a request of its own, so that it does not match
	two.wantAnswer(t, "begin")
	io.WriteString(two, "com") // the first half of a request
	time.Sleep(20 * time.Millisecond)
	if got, err := two.ask("mit now"); err == nil {
		t.Errorf("got %q, want no answer", got)
	}
	<-cut
	if !e.has("commit now") {
		t.Error("the request did not go through")
	}
	one.wantAnswer(t, "commit again")
	dial(t, p).wantAnswer(t, "commit once more")
}

func TestTargetGone(t *testing.T) {
	p, e := newProxy(t)
	e.Close()
	if got, err := dial(t, p).ask("hello"); err == nil || isTimeout(err) {
		t.Errorf("got %q, %v, want the connection closed", got, err)
	}
}
