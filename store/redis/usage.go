package redis

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/authtier/authtier/store"
)

// Counts of one issuer and API, a series, and one day are a hash, from stream and
// counter to the total and what it is of. A series has a sorted set of its days.
// A hash of streams says what each has told.

const (
	tellBatch = 500  // counts that one script takes, while the server waits
	scanBatch = 1000 // counts that a report reads at once
)

// Tell implements [store.Usage]. Counts are told in batches; the last one tells
// the sequence number, so that it is acknowledged only with all of them.
func (s *Store) Tell(ctx context.Context, stream store.Stream, seq uint64, through time.Time, cs []store.Count) (had uint64, err error) {
	for _, c := range cs {
		if c.Total < 0 {
			return 0, fmt.Errorf("redis: counter %d has the total %d", c.Counter, c.Total)
		}
	}
	for {
		n := min(len(cs), tellBatch)
		last := n == len(cs)
		reply, err := s.run(ctx, tell, tellArgs(stream, last, seq, through, cs[:n])...)
		if err != nil {
			return 0, err
		}
		if last {
			text, _ := reply.(string)
			if had, err = strconv.ParseUint(text, 10, 64); err != nil {
				return 0, fmt.Errorf("redis: a script returned %v", reply)
			}
			return had, nil
		}
		cs = cs[n:]
	}
}

func tellArgs(stream store.Stream, last bool, seq uint64, through time.Time, cs []store.Count) []any {
	id := hex.EncodeToString(stream[:])
	args := []any{id, formatFlag(last), seq, formatTime(through), len(cs)}
	for _, c := range cs {
		args = append(args, series(c.Issuer, c.API), c.Day, fmt.Sprintf("%s:%d", id, c.Counter), c.Total,
			formatList([]string{c.Client, c.Product, c.Label}))
	}
	return args
}

// series names what an issuer counts of an API.
func series(issuer, api string) string { return fmt.Sprintf("%d:%s%s", len(issuer), issuer, api) }

// Report implements [store.Usage].
func (s *Store) Report(ctx context.Context, q store.Query) (iter.Seq2[store.Row, error], time.Time, error) {
	complete, err := s.complete(ctx) // before the counts, which only grow
	if err != nil {
		return nil, time.Time{}, err
	}
	days, err := s.days(ctx, q)
	if err != nil {
		return nil, time.Time{}, err
	}
	sums := map[[2]string]store.Row{}
	for _, day := range days {
		counts, err := s.counts(ctx, fmt.Sprintf("counts:%s:%s", day, series(q.Issuer, q.API)))
		if err != nil {
			return nil, time.Time{}, err
		}
		for _, c := range counts {
			add(sums, q, c)
		}
	}
	rows := slices.SortedFunc(maps.Values(sums), func(a, b store.Row) int {
		return cmp.Or(cmp.Compare(a.Client, b.Client), cmp.Compare(a.Product, b.Product))
	})
	return func(yield func(store.Row, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}, complete, nil
}

// add adds a count to its client's and product's row.
func add(sums map[[2]string]store.Row, q store.Query, c store.Row) {
	if c.Quantity == 0 || q.Client != "" && c.Client != q.Client {
		return
	}
	key := [2]string{c.Client, c.Product}
	if before, ok := sums[key]; ok {
		c.Label = max(c.Label, before.Label)
		if c.Quantity > math.MaxInt64-before.Quantity {
			c.Quantity = math.MaxInt64
		} else {
			c.Quantity += before.Quantity
		}
	}
	sums[key] = c
}

// complete returns up to when every stream has told its counts.
func (s *Store) complete(ctx context.Context) (complete time.Time, err error) {
	r, err := s.record(ctx, "streams")
	if errors.Is(err, store.ErrNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	first := true
	for stream, told := range r.fields {
		_, text, ok := strings.Cut(told, " ")
		through, err := parseTime(text)
		if !ok || err != nil {
			return time.Time{}, fmt.Errorf("redis: %.200q has %.100q for the stream %.100q", r.key, told, stream)
		}
		if first || through.Before(complete) {
			complete, first = through, false
		}
	}
	return complete, nil
}

// days returns the days within q that have counts.
func (s *Store) days(ctx context.Context, q store.Query) (days []string, err error) {
	key := s.prefix + "days:" + series(q.Issuer, q.API)
	err = call(ctx, func(ctx context.Context) (err error) {
		days, err = s.db.ZRangeByScore(ctx, key, &redis.ZRangeBy{Min: strconv.Itoa(q.From), Max: strconv.Itoa(q.To)}).Result()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%w (key %.200q)", err, key)
	}
	return days, nil
}

// counts reads the counts under a key, piece by piece. A piece may repeat what
// another had, and be the newer one.
func (s *Store) counts(ctx context.Context, name string) (map[string]store.Row, error) {
	key, counts := s.prefix+name, map[string]store.Row{}
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
			row, err := decodeCount(piece[i+1])
			if err != nil {
				return nil, fmt.Errorf("redis: the count %.100q of %.200q is not ours: %w", piece[i], key, err)
			}
			if row.Quantity >= counts[piece[i]].Quantity {
				counts[piece[i]] = row
			}
		}
	}
	return counts, nil
}

func decodeCount(text string) (r store.Row, err error) {
	total, what, _ := strings.Cut(text, " ")
	if r.Quantity, err = strconv.ParseInt(total, 10, 64); err != nil {
		return r, err
	}
	var names []string
	if err := json.Unmarshal([]byte(what), &names); err != nil {
		return r, err
	}
	if len(names) != 3 || r.Quantity < 0 {
		return r, errors.New("it does not name a client, a product and a label")
	}
	r.Client, r.Product, r.Label = names[0], names[1], names[2]
	return r, nil
}
