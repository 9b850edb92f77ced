package redis

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// A quiet makes a failed dial look like a connection that fails. Otherwise the client
// would write each refused connection to the log of the whole process. The client would
// also stop dialling for a while. quiet does that itself, after a slow attempt only.
type quiet struct {
	local     bool // admits only this machine; clusters and sentinels may name others
	sentinels bool // dials the master that sentinels name, and rests after each failure to learn it

	mu   sync.Mutex
	next time.Time // when to dial again
	err  error     // of the attempt before the rest
}

const (
	slow = timeout / 2
	rest = time.Second
)

// silence adds a quiet to a client, and to the clients of a cluster's nodes.
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

		// Clusters and sentinels may name machines that the DSN does not, so check each
		// address.
		if q.local {
			if err := checkTransport(network, addr); err != nil {
				return gone{unreachable{err}}, nil
			}
		}
		// The client drops a silent sentinel only if time is left to ask another one.
		// The time that the pool gives to a dial ends with the first question.
		if q.sentinels {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), 4*timeout)
			defer cancel()
		}
		c, err := next(ctx, network, addr)
		if err == nil {
			return c, nil
		}

		// An answer of a sentinel must not pass for one of the server. For an unknown
		// master it is redis.Nil, which means a missing key elsewhere.
		if q.sentinels {
			err = errors.New(err.Error())
		}

		// Without a pause, each request would wait for a server that does not answer, and
		// the client would log each failure of a sentinel.
		if now := time.Now(); now.Sub(begin) >= slow || q.sentinels {
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

// An unreachable wraps an error, because the client may unwrap the error once.
type unreachable struct{ err error }

func (u unreachable) Error() string { return u.err.Error() }
func (u unreachable) Unwrap() error { return u.err }

// A gone is a connection whose reads and writes fail.
type gone struct{ err error }

func (g gone) Read([]byte) (int, error)       { return 0, g.err }
func (g gone) Write([]byte) (int, error)      { return 0, g.err }
func (gone) Close() error                     { return nil }
func (gone) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (gone) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (gone) SetDeadline(time.Time) error      { return nil }
func (gone) SetReadDeadline(time.Time) error  { return nil }
func (gone) SetWriteDeadline(time.Time) error { return nil }

// SyscallConn fails, so that the client does not keep g as an idle connection.
func (g gone) SyscallConn() (syscall.RawConn, error) { return nil, g.err }
