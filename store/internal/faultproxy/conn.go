package faultproxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// A conn is a connection of a client, and the connection to the target on its behalf.
type conn struct {
	client net.Conn
	once   sync.Once
	done   chan struct{} // closed when the conn is closed

	// The proxy's mutex guards the following fields. Only the pumps read server without it.
	server net.Conn // nil until the target is reached
	sent   []byte   // sent by the client since the last reply, while there is a rule
	rule   *rule    // the rule that matched, or nil
}

// accept serves the connections that l accepts, until l is closed.
func (p *Proxy) accept(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		c := &conn{client: client, done: make(chan struct{})}

		// A connection may arrive while the proxy closes. It must not stay open.
		p.mu.Lock()
		p.conns[c] = true
		if p.ended {
			c.reset()
		}
		p.mu.Unlock()
		p.wg.Go(func() { p.serve(c) })
	}
}

// serve forwards in both directions until c ends.
func (p *Proxy) serve(c *conn) {
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		c.close()
		delete(p.conns, c)
	}()
	if !p.hold(c) {
		return
	}

	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()

	p.mu.Lock()
	c.server = server
	p.mu.Unlock()
	// If c was closed during the dial, close did not know of server yet.
	if !p.hold(c) {
		return
	}

	var pumps sync.WaitGroup
	pumps.Go(func() { p.pump(c, server, c.client, p.request) })
	pumps.Go(func() { p.pump(c, c.client, server, p.reply) })
	pumps.Wait()
}

// pump forwards bytes from src to dst until see returns false or c ends.
func (p *Proxy) pump(c *conn, dst, src net.Conn, see func(*conn, []byte) bool) {
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		// The rule sees a request before the server does, so that no reply escapes it.
		if n > 0 && !see(c, buf[:n]) || !p.hold(c) {
			return
		}
		if _, werr := dst.Write(buf[:n]); werr != nil || err != nil && !errors.Is(err, io.EOF) {
			c.reset()
			return
		}
		// The client or the server has closed its side; the other may go on.
		if err != nil {
			dst.(*net.TCPConn).CloseWrite()
			return
		}
	}
}

// request examines bytes from the client. It returns true: requests always pass.
func (p *Proxy) request(c *conn, b []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rule == nil {
		return true
	}

	// A request may arrive in several pieces. The rule matches all of them together.
	c.sent = append(c.sent, b...)
	if p.rule.match(c.sent) {
		c.rule, p.rule = p.rule, nil
	}
	return true
}

// reply examines bytes from the server. It closes c, and returns false, if a rule has
// matched the request.
func (p *Proxy) reply(c *conn, _ []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.sent = nil
	if c.rule == nil {
		return true
	}

	close(c.rule.cut)
	c.close()
	return false
}

// hold waits as long as bytes are held back, and reports whether c is still open.
func (p *Proxy) hold(c *conn) bool {
	p.mu.Lock()
	delay, open := p.delay, p.open
	p.mu.Unlock()

	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-c.done:
		}
	}

	select {
	case <-open:
	case <-c.done:
	}

	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// close closes both sides. Only the first call has an effect.
func (c *conn) close() {
	c.once.Do(func() {
		close(c.done)
		c.client.Close()
		if c.server != nil {
			c.server.Close()
		}
	})
}

// reset closes both sides with an RST.
func (c *conn) reset() {
	for _, side := range []net.Conn{c.client, c.server} {
		if tcp, ok := side.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
	}
	c.close()
}
