// Package drain ends an HTTP server without losing the requests that clients have sent.
//
//	drainer := drain.New(server, listener)
//	go drainer.Serve()
//	<-ctx.Done()
//	err := drainer.Drain(20 * time.Second)
//
// Server.Shutdown alone drops a request that it reads after it was called, even if the
// client sent the request before.
package drain

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// ErrCut means that some requests did not finish in time and were cut off.
var ErrCut = errors.New("some requests did not finish in time and were cut off")

// patience is how long Drain waits for connections without a request. A request may
// already be on its way, and clients with many requests learn meanwhile that they have to
// close their connections.
const patience = 500 * time.Millisecond

// A Drainer ends one server with one listener.
type Drainer struct {
	server   *http.Server
	listener net.Listener
	draining atomic.Bool
	stopped  chan struct{} // closed when Serve returns

	mu    sync.Mutex
	conns map[net.Conn]http.ConnState
	empty chan struct{} // closed when the last connection ends while draining
}

// New returns a drainer of a server that does not serve yet. It wraps server.Handler and
// sets server.ConnState.
func New(server *http.Server, listener net.Listener) *Drainer {
	d := &Drainer{
		server: server, listener: listener, stopped: make(chan struct{}),
		conns: map[net.Conn]http.ConnState{}, empty: make(chan struct{}),
	}
	server.ConnState = d.track

	next := server.Handler
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
	return d
}

// Serve serves the listener until [Drainer.Drain] is called or accepting fails, over TLS
// if server.TLSConfig is set. Call it once.
func (d *Drainer) Serve() error {
	defer close(d.stopped)
	if d.server.TLSConfig != nil {
		return d.server.ServeTLS(d.listener, "", "")
	}
	return d.server.Serve(d.listener)
}

func (d *Drainer) track(c net.Conn, state http.ConnState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if state != http.StateClosed && state != http.StateHijacked {
		d.conns[c] = state
		return
	}

	delete(d.conns, c)
	if d.draining.Load() {
		d.closeIfEmpty()
	}
}

// closeIfEmpty closes empty if there are no connections. The caller must hold mu.
func (d *Drainer) closeIfEmpty() {
	select {
	case <-d.empty: // closed before
	default:
		if len(d.conns) == 0 {
			close(d.empty)
		}
	}
}

// Drain closes the listener, answers the requests that arrive within half a second on the
// connections that there are, and waits until all requests are answered. After the
// timeout, it closes their connections and returns [ErrCut]. Call it once, after Serve.
func (d *Drainer) Drain(timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	d.listener.Close()
	<-d.stopped // all connections are known from here on
	d.wait(ctx)

	// Shutdown closes idle connections, but would wait five seconds for a new one.
	d.closeNew()
	err := d.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		d.server.Close()
		return ErrCut
	}
	return err
}

// wait waits until patience or ctx ends, or no connection is left.
func (d *Drainer) wait(ctx context.Context) {
	d.mu.Lock()
	d.draining.Store(true)
	d.closeIfEmpty()
	d.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-ctx.Done():
	case <-d.empty:
	}
}

// closeNew closes the connections that have not sent a request.
func (d *Drainer) closeNew() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c, state := range d.conns {
		if state == http.StateNew {
			c.Close()
		}
	}
}
