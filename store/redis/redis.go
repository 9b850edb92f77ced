// Package redis is a [store.Store] in Redis 7 or later, for several nodes.
//
//	db, err := redis.Open(ctx, "rediss://user:password@redis.example.com/0", nil)
//	defer db.Close()
//
// Each method that must be atomic is one Lua script. All keys of a namespace carry the
// same hash tag, so that a cluster keeps them in one slot. No key expires by Redis's
// own clock; [Store.Sweep] drops records that have ended. While a script runs, the server
// does nothing else. Creating 10,000 records in one call takes it about 0.2 s.
//
// Redis acknowledges a write before it is on the disk, unless appendfsync is "always".
// With "everysec", the default, a crash of its system may lose a second of rotations and
// revocations: a token that was revoked in that second is valid again. A server without
// an append-only file would lose all of them, and one that evicts keys might lose any.
// [Open] refuses both.
//
// # The previous version
//
// Nodes of the previous version may use the same namespace, and their records are
// listed like any other. The first list or Sweep looks once, with SCAN, for records that
// were written before. Fields that the previous version does not know survive when it
// writes a record again. That version does not follow these rules:
//
//   - It creates again what was revoked. A key that it has revoked cannot be created
//     again by this version, but another key with the same secret can.
//   - It leaves no tombstone of a client's secret.
//   - It does not delete the keys of a user whom it revokes or deletes.
//   - It ignores addresses, owners and the scopes of users.
package redis

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/authtier/authtier/store"
)

const (
	patience   = 1500 * time.Millisecond // limits one call of the server in total
	namespaces = `[A-Za-z0-9_.-]{1,64}`
)

// Config configures [Open]. The zero value is ready to use.
type Config struct {
	// Namespace begins all keys, so that several stores may share a server: up to
	// 64 letters, digits, dots, hyphens and underscores. If empty, it is
	// "authtier". Two products, or staging and production, need two namespaces,
	// because API keys, secrets and passwords are valid for all issuers on one store:
	// see [store.Store].
	Namespace string

	// RootCAs are the authorities that may have issued the certificates of the servers
	// at a rediss:// DSN. If nil, they are those of the system. It must be nil if the
	// DSN has no TLS, or if it has the parameter skip_verify=true.
	RootCAs *x509.CertPool

	// AllowVolatile admits a server that may forget acknowledged writes, because it
	// has no append-only file or evicts keys. Revoked tokens may then be valid again,
	// and issued ones unknown.
	AllowVolatile bool

	// AllowPlaintext admits connections without TLS to other machines. Hashes,
	// digests and sealed keys can then be read and changed on the way.
	AllowPlaintext bool
}

// A Store is a namespace of a Redis server. It is safe for concurrent use. Each call of
// the server ends within two seconds, even if the context lasts longer. The outcome of a
// write that timed out is unknown, and the store does not try it again.
type Store struct {
	db     redis.UniversalClient
	dial   func() redis.UniversalClient // makes another client of the same server
	prefix string

	open    context.Context // ends when Close is called
	close   context.CancelFunc
	closeDB func() error // closes db; later calls return the result of the first
}

var (
	_ store.Store  = (*Store)(nil)
	_ store.Hinter = (*Store)(nil)
)

