package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/authtier/authtier/store"
)

const (
	skew        = time.Hour // how much the clocks of machines that use a store may differ
	sweepBatch  = 200       // records that one script drops, while the server waits
	foldBatch   = 500       // counts that one script adds up
	forgetBatch = 200       // streams or adjustments that one script forgets
)

// Sweep implements [store.Sweeper].
func (s *Store) Sweep(ctx context.Context, now time.Time) error {
	before := formatInstant(now.Add(-skew))
	for _, kind := range []string{"token", "session", "signing", "revoked"} {
		// Each script drops only some records, because the server waits for it.
		for more := true; more; {
			reply, err := s.run(ctx, sweep, kind, before, sweepBatch)
			if err != nil {
				return err
			}
			n, ok := reply.(int64)
			if !ok {
				return fmt.Errorf("redis: a script returned %v", reply)
			}
			more = n == sweepBatch
		}
	}
	return errors.Join(s.fold(ctx, store.DayOf(now)-store.LateDays-1), s.index(ctx))
}

// fold folds the streams whose counts are all of days before limit. A stream whose
// folding was interrupted is still among them.
func (s *Store) fold(ctx context.Context, limit store.Day) error {
	key := s.prefix + "youngest"
	for {
		var streams []string
		err := call(ctx, func(ctx context.Context) (err error) {
			streams, err = s.db.ZRangeByScore(ctx, key, &redis.ZRangeBy{Min: "-inf", Max: "(" + strconv.Itoa(int(limit)), Count: sweepBatch}).Result()
			return err
		})
		if err != nil {
			return fmt.Errorf("%w (key %.200q)", err, key)
		}

		if len(streams) == 0 {
			return nil
		}

		for _, stream := range streams {
			if err := s.runAll(ctx, fold, stream, int(limit), foldBatch); err != nil {
				return err
			}
		}
	}
}

// runAll runs a script until it reports that there is no more to do.
func (s *Store) runAll(ctx context.Context, sc *script, args ...any) error {
	for {
		switch reply, err := s.run(ctx, sc, args...); {
		case err != nil:
			return err
		case reply == "ok":
			return nil
		case reply != "more":
			return fmt.Errorf("redis: a script returned %v", reply)
		}
	}
}
