package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// hintBlock is how long the server waits for a change before it answers that there is
// none. A broken connection is noticed after that time at the latest.
const hintBlock = 2 * time.Second

// Hint implements [store.Hinter], on a connection of its own. It also calls f at the
// beginning, for changes that were made before. It returns when the connection breaks or
// the store is closed. Callers that want more hints call it again after a while.
func (s *Store) Hint(ctx context.Context, f func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	db := s.dial()
	defer db.Close()
	// Closing the client also ends a read that waits.
	for _, end := range []context.Context{ctx, s.open} {
		defer context.AfterFunc(end, func() { db.Close() })()
	}

	last, err := s.lastChange(ctx, db)
	for err == nil {
		f()
		last, err = s.nextChange(ctx, db, last)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// lastChange returns the ID of the last change.
func (s *Store) lastChange(ctx context.Context, db redis.UniversalClient) (id string, err error) {
	err = call(ctx, func(ctx context.Context) error {
		entries, err := db.XRevRangeN(ctx, s.prefix+"changes", "+", "-", 1).Result()
		id = "0-0"
		if len(entries) == 1 {
			id = entries[0].ID
		}
		return err
	})
	return id, err
}

// nextChange waits for changes after the last one, and returns the ID of the latest.
func (s *Store) nextChange(ctx context.Context, db redis.UniversalClient, last string) (string, error) {
	for {
		short, cancel := context.WithTimeout(ctx, hintBlock+patience)
		streams, err := db.XRead(short, &redis.XReadArgs{Streams: []string{s.prefix + "changes", last}, Block: hintBlock}).Result()
		cancel()

		switch {
		case errors.Is(err, redis.Nil):
			// If the stream began anew, XREAD would wait for a number that never comes.
			now, err := s.lastChange(ctx, db)
			if err != nil || now != last {
				return now, err
			}
		case err != nil:
			return "", fmt.Errorf("redis: %w", err)
		case len(streams) == 1 && len(streams[0].Messages) > 0:
			return streams[0].Messages[len(streams[0].Messages)-1].ID, nil
		}
	}
}
