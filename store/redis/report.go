package redis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/authtier/authtier/store"
)

const (
	dayBatch  = 5000 // counts of a day that one script reads
	scanBatch = 1000 // counts that a report reads at once of a larger day

	// If counts are folded while a report reads a larger day, it reads the day again,
	// for about thirty seconds.
	readAgain = 350
	readPause = 100 * time.Millisecond
)

// Report implements [store.Usage].
func (s *Store) Report(ctx context.Context, q store.Query) (*store.Report, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	// Read this time before the counts, so that it does not promise too much.
	complete, err := s.complete(ctx)
	if err != nil {
		return nil, err
	}

	days, err := s.days(ctx, q)
	if err != nil {
		return nil, err
	}

	all := sums{}
	for _, day := range days {
		counts, err := s.counts(ctx, q, day)
		if err != nil {
			return nil, err
		}
		all.add(counts)
		as, err := s.adjusted(ctx, q, day)
		if err != nil {
			return nil, err
		}
		for _, a := range as {
			all.put(q, day, store.Row{Client: a.Client, Product: a.Product, Adjusted: a.Quantity})
		}
	}
	return store.NewReport(all.rows, complete), nil
}

// complete returns the time up to which every stream that has not ended has recorded.
func (s *Store) complete(ctx context.Context) (complete time.Time, err error) {
	now := time.Now()
	r, err := s.hash(ctx, "streams")
	if errors.Is(err, store.ErrNotFound) {
		return now, nil
	}
	if err != nil {
		return time.Time{}, err
	}

	first := true
	for stream, state := range r.fields {
		seq, text, ok := strings.Cut(state, " ")
		_, errSeq := strconv.ParseUint(seq, 10, 64)
		through, err := parseTime(text)
		if !ok || err != nil || errSeq != nil {
			return time.Time{}, fmt.Errorf("redis: %.200q has %.100q for the stream %.100q", r.key, state, stream)
		}

		// The stream that is furthest behind decides.
		if first || through.Before(complete) {
			complete, first = through, false
		}
	}
	return complete, nil
}

