package redis

import (
	"context"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// A quiet has a client meet a server that is gone as a connection that fails: the
// client would write each refused one to the log of the whole process. The client
// would also stop trying for a while; quiet does so if an attempt takes long.
type quiet struct {
	local bool // connects to this machine alone: a cluster may name other machines

	mu   sync.Mutex
	next time.Time // when to try again
	err  error
}

const (
	slow = timeout / 2
	rest = time.Second
)

// silence makes a client quiet, and those that a cluster's client makes.
func silence(db redis.UniversalClient, local bool) redis.UniversalClient {
	if c, ok := db.(*redis.ClusterClient); ok {
		c.OnNewNode(func(node *redis.Client) { node.AddHook(&quiet{local: local}) })
	} else {
		db.AddHook(&quiet{local: local})
	}
	return db
}

// DialHook implements [redis.Hook].
func (q *quiet) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		q.mu.Lock()
		begin, err := time.Now(), q.err
		resting := begin.Before(q.next)
		q.mu.Unlock()
		if resting {
			return gone{unreachable{err}}, nil
		}
		if q.local {
			if err := checkTransport(network, addr); err != nil {
				return gone{unreachable{err}}, nil
			}
		}
		c, err := next(ctx, network, addr)
		if err == nil {
			return c, nil
		}
		if now := time.Now(); now.Sub(begin) >= slow {
			q.mu.Lock()
			q.next, q.err = now.Add(rest), err
			q.mu.Unlock()
		}
		return gone{unreachable{err}}, nil
	}
}

// ProcessHook implements [redis.Hook].
func (*quiet) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

// ProcessPipelineHook implements [redis.Hook].
func (*quiet) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// An unreachable is an error of which the client may take off a layer.
type unreachable struct{ err error }

func (u unreachable) Error() string { return u.err.Error() }
func (u unreachable) Unwrap() error { return u.err }

// A gone is a connection to nowhere.
type gone struct{ err error }

func (g gone) Read([]byte) (int, error)       { return 0, g.err }
func (g gone) Write([]byte) (int, error)      { return 0, g.err }
func (gone) Close() error                     { return nil }
func (gone) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (gone) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (gone) SetDeadline(time.Time) error      { return nil }
func (gone) SetReadDeadline(time.Time) error  { return nil }
func (gone) SetWriteDeadline(time.Time) error { return nil }

// SyscallConn fails, so that the client does not take it for a connection that may
// be used later.
func (g gone) SyscallConn() (syscall.RawConn, error) { return nil, g.err }
