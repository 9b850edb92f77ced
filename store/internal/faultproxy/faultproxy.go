// Package faultproxy is a TCP proxy on the loopback interface for tests. It damages
// connections when a test asks for it.
//
//	p := faultproxy.New(t, service.Addr())
//	store := open(t, services.At(service.DSN(), p.Addr()))
//	cut := p.CutReply(faultproxy.Containing("COMMIT"))
//	err := store.Write() // done, but the reply is lost
package faultproxy

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"
)

// A Proxy forwards connections to its target. Its methods may be called
// concurrently.
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

// A rule says after what the next reply is cut.
type rule struct {
	match func([]byte) bool
	cut   chan struct{}
}

// New returns a proxy for the target, an address of host and port. It ends with
// the test.
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

// Delay holds back, by d each, what is read on either side. Zero ends it.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// BlackHole accepts connections and forwards nothing any more, on the present
// ones neither, until [Proxy.Heal].
func (p *Proxy) BlackHole() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.passing() {
		p.open = make(chan struct{})
	}
}

// Heal ends [Proxy.BlackHole]: what was held back goes on.
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

// Reset cuts all connections without a goodbye: both sides get an RST.
func (p *Proxy) Reset() { p.cutAll((*conn).reset) }

// Disconnect closes all connections in good order.
func (p *Proxy) Disconnect() { p.cutAll((*conn).close) }

func (p *Proxy) cutAll(cut func(*conn)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		cut(c)
	}
}

// Refuse refuses new connections until [Proxy.Admit]. Present ones go on.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
}

// Admit ends [Proxy.Refuse].
func (p *Proxy) Admit(t testing.TB) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil || p.ended {
		return
	}
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		t.Fatalf("faultproxy: Admit: %v", err)
	}
	p.listener = l
	p.wg.Go(func() { p.accept(l) })
}

// CutReply waits for a connection on which what the client has sent since the
// last reply matches. It forwards that, and when the reply comes, closes the
// connection instead of forwarding it: the server has done what was asked, and
// the client cannot know. That happens once, and closes the channel.
func (p *Proxy) CutReply(match func(sent []byte) bool) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rule = &rule{match, make(chan struct{})}
	return p.rule.cut
}

// Containing matches bytes that contain s, in upper or lower case.
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
