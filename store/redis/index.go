package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/record"
)

// Clients, users and API keys are listed from sorted sets of their names, which all
// scripts of this version maintain. A node of the previous version does not know these
// sets. But each of its writes is a change, so that a script learns from the changes
// which records to add or to remove. It does so before a list is read, before records
// are created, and in each Sweep.
//
// The changes do not suffice if more were made than are kept, or if the namespace comes
// from the previous version. The store then looks for all records with SCAN. In a
// namespace that only this version uses, this never happens.

const (
	scanCount  = 10_000 // keys that the server examines in one step, while others wait
	indexBatch = 500    // records that one script indexes
)

// list returns a page of records after a name. decode decodes one record.
func list[T any](
	ctx context.Context, s *Store, kind, client, after string, limit int, decode func(name string, r *hash) (*T, error),
) ([]T, error) {
	if err := record.CheckLimit(limit); err != nil {
		return nil, err
	}

	reply, err := s.run(ctx, listRecords, rand.Text(), kind, client, after, limit)
	if err == nil && reply == "unindexed" {
		if err = s.index(ctx); err == nil {
			reply, err = s.run(ctx, listRecords, rand.Text(), kind, client, after, limit)
		}
	}
	if err != nil {
		return nil, err
	}

	found, ok := reply.([]any)
	if !ok {
		return nil, fmt.Errorf("redis: a script returned %v", reply)
	}

	var all []T
	for _, item := range found {
		name, r, err := decodeFields(item)
		if err != nil {
			return nil, err
		}
		v, err := decode(name, r)
		if err != nil {
			return nil, err
		}
		all = append(all, *v)
	}
	return all, nil
}

// stored returns a record, including the fields that a node of the previous version has
// dropped.
func (s *Store) stored(ctx context.Context, kind, name string) (*hash, error) {
	reply, err := s.run(ctx, readRecord, kind, name)
	if err != nil {
		return nil, err
	}
	if parts, ok := reply.([]any); ok && len(parts) == 0 {
		return nil, store.ErrNotFound
	}
	_, r, err := decodeFields(reply)
	return r, err
}

// decodeFields decodes the name, the key and the fields of a record.
func decodeFields(reply any) (name string, r *hash, err error) {
	parts, _ := reply.([]any)
	if len(parts) != 3 {
		return "", nil, fmt.Errorf("redis: a script returned %v", reply)
	}
	r = &hash{fields: map[string]string{}}
	name, _ = parts[0].(string)
	r.key, _ = parts[1].(string)
	maps.Insert(r.fields, pairs(parts[2]))
	return name, r, nil
}

// update stores the changed fields of a record if the fields that were read are still
// the same. scopes are the scopes that are added to an API key.
func (s *Store) update(ctx context.Context, kind, name string, raise bool, read, changed []any, scopes ...any) (stored bool, err error) {
	args := append([]any{kind, name, formatFlag(raise)}, counted(read...)...)
	args = append(args, counted(changed...)...)
	err = s.change(ctx, updateRecord, append(args, counted(scopes...)...)...)
	if errors.Is(err, errChanged) {
		return false, nil
	}
	return err == nil, err
}

// index brings the indexes up to date. It scans all records only if the changes do not
// suffice.
func (s *Store) index(ctx context.Context) error {
	reply, err := s.run(ctx, catchUp, rand.Text())
	if err != nil || reply == "ok" {
		return err
	}
	last, ok := reply.(string)
	if !ok {
		return fmt.Errorf("redis: a script returned %v", reply)
	}
	if err := s.indexAll(ctx); err != nil {
		return err
	}

	// The scan may have missed records that changed since it began. Their changes are
	// after last.
	err = call(ctx, func(ctx context.Context) error { return s.db.Set(ctx, s.prefix+"indexed", last, 0).Err() })
	if err != nil {
		return fmt.Errorf("%w (key %sindexed)", err, s.prefix)
	}
	return s.do(ctx, catchUp, rand.Text())
}

// indexAll looks for all clients, users and API keys.
func (s *Store) indexAll(ctx context.Context) error {
	var node *redis.Client
	err := call(ctx, func(ctx context.Context) (err error) {
		node, err = s.node(ctx)
		return err
	})
	if err != nil {
		return err
	}

	var keys []string
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		err := call(ctx, func(ctx context.Context) (err error) {
			keys, cursor, err = node.Scan(ctx, cursor, s.prefix+"[acu]*", scanCount).Result()
			return err
		})
		if err != nil {
			return err
		}

		if err := s.indexKeys(ctx, keys); err != nil {
			return err
		}
	}
	return nil
}

// indexKeys indexes the records among keys.
func (s *Store) indexKeys(ctx context.Context, keys []string) error {
	for kind, prefix := range map[string]string{"client": "client:", "user": "user:", "apikey": "apikeyid:"} {
		var names []any
		for _, key := range keys {
			if name, ok := strings.CutPrefix(key, s.prefix+prefix); ok {
				names = append(names, name)
			}
		}

		for len(names) > 0 {
			n := min(indexBatch, len(names))
			if err := s.do(ctx, indexRecords, append([]any{kind}, counted(names[:n]...)...)...); err != nil {
				return err
			}
			names = names[n:]
		}
	}
	return nil
}
