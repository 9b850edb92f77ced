package redis

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/record"
)

// The sequence of changes is a stream. The ID of change n is "n-0". The entry holds the
// change's nonce: a cursor is valid if its entry exists and has its nonce. The stream
// keeps the last 4,096 changes.

// Revoke implements [store.Changes].
func (s *Store) Revoke(ctx context.Context, cs ...store.Change) error {
	if err := record.CheckChanges(cs); err != nil {
		return err
	}
	args := []any{len(cs)}
	for _, c := range cs {
		args = append(args, int(c.Kind), c.ID, formatTime(c.Until), c.Version)
	}
	return s.change(ctx, revoke, args...)
}

// Since implements [store.Changes].
func (s *Store) Since(ctx context.Context, c store.Cursor) ([]store.Change, store.Cursor, error) {
	var entries []redis.XMessage
	err := call(ctx, func(ctx context.Context) (err error) {
		entries, err = s.db.XRange(ctx, s.prefix+"changes", fmt.Sprintf("%d-0", c.N), "+").Result()
		return err
	})
	if err != nil {
		return nil, store.Cursor{}, fmt.Errorf("%w (key %schanges)", err, s.prefix)
	}

	var cs []store.Change
	// The first entry is the cursor itself. Otherwise it belongs to another history.
	for i, e := range entries {
		change, at, err := decodeEntry(e)
		switch {
		case err != nil:
			return nil, store.Cursor{}, fmt.Errorf("redis: the entry %s of %schanges: %w", e.ID, s.prefix, err)
		case i > 0:
			cs, c = append(cs, change), at
		case at != c:
			return nil, store.Cursor{}, store.ErrNotFound
		}
	}

	if len(entries) == 0 {
		return nil, store.Cursor{}, store.ErrNotFound
	}
	return cs, c, nil
}

// decodeEntry returns a change and the cursor after it.
func decodeEntry(e redis.XMessage) (c store.Change, at store.Cursor, err error) {
	r := hash{key: e.ID, fields: map[string]string{}}
	for name, v := range e.Values {
		r.fields[name], _ = v.(string)
	}
	kind := r.number("kind")
	c = store.Change{Kind: store.Kind(kind), ID: r.text("id"), Version: r.number("version"), Until: r.time("until")}

	// A Kind is one byte, to which a damaged number would be cut.
	if uint64(c.Kind) != kind {
		r.fail("kind", "is too high")
	}

	if at, err = decodeCursor(e.ID, r.text("nonce")); err != nil {
		return c, at, err
	}
	return c, at, r.err
}

func decodeCursor(id, nonce string) (c store.Cursor, err error) {
	n, ok := strings.CutSuffix(id, "-0")
	if c.N, err = strconv.ParseUint(n, 10, 64); err != nil || !ok {
		return c, fmt.Errorf("the ID %q is not ours", id)
	}
	b, err := hex.DecodeString(nonce)
	if err != nil || copy(c.Nonce[:], b) != len(c.Nonce) || len(b) != len(c.Nonce) {
		return c, fmt.Errorf("the nonce %q is not ours", nonce)
	}
	return c, nil
}

// snapshotPatience allows for millions of revocations.
const snapshotPatience = 10 * time.Second

// Snapshot implements [store.Changes]. It omits clients and users whose version was never
// raised, because nothing of them is revoked.
func (s *Store) Snapshot(ctx context.Context) ([]store.Change, store.Cursor, error) {
	return s.snapshot(ctx, false)
}

// snapshot implements Snapshot. If empty is true, a namespace without changes holds no
// records either.
func (s *Store) snapshot(ctx context.Context, empty bool) ([]store.Change, store.Cursor, error) {
	var reply any
	err := callWithin(ctx, snapshotPatience, func(ctx context.Context) error {
		node, err := s.node(ctx)
		if err != nil {
			return err
		}

		// The timeouts of the usual client are too short for a large reply.
		patient := &Store{db: node.WithTimeout(snapshotPatience), prefix: s.prefix}
		reply, err = patient.load(ctx, snapshot, []any{rand.Text(), formatFlag(empty)})
		return err
	})
	if err != nil {
		return nil, store.Cursor{}, err
	}

	cs, cursor, err := decodeSnapshot(reply)
	if err != nil {
		return nil, store.Cursor{}, fmt.Errorf("redis: a snapshot of %s: %w", s.prefix, err)
	}
	return cs, cursor, nil
}

// decodeSnapshot decodes the ID and the fields of the last entry, and the hashes of
// versions and of revocations.
func decodeSnapshot(reply any) (cs []store.Change, cursor store.Cursor, err error) {
	parts, _ := reply.([]any)
	if len(parts) != 4 {
		return nil, cursor, fmt.Errorf("it is %v", reply)
	}

	id, _ := parts[0].(string)
	last := map[string]any{}
	for name, value := range pairs(parts[1]) {
		last[name] = value
	}
	if _, cursor, err = decodeEntry(redis.XMessage{ID: id, Values: last}); err != nil {
		return nil, cursor, err
	}

	for field, value := range pairs(parts[2]) {
		c, err := decodeSubject(field)
		if c.Version, _ = strconv.ParseUint(value, 10, 64); err != nil || c.Version == 0 {
			return nil, cursor, fmt.Errorf("%.100q has the version %.50q", field, value)
		}
		cs = append(cs, c)
	}

	for field, value := range pairs(parts[3]) {
		c, errC := decodeSubject(field)
		var errT error
		if c.Until, errT = parseTime(value); errC != nil || errT != nil {
			return nil, cursor, fmt.Errorf("%.100q is revoked until %.50q", field, value)
		}
		cs = append(cs, c)
	}
	return cs, cursor, nil
}

// decodeSubject decodes a kind and an ID.
func decodeSubject(field string) (store.Change, error) {
	kind, id, _ := strings.Cut(field, ":")
	n, err := strconv.ParseUint(kind, 10, 8)
	return store.Change{Kind: store.Kind(n), ID: id}, err
}

// pairs yields the names and values of a flat list.
func pairs(list any) func(func(string, string) bool) {
	return func(yield func(string, string) bool) {
		all, _ := list.([]any)
		for i := 0; i+1 < len(all); i += 2 {
			name, _ := all[i].(string)
			value, _ := all[i+1].(string)
			if !yield(name, value) {
				return
			}
		}
	}
}