// Open returns the store at a DSN. ctx bounds only the opening. cfg may be nil. The DSN
// has one of these forms:
//
//	redis://user:password@host:port/database
//	rediss://user:password@host:port/database   (TLS)
//	unix://user:password@/path?db=database
//	redis://user:password@host:port?addr=host:port&addr=host:port   (a cluster)
//	redis://user:password@sentinel:26379/database?master_name=mymaster&addr=sentinel2:26379&username=u&password=p   (Sentinel)
//
// Clusters and sentinels also have the form with rediss. Other parameters are those of
// go-redis, such as pool_size. Parameters for timeouts and retries have no effect.
//
// Open sets up an empty namespace. It returns an error that names every fault if ctx is
// nil, or if dsn or the Namespace is invalid. It also returns an error if the namespace
// holds other keys or the data of a version that is more than one newer, and if the
// server is a replica or may forget acknowledged writes, see [Config]. A DSN without
// TLS must name a loopback address or a Unix socket, unless AllowPlaintext is set. The
// same holds for the servers that a cluster or a sentinel names.
//
// # Sentinel
//
// With a master_name, the host and each addr are sentinels. The user and the password
// before the host are for the sentinels. The parameters username and password are for
// the Redis server. Both users must be allowed to call ROLE. With rediss, the certificate
// of each sentinel and each server must be valid for the address in the DSN or the one
// that a sentinel reports. The client connects only to the master, and asks for it at
// least every 30 seconds. go-redis writes to its log, see [redis.SetLogger], when it
// selects a sentinel and when the master changes. It also writes which sentinels fail,
// about once a second. Open checks only the present master for settings that may forget
// writes, so give the same settings to its replicas.
//
// During a failover, calls fail. A write that was under way may have been done or not,
// and the store does not repeat it. Redis replicates asynchronously: the new master may
// lack writes that the former one has acknowledged, so that tokens that were revoked at
// the last moment are valid again. Set min-replicas-to-write to 1 or more, and
// min-replicas-max-lag to a few seconds, at every server. A master whose replicas lag by
// more than that then refuses writes. This narrows the loss to writes of that time.
//
// A node that reaches the former master, but no sentinel that knows the new one, goes on
// with the former master. It misses revocations until it reaches such a sentinel, and its
// writes are lost later. With the settings above, its writes fail instead.
//
// Running nodes notice by their [store.Cursor] that the new master lacks changes. They
// keep refusing the tokens and sessions that they knew to be revoked, as after the
// restoration of an older copy. SECURITY.md lists the limits of this.
func Open(ctx context.Context, dsn string, cfg *Config) (*Store, error) {
	var c Config
	if cfg != nil {
		c = *cfg
	}

	s, err := connect(ctx, dsn, c)
	if err != nil {
		return nil, err
	}
	if err := s.check(ctx, c.AllowVolatile); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Version returns the version of the data in the namespace, and the newest version that
// this program knows. Both are at least 1, but stored is 0 if the namespace is not set up
// yet. [Open] brings older data to the newest version as it is used, and refuses data that
// is more than one version newer. Version changes nothing. The arguments are those of Open.
func Version(ctx context.Context, dsn string, cfg *Config) (stored, known int, err error) {
	var c Config
	if cfg != nil {
		c = *cfg
	}

	s, err := connect(ctx, dsn, c)
	if err != nil {
		return 0, 0, err
	}
	defer s.Close()

	var node *redis.Client
	err = call(ctx, func(ctx context.Context) (err error) {
		node, err = s.node(ctx)
		return err
	})
	if err == nil {
		stored, err = s.storedFormat(ctx, node)
	}
	if err == nil && stored == 0 {
		err = s.checkEmpty(ctx, node)
	}
	return stored, format, err
}

// Close closes the connections. Calls under way, later calls and Hint return errors.
func (s *Store) Close() error {
	s.close()
	return s.closeDB()
}

// call runs f, which makes one call of the server, within patience.
func call(ctx context.Context, f func(context.Context) error) error {
	return callWithin(ctx, patience, f)
}

// callWithin is like call, with the given time limit.
func callWithin(ctx context.Context, patience time.Duration, f func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}

	short, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := f(short)
	switch {
	case err == nil:
		return nil
	case over(ctx) != nil:
		return fmt.Errorf("redis: %w", errors.Join(over(ctx), err))
	case over(short) != nil:
		return fmt.Errorf("redis: no answer within %v: %w", patience, err)
	}
	return fmt.Errorf("redis: %w", err)
}

// over returns the reason why ctx has ended, or nil. It compares the deadline itself,
// because a connection may notice its deadline before ctx does.
func over(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}
