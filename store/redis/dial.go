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

// timeout limits each step of a call: connecting, writing and reading.
const timeout = time.Second

// dialer returns a function that makes clients of the server at a DSN.
func dialer(dsn string, plaintext bool) (func() redis.UniversalClient, error) {
	u, err := url.Parse(dsn)
	// The error of url.Parse would quote the password.
	if err != nil {
		return nil, errors.New("the DSN is not a URL; characters such as / ? # in a password are to be percent-encoded")
	}

	if u.Query().Has("addr") {
		opt, err := redis.ParseClusterURL(dsn)
		if err != nil {
			return nil, redacted(u, err)
		}
		local := opt.TLSConfig == nil && !plaintext
		err = checkPool(opt.PoolSize, opt.MinIdleConns, opt.MaxIdleConns, opt.MaxActiveConns)
		if local {
			err = errors.Join(checkTransport("tcp", opt.Addrs...), err)
		}
		return func() redis.UniversalClient { return newCluster(*opt, local) }, err
	}

	opt, err := redis.ParseURL(dsn)
	if err != nil {
		return nil, redacted(u, err)
	}
	local := opt.TLSConfig == nil && !plaintext
	err = checkPool(opt.PoolSize, opt.MinIdleConns, opt.MaxIdleConns, opt.MaxActiveConns)
	if local {
		err = errors.Join(checkTransport(opt.Network, opt.Addr), err)
	}
	return func() redis.UniversalClient { return newClient(*opt, local) }, err
}

// maxPool is the largest number of connections that a DSN may ask for.
const maxPool = 100_000

// checkPool returns an error that names every number of connections that is out of
// range. The client would panic for some of them.
func checkPool(size, minIdle, maxIdle, maxActive int) error {
	var errs []error
	for _, p := range []struct {
		name string
		n    int
	}{{"pool_size", size}, {"min_idle_conns", minIdle}, {"max_idle_conns", maxIdle}, {"max_active_conns", maxActive}} {
		if p.n < 0 || p.n > maxPool {
			errs = append(errs, fmt.Errorf("%s is %d, expected 0 to %d", p.name, p.n, maxPool))
		}
	}
	return errors.Join(errs...)
}

// checkTransport returns an error that names the addresses that belong to other
// machines.
func checkTransport(network string, addrs ...string) error {
	var errs []error
	for _, addr := range addrs {
		host, _, err := net.SplitHostPort(addr)
		// A cluster node that does not know its own address reports an empty host.
		if network == "unix" || err == nil && (host == "" || transport.IsLocal(host)) {
			continue
		}
		errs = append(errs, fmt.Errorf("the connection to %s would be without TLS: use rediss://, or allow plaintext", addr))
	}
	return errors.Join(errs...)
}

// redacted returns err unless it quotes the password.
func redacted(u *url.URL, err error) error {
	if password, ok := u.User.Password(); ok && password != "" && strings.Contains(err.Error(), password) {
		return errors.New("the DSN is not understood")
	}
	return err
}

// newClient returns a client that never repeats a command. A repeated rotation, whose
// first reply was lost, would count as reuse of the token. If local is true, the client
// connects only to this machine.
func newClient(opt redis.Options, local bool) redis.UniversalClient {
	opt.Protocol = 2
	opt.DisableIdentity = true
	opt.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	opt.MaxRetries, opt.DialerRetries = -1, 1
	opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout, opt.PoolTimeout = timeout, timeout, timeout, timeout
	opt.ContextTimeoutEnabled = true
	return silence(redis.NewClient(&opt), local)
}

// newCluster returns such a client of a cluster. Commands that must not be repeated there
// are marked by once.
func newCluster(opt redis.ClusterOptions, local bool) redis.UniversalClient {
	opt.Protocol = 2
	opt.DisableIdentity = true
	opt.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	opt.MaxRetries, opt.DialerRetries = -1, 1
	opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout, opt.PoolTimeout = timeout, timeout, timeout, timeout
	opt.ContextTimeoutEnabled = true
	opt.DisableRoutingPolicies = true
	// A replica may lag behind, and miss revocations.
	opt.ReadOnly, opt.RouteByLatency, opt.RouteRandomly = false, false, false
	return silence(redis.NewClusterClient(&opt), local)
}

// A once is a command that a cluster's client repeats only if the server has reported
// that it did nothing.
type once struct{ *redis.Cmd }

// NoRetry reports that the client must not repeat the command.
func (once) NoRetry() bool { return true }

// node returns a client of the server that holds the slot of the namespace.
func (s *Store) node(ctx context.Context) (*redis.Client, error) {
	switch db := s.db.(type) {
	case *redis.Client:
		return db, nil
	case *redis.ClusterClient:
		return db.MasterForKey(ctx, s.prefix)
	}
	return nil, errors.New("unknown kind of client")
}
