package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// format is the version of the data. Each version only adds to the data of the one
// before, so that both can use a namespace at the same time.
const format = 2

// check checks the server and the namespace, and sets up an empty namespace.
func (s *Store) check(ctx context.Context, volatile bool) error {
	var node *redis.Client
	err := call(ctx, func(ctx context.Context) (err error) {
		node, err = s.node(ctx)
		return err
	})
	if err != nil {
		return err
	}

	if err := checkServer(ctx, node, volatile); err != nil {
		return err
	}

	stored, err := s.storedFormat(ctx, node)
	switch {
	case err != nil:
		return err
	case stored > format+1:
		return fmt.Errorf("redis: the namespace %s has format %d, and this version knows up to %d", s.prefix, stored, format)
	case stored == 0:
		if err := s.checkEmpty(ctx, node); err != nil {
			return err
		}
	}

	// The script of a snapshot also sets up the namespace and its format.
	_, _, err = s.snapshot(ctx, stored == 0)
	return err
}

// checkServer returns an error if the server is a replica or may forget writes.
func checkServer(ctx context.Context, node *redis.Client, volatile bool) error {
	var text string
	err := call(ctx, func(ctx context.Context) (err error) {
		text, err = node.Info(ctx).Result()
		return err
	})
	if err != nil {
		return err
	}

	info := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		info[name] = value
	}
	if info["role"] != "master" {
		return fmt.Errorf("redis: the server is a %q, and must be a master", info["role"])
	}

	if volatile {
		return nil
	}

	var errs []error
	if info["aof_enabled"] != "1" {
		errs = append(errs, errors.New("redis: the server has no append-only file and would forget revocations: set appendonly yes, or allow volatile servers"))
	}
	// The volatile-* policies evict only keys that expire. The keys of a Store do not.
	if p := info["maxmemory_policy"]; p != "noeviction" && !strings.HasPrefix(p, "volatile-") {
		errs = append(errs, fmt.Errorf("redis: the server's maxmemory-policy is %q and may evict revocations: set noeviction, or allow volatile servers", p))
	}
	return errors.Join(errs...)
}

// storedFormat returns the format of the namespace, or 0 if it has none.
func (s *Store) storedFormat(ctx context.Context, node *redis.Client) (int, error) {
	var text string
	err := call(ctx, func(ctx context.Context) (err error) {
		text, err = node.Get(ctx, s.prefix+"format").Result()
		return err
	})

	switch n, errN := strconv.Atoi(text); {
	case errors.Is(err, redis.Nil):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("%w (key %s)", err, s.prefix+"format")
	case errN != nil || n < 1:
		return 0, fmt.Errorf("redis: %s holds %.20q: the namespace is not ours", s.prefix+"format", text)
	default:
		return n, nil
	}
}

// checkEmpty returns an error if a namespace without a format holds keys.
func (s *Store) checkEmpty(ctx context.Context, node *redis.Client) error {
	var keys []string
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		err := call(ctx, func(ctx context.Context) (err error) {
			keys, cursor, err = node.Scan(ctx, cursor, s.prefix+"*", 10_000).Result()
			return err
		})
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			continue
		}
		// Another node may have set up the namespace since.
		if stored, err := s.storedFormat(ctx, node); stored > 0 || err != nil {
			return err
		}
		return fmt.Errorf("redis: the namespace holds the key %.200q, which is not ours", keys[0])
	}
	return nil
}
