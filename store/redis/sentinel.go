package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// lifetime limits the life of a connection of a sentinel's client. The client asks for
// the master only when it dials. A client that has lost its sentinel therefore learns of
// a new master within this time.
const lifetime = 30 * time.Second

// parseSentinels parses the DSN of a master that sentinels watch.
func parseSentinels(dsn string) (*target, error) {
	opt, err := redis.ParseFailoverURL(dsn)
	if err != nil {
		return nil, err
	}
	if opt.MasterName == "" {
		return nil, errors.New("the master_name is empty")
	}

	// Each sentinel and server proves its own address, and not that of the first sentinel.
	if opt.TLSConfig != nil {
		opt.TLSConfig.ServerName = ""
	}
	return &target{
		network: "tcp", addrs: opt.SentinelAddrs, tls: opt.TLSConfig,
		pool:   checkPool(opt.PoolSize, opt.MinIdleConns, opt.MaxIdleConns, opt.MaxActiveConns, opt.PipelinePoolSize),
		client: func(local bool) redis.UniversalClient { return newFailover(*opt, local) },
	}, nil
}

// newFailover returns a client like [newClient] of the master that sentinels name. When
// they name another master, the client closes its connections to the former one.
func newFailover(opt redis.FailoverOptions, local bool) redis.UniversalClient {
	opt.Protocol = 2
	opt.DisableIdentity = true
	opt.MaxRetries, opt.DialerRetries = -1, 1
	opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout, opt.PoolTimeout = timeout, timeout, timeout, timeout
	opt.ContextTimeoutEnabled = true
	if opt.ConnMaxLifetime <= 0 || opt.ConnMaxLifetime > lifetime {
		opt.ConnMaxLifetime, opt.ConnMaxLifetimeJitter = lifetime, 0
	}

	// A replica may lag behind, and miss revocations.
	opt.ReplicaOnly, opt.UseDisconnectedReplicas = false, false
	opt.RouteByLatency, opt.RouteRandomly = false, false
	opt.OnConnect = refuseReplica

	opt.Dialer = quietly(redis.NewDialer(&redis.Options{DialTimeout: timeout, TLSConfig: opt.TLSConfig}), local)
	db := redis.NewFailoverClient(&opt)
	db.AddHook(&quiet{sentinels: true})
	return db
}

// refuseReplica returns an error if a new connection leads to a replica. A sentinel that
// has missed a failover names the former master, which may be a replica by now.
func refuseReplica(ctx context.Context, c *redis.Conn) error {
	reply, err := c.Do(ctx, "role").Slice()
	switch {
	case err != nil:
		return err
	case len(reply) == 0 || reply[0] != "master" && reply[0] != "sentinel":
		return fmt.Errorf("the server is not a master: its role is %.100q", fmt.Sprint(reply))
	}
	return nil
}

// quietly returns a function that dials with a [quiet] for each address, because the
// client's hooks see neither the sentinels nor the address of the master.
func quietly(dial redis.DialHook, local bool) redis.DialHook {
	var quiets sync.Map // from address to redis.DialHook
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		q, ok := quiets.Load(addr)
		if !ok {
			q, _ = quiets.LoadOrStore(addr, (&quiet{local: local}).DialHook(dial))
		}
		return q.(redis.DialHook)(ctx, network, addr)
	}
}