// days returns the days within q that have counts or adjustments.
func (s *Store) days(ctx context.Context, q store.Query) (days []store.Day, err error) {
	key := s.prefix + "days:" + series(q.Issuer, q.API)
	var members []string
	err = call(ctx, func(ctx context.Context) (err error) {
		members, err = s.db.ZRangeByScore(ctx, key, &redis.ZRangeBy{Min: strconv.Itoa(int(q.From)), Max: strconv.Itoa(int(q.To))}).Result()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%w (key %.200q)", err, key)
	}

	for _, m := range members {
		day, err := strconv.Atoi(m)
		if err != nil {
			return nil, fmt.Errorf("redis: %.200q has the foreign member %.100q", key, m)
		}
		days = append(days, store.Day(day))
	}
	return days, nil
}

// counts returns the sums of the counts of a day.
func (s *Store) counts(ctx context.Context, q store.Query, day store.Day) (sums, error) {
	name := place(day, q.Issuer, q.API)
	reply, err := s.run(ctx, readDay, name, dayBatch)
	if err != nil {
		return nil, err
	}
	if reply == "large" {
		return s.manyCounts(ctx, q, day)
	}

	parts, _ := reply.([]any)
	if len(parts) != 3 {
		return nil, fmt.Errorf("redis: a script returned %v", reply)
	}
	all := sums{}

	if err := s.folded(all, q, day, maps.Collect(pairs(parts[1]))); err != nil {
		return nil, err
	}

	streams, _ := parts[0].([]any)
	counts, _ := parts[2].([]any)
	for i := range min(len(streams), len(counts)) {
		if err := s.addStream(all, q, day, fmt.Sprint(streams[i]), maps.Collect(pairs(counts[i]))); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// manyCounts reads the counts of a day piece by piece. If some of them were folded in the
// meantime, it begins again.
func (s *Store) manyCounts(ctx context.Context, q store.Query, day store.Day) (sums, error) {
	name := place(day, q.Issuer, q.API)
	for try := range readAgain {
		before, err := s.steps(ctx, name)
		if err != nil {
			return nil, err
		}
		all, err := s.pieces(ctx, q, day)
		if err != nil {
			return nil, err
		}
		after, err := s.steps(ctx, name)
		if err != nil {
			return nil, err
		}
		// The pieces belong together only if no counts were moved in the meantime.
		if before == after {
			return all, nil
		}
		// Wait a little longer after each try, so that the folding can end.
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(min(time.Duration(try)*time.Millisecond, readPause)):
		}
	}
	return nil, fmt.Errorf("redis: the counts of %.200q are being folded", s.prefix+"folded:"+name)
}

func (s *Store) pieces(ctx context.Context, q store.Query, day store.Day) (sums, error) {
	name, all := place(day, q.Issuer, q.API), sums{}
	streams, err := s.members(ctx, "told:"+name)
	if err != nil {
		return nil, err
	}
	for _, stream := range streams {
		counts, err := s.scan(ctx, "counts:"+stream+":"+name)
		if err == nil {
			err = s.addStream(all, q, day, stream, counts)
		}
		if err != nil {
			return nil, err
		}
	}

	counts, err := s.scan(ctx, "folded:"+name)
	if err != nil {
		return nil, err
	}
	return all, s.folded(all, q, day, counts)
}

// steps returns how many times counts of a place were moved or dropped.
func (s *Store) steps(ctx context.Context, place string) (n string, err error) {
	key := s.prefix + "folded:" + place
	err = call(ctx, func(ctx context.Context) (err error) {
		if n, err = s.db.HGet(ctx, key, "").Result(); errors.Is(err, redis.Nil) {
			return nil
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("%w (key %.200q)", err, key)
	}
	return n, nil
}

// addStream adds the counts of a stream that is not folded.
func (s *Store) addStream(to sums, q store.Query, day store.Day, stream string, counts map[string]string) error {
	for counter, text := range counts {
		if err := to.count(q, day, text); err != nil {
			key := s.prefix + "counts:" + stream + ":" + place(day, q.Issuer, q.API)
			return fmt.Errorf("redis: the count %.100q of %.200q is not ours: %w", counter, key, err)
		}
	}
	return nil
}

// folded adds the counts of the streams that were folded.
func (s *Store) folded(to sums, q store.Query, day store.Day, counts map[string]string) error {
	for what, total := range counts {
		var err error
		if what == "" {
			_, err = strconv.ParseUint(total, 10, 53) // the field "" counts moves, see (*Store).steps; it is not a sum
		} else {
			err = to.count(q, day, total+" "+what)
		}
		if err != nil {
			return fmt.Errorf("redis: the sum %.100q of %.200q is not ours: %w", what, s.prefix+"folded:"+place(day, q.Issuer, q.API), err)
		}
	}
	return nil
}

// scan reads a hash piece by piece. A later piece may repeat fields of an earlier one,
// and then holds the newer values.
func (s *Store) scan(ctx context.Context, name string) (map[string]string, error) {
	key, all := s.prefix+name, map[string]string{}
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		var piece []string
		err := call(ctx, func(ctx context.Context) (err error) {
			piece, cursor, err = s.db.HScan(ctx, key, cursor, "", scanBatch).Result()
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("%w (key %.200q)", err, key)
		}
		for i := 0; i+1 < len(piece); i += 2 {
			all[piece[i]] = piece[i+1]
		}
	}
	return all, nil
}

// members returns the members of a set.
func (s *Store) members(ctx context.Context, name string) (all []string, err error) {
	err = call(ctx, func(ctx context.Context) (err error) {
		all, err = s.db.SMembers(ctx, s.prefix+name).Result()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%w (key %.200q)", err, s.prefix+name)
	}
	return all, nil
}
