// Package faultproxy is a TCP proxy on the loopback interface for tests. It breaks or
// delays connections when a test asks for it.
//
//	p := faultproxy.New(t, service.Addr())
//	store := open(t, services.At(service.DSN(), p.Addr()))
//	cut := p.CutReply(faultproxy.Containing("COMMIT"))
//	err := store.Write() // the write is done, but its reply is lost
package faultproxy

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"
)

// A Proxy forwards connections to its target. It is safe for concurrent use.
type Proxy struct {
	target, addr string

	mu       sync.Mutex
	listener net.Listener // nil while new connections are refused
	conns    map[*conn]bool
	delay    time.Duration
	open     chan struct{} // closed while bytes pass
	rule     *rule
	ended    bool

	wg sync.WaitGroup
}

// A rule selects the request whose reply is cut.
type rule struct {
	match func([]byte) bool
	cut   chan struct{}
}

// New returns a proxy for the target, given as host and port. It ends with the test.
func New(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("faultproxy: %v", err)
	}
	p := &Proxy{target: target, addr: l.Addr().String(), listener: l, conns: map[*conn]bool{}, open: make(chan struct{})}
	close(p.open)
	p.wg.Go(func() { p.accept(l) })
	t.Cleanup(p.close)
	return p
}

// Addr returns the host and port of the proxy.
func (p *Proxy) Addr() string { return p.addr }

// Delay delays everything that the proxy reads from either side by d. Zero ends the delay.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// BlackHole makes the proxy accept connections and forward nothing, also on the present
// connections, until [Proxy.Heal].
func (p *Proxy) BlackHole() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.passing() {
		p.open = make(chan struct{})
	}
}

// Heal ends [Proxy.BlackHole] and forwards the bytes that were held back.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.passing() {
		close(p.open)
	}
}

func (p *Proxy) passing() bool {
	select {
	case <-p.open:
		return true
	default:
		return false
	}
}

// Reset cuts all connections: both sides receive an RST.
func (p *Proxy) Reset() { p.cutAll((*conn).reset) }

// Disconnect closes all connections in good order, with a FIN.
func (p *Proxy) Disconnect() { p.cutAll((*conn).close) }

func (p *Proxy) cutAll(cut func(*conn)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		cut(c)
	}
}

// Refuse refuses new connections until [Proxy.Admit]. Present connections stay open.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
}

// Admit ends [Proxy.Refuse]. It fails the test if the proxy's port is taken.
func (p *Proxy) Admit(t testing.TB) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil || p.ended {
		return
	}

	// Clients know the address, so the proxy must have the same port again.
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		t.Fatalf("faultproxy: Admit: %v", err)
	}
	p.listener = l
	p.wg.Go(func() { p.accept(l) })
}

// CutReply cuts the reply to the next request that match accepts. sent is everything
// that a client has sent on one connection since the last reply. The proxy forwards the
// request. When the reply comes, the proxy closes the connection instead of forwarding
// it. The server has then done its work, and the client cannot know that.
//
// CutReply cuts one reply, and then closes the returned channel.
func (p *Proxy) CutReply(match func(sent []byte) bool) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rule = &rule{match, make(chan struct{})}
	return p.rule.cut
}

// Containing returns a function that reports whether bytes contain s, ignoring case.
func Containing(s string) func([]byte) bool {
	lower := bytes.ToLower([]byte(s))
	return func(b []byte) bool { return bytes.Contains(bytes.ToLower(b), lower) }
}

func (p *Proxy) close() {
	p.Refuse()
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	p.Reset()
	p.wg.Wait()
}
