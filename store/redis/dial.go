package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/authtier/authtier/store/internal/transport"
)

// timeout is for each step of a call: connecting, writing, reading.
const timeout = time.Second

// dialer returns a function that makes clients of the server at a DSN.
func dialer(dsn string, plaintext bool) (func() redis.UniversalClient, error) {
	u, err := url.Parse(dsn)
	if err != nil { // the error would quote the password
		return nil, errors.New("the DSN is no URL; characters such as / ? # in a password are to be percent-encoded")
	}
	if u.Query().Has("addr") {
		opt, err := redis.ParseClusterURL(dsn)
		if err != nil {
			return nil, redacted(u, err)
		}
		local := opt.TLSConfig == nil && !plaintext
		if local {
			err = checkTransport("tcp", opt.Addrs...)
		}
		return func() redis.UniversalClient { return newCluster(*opt, local) }, err
	}
	opt, err := redis.ParseURL(dsn)
	if err != nil {
		return nil, redacted(u, err)
	}
	local := opt.TLSConfig == nil && !plaintext
	if local {
		err = checkTransport(opt.Network, opt.Addr)
	}
	return func() redis.UniversalClient { return newClient(*opt, local) }, err
}

// checkTransport returns an error if one of the addresses is another machine's.
func checkTransport(network string, addrs ...string) error {
	for _, addr := range addrs {
		host, _, err := net.SplitHostPort(addr)
		// A node that does not know its address has an empty one, which is this machine.
		if network == "unix" || err == nil && (host == "" || transport.IsLocal(host)) {
			continue
		}
		return fmt.Errorf("the connection to %s would be without TLS: use rediss://, or allow plaintext", addr)
	}
	return nil
}

// redacted returns err unless it quotes the password.
func redacted(u *url.URL, err error) error {
	if password, ok := u.User.Password(); ok && password != "" && strings.Contains(err.Error(), password) {
		return errors.New("the DSN is not understood")
	}
	return err
}

// newClient returns a client that repeats nothing: a rotation whose reply got lost
// would be taken for a second use of the token. local says that it connects to this
// machine alone.
func newClient(opt redis.Options, local bool) redis.UniversalClient {
	opt.Protocol = 2
	opt.DisableIdentity = true
	opt.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	opt.MaxRetries, opt.DialerRetries = -1, 1
	opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout, opt.PoolTimeout = timeout, timeout, timeout, timeout
	opt.ContextTimeoutEnabled = true
	return silence(redis.NewClient(&opt), local)
}

// newCluster does the same for a cluster, but for its own retries: see once.
func newCluster(opt redis.ClusterOptions, local bool) redis.UniversalClient {
	opt.Protocol = 2
	opt.DisableIdentity = true
	opt.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	opt.MaxRetries, opt.DialerRetries = -1, 1
	opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout, opt.PoolTimeout = timeout, timeout, timeout, timeout
	opt.ContextTimeoutEnabled = true
	opt.DisableRoutingPolicies = true
	opt.ReadOnly, opt.RouteByLatency, opt.RouteRandomly = false, false, false // never a lagging replica
	return silence(redis.NewClusterClient(&opt), local)
}

// A once is a command that a cluster's client sends again only where the server
// has said that it did nothing.
type once struct{ *redis.Cmd }

// NoRetry is read by the client.
func (once) NoRetry() bool { return true }

// node returns a client of the server that has our slot.
func (s *Store) node(ctx context.Context) (*redis.Client, error) {
	switch db := s.db.(type) {
	case *redis.Client:
		return db, nil
	case *redis.ClusterClient:
		return db.MasterForKey(ctx, s.prefix)
	}
	return nil, errors.New("unknown kind of client")
}
