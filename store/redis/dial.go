package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/authtier/authtier/store/internal/transport"
)

// timeout limits each step of a call: connecting, writing and reading.
const timeout = time.Second

// A target holds the addresses and the options of a DSN.
type target struct {
	network string // "tcp" or "unix"
	addrs   []string
	tls     *tls.Config                            // nil without TLS
	pool    error                                  // names the numbers of connections that are out of range
	client  func(local bool) redis.UniversalClient // makes a client
}

// dialer returns a function that makes clients of the servers at a DSN.
func dialer(dsn string, cfg Config) (func() redis.UniversalClient, error) {
	if err := transport.CheckPassword(dsn); err != nil {
		return nil, err
	}
	u, err := url.Parse(dsn)
	// The error of url.Parse would quote the password.
	if err != nil {
		return nil, errors.New("the DSN is not a URL; characters such as / ? # in a password are to be percent-encoded")
	}

	parse := parseServer
	switch q := u.Query(); {
	case q.Has("master_name"):
		parse = parseSentinels
	case q.Has("addr"):
		parse = parseCluster
	}
	t, err := parse(dsn)
	if err != nil {
		return nil, redacted(u, err)
	}

	local := t.tls == nil && !cfg.AllowPlaintext
	if local {
		err = checkTransport(t.network, t.addrs...)
	}
	err = errors.Join(err, t.pool, trust(t.tls, cfg.RootCAs))
	return func() redis.UniversalClient { return t.client(local) }, err
}

// parseServer parses the DSN of one server.
func parseServer(dsn string) (*target, error) {
	opt, err := redis.ParseURL(dsn)
	if err != nil {
		return nil, err
	}
	return &target{
		network: opt.Network, addrs: []string{opt.Addr}, tls: opt.TLSConfig,
		pool:   checkPool(opt.PoolSize, opt.MinIdleConns, opt.MaxIdleConns, opt.MaxActiveConns, opt.PipelinePoolSize),
		client: func(local bool) redis.UniversalClient { return newClient(*opt, local) },
	}, nil
}

// parseCluster parses the DSN of a cluster.
func parseCluster(dsn string) (*target, error) {
	opt, err := redis.ParseClusterURL(dsn)
	if err != nil {
		return nil, err
	}
	return &target{
		network: "tcp", addrs: opt.Addrs, tls: opt.TLSConfig,
		pool:   checkPool(opt.PoolSize, opt.MinIdleConns, opt.MaxIdleConns, opt.MaxActiveConns, opt.PipelinePoolSize),
		client: func(local bool) redis.UniversalClient { return newCluster(*opt, local) },
	}, nil
}

// trust limits c to the given authorities, unless they are nil.
func trust(c *tls.Config, authorities *x509.CertPool) error {
	switch {
	case authorities == nil:
		return nil
	case c == nil:
		return errors.New("RootCAs is set, and the DSN has no TLS: use rediss://")
	case c.InsecureSkipVerify:
		return errors.New("RootCAs is set, and skip_verify would ignore it")
	}
	c.RootCAs = authorities
	return nil
}

// maxPool is the largest number of connections that a DSN may ask for.
const maxPool = 100_000

// checkPool returns an error that names every number of connections that is out of
// range. The client would panic for some of them.
func checkPool(size, minIdle, maxIdle, maxActive, pipeline int) error {
	var errs []error
	for _, p := range []struct {
		name string
		n    int
	}{
		{"pool_size", size}, {"min_idle_conns", minIdle}, {"max_idle_conns", maxIdle}, {"max_active_conns", maxActive},
		{"pipeline_pool_size", max(pipeline, 0)}, // a negative number means that there is no such pool
	} {
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

// redacted returns err unless it quotes a password.
func redacted(u *url.URL, err error) error {
	password, _ := u.User.Password()
	secrets := []string{password}
	for _, name := range []string{"password", "sentinel_password"} {
		secrets = append(secrets, u.Query()[name]...)
	}

	for _, secret := range secrets {
		if secret != "" && strings.Contains(err.Error(), secret) {
			return errors.New("the DSN is not understood")
		}
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

// connect returns the store at a DSN. It does not ask the server anything yet.
func connect(ctx context.Context, dsn string, c Config) (*Store, error) {
	if c.Namespace == "" {
		c.Namespace = "authtier"
	}

	var errs []error
	if ctx == nil {
		errs = append(errs, errors.New("redis: nil Context"))
	}
	if !regexp.MustCompile(`^` + namespaces + `$`).MatchString(c.Namespace) {
		errs = append(errs, fmt.Errorf("redis: the Namespace %q is not of the form %s", c.Namespace, namespaces))
	}
	dial, err := dialer(dsn, c)
	if err != nil {
		errs = append(errs, fmt.Errorf("redis: %w", err))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}

	// The braces make a hash tag, so that a cluster keeps all keys in one slot.
	s := &Store{db: dial(), dial: dial, prefix: "{" + c.Namespace + "}:"}
	s.open, s.close = context.WithCancel(context.Background())
	s.closeDB = sync.OnceValue(s.db.Close)
	return s, nil
}
