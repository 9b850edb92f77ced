package redis_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/services"
	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/redis"
)

var all = store.Query{API: "a", Issuer: "i", To: today() + 1}

// longAgo is a day that accepts no more counts.
const longAgo = 20_000

func adjustment(key string, day store.Day) store.Adjustment {
	return store.Adjustment{Key: key, API: "a", Issuer: "i", Client: "c", Product: "p", Day: day, Quantity: 1, Reason: "r"}
}

// rows returns the rows of a report.
func rows(t *testing.T, h *redis.Store, q store.Query) []store.Row {
	t.Helper()
	report, err := h.Report(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	var rs []store.Row
	for r, err := range report.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		rs = append(rs, r)
	}
	return rs
}

// quantity returns the use of all clients.
func quantity(t *testing.T, h *redis.Store) (sum int64) {
	t.Helper()
	for _, r := range rows(t, h, all) {
		sum += r.Quantity
	}
	return sum
}

// TestFoldedExactly folds totals of one client. Some of them, or their sum, are too large
// for floating-point numbers or for int64.
func TestFoldedExactly(t *testing.T) {
	for _, totals := range [][]int64{
		{0}, {0, 0, 7}, {999_999_999, 1}, {1, 999_999_999, 1_000_000_000, 999_999_999_999_999_999},
		{1<<53 + 1, 1}, {1<<53 + 1, 1<<53 + 3, 1 << 62, 5}, {math.MaxInt64 - 10, 9}, {math.MaxInt64 - 10, 10},
		{1_000_000_000_000_000_000, 1}, {4_611_686_018_427_387_904, 4_611_686_018_427_387_903},
		{math.MaxInt64 - 10, 11}, {math.MaxInt64, math.MaxInt64, math.MaxInt64}, {1, math.MaxInt64},
	} {
		h := open(t, services.SharedRedis(t).DSN(), redis.Config{Namespace: services.Name()})
		var want int64
		for i, total := range totals {
			c := store.Count{Counter: uint32(i), API: "a", Issuer: "i", Client: "c", Product: "p", Total: total}
			for _, s := range []store.Stream{{byte(i)}, {255}} { // a stream of its own, and a shared one
				if _, err := h.Record(t.Context(), s, store.Batch{Seq: 1, Counts: []store.Count{c}}); err != nil {
					t.Fatal(err)
				}
				if want += total; want < 0 {
					want = math.MaxInt64
				}
			}
		}
		for _, what := range []string{"before", "after"} {
			if got := quantity(t, h); got != want {
				t.Errorf("%v %s: got %d, want %d", totals, what, got, want)
			}
			if err := h.Sweep(t.Context(), time.Now()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestFoldAndRecord records old counts through one handle, while two others fold and a
// fourth one reports. Acknowledged counts must be counted exactly once. A report must never
// be too high, or lower than an earlier one.
func TestFoldAndRecord(t *testing.T) {
	t.Run("day=small", func(t *testing.T) { testFoldAndRecord(t, 0, 5*time.Millisecond) })
	t.Run("day=large", func(t *testing.T) { testFoldAndRecord(t, 6000, 250*time.Millisecond) })
}

func testFoldAndRecord(t *testing.T, more int, pause time.Duration) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dsn, cfg := services.SharedRedis(t).DSN(), redis.Config{Namespace: services.Name()}
	cs := []store.Count{{Day: today()}} // keeps the stream from being folded
	for i := range uint32(2 * more) {
		cs = append(cs, store.Count{Counter: i + 1, Day: store.Day(i % 2), API: "a", Issuer: "i"})
	}
	if _, err := open(t, dsn, cfg).Record(ctx, store.Stream{255}, store.Batch{Seq: 1, Counts: cs}); err != nil {
		t.Fatal(err)
	}
	var tried, told atomic.Int64
	var closed atomic.Int32
	var tellers, others sync.WaitGroup
	for worker := range 4 {
		h := open(t, dsn, cfg)
		tellers.Go(func() {
			stream := store.Stream{byte(worker)}
			totals := map[uint32]int64{}
			for n := range 500 {
				counter := uint32(n % 7)
				c := store.Count{Counter: counter, Day: store.Day(counter % 2), API: "a", Issuer: "i", Client: "c", Product: "p", Label: fmt.Sprint(counter), Total: totals[counter] + 1}
				tried.Add(1)
				_, err := h.Record(ctx, stream, store.Batch{Seq: uint64(n + 1), Counts: []store.Count{c}})
				switch {
				case errors.Is(err, store.ErrStreamClosed):
					closed.Add(1)
					tried.Add(-1)
					stream[1]++
					if stream[1] == 0 {
						stream[2]++
					}
					clear(totals)
				case err != nil:
					t.Error(err)
				default:
					told.Add(1)
					totals[counter]++
				}
			}
		})
	}
	for range 2 {
		h := open(t, dsn, cfg)
		others.Go(func() {
			for ctx.Err() == nil {
				if err := h.Sweep(ctx, time.Now()); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
				time.Sleep(pause)
			}
		})
	}
	reports := 0
	h := open(t, dsn, cfg)
	others.Go(func() {
		var last int64
		for ctx.Err() == nil {
			least := told.Load()
			got := quantity(t, h)
			if got < max(last, least) || got > tried.Load()+4 {
				t.Errorf("a report says %d after one of %d, when %d were acknowledged and at most %d told", got, last, least, tried.Load()+4)
			}
			last = got
			reports++
		}
	})
	tellers.Wait()
	cancel()
	others.Wait()
	if got, want := quantity(t, h), told.Load(); got != want {
		t.Errorf("counted %d, want the %d that were acknowledged", got, want)
	}
	if closed.Load() == 0 || reports == 0 {
		t.Errorf("%d batches came after a fold, %d reports", closed.Load(), reports)
	}
	t.Logf("%d told, %d refused, %d reports", told.Load(), closed.Load(), reports)
}

// TestFoldKilled repeatedly kills the server while it folds. Nothing may be lost or counted
// twice, and the next fold must continue the work.
func TestFoldKilled(t *testing.T) {
	const streams, counters = 30, 600
	ctx := t.Context()
	s := services.Redis(t, "appendfsync=always")
	h := open(t, s.DSN(), redis.Config{})
	for stream := range streams {
		var cs []store.Count
		for i := range uint32(counters) {
			cs = append(cs, store.Count{Counter: i, Day: store.Day(i % 3), API: "a", Issuer: "i", Client: fmt.Sprint(i % 50), Product: "p", Total: int64(i)})
		}
		if _, err := h.Record(ctx, store.Stream{byte(stream)}, store.Batch{Seq: 1, Through: time.Now(), Counts: cs}); err != nil {
			t.Fatal(err)
		}
	}
	before := rows(t, h, all)
	cut := 0
	for range 4 {
		ended := make(chan error, 1)
		go func() { ended <- h.Sweep(ctx, time.Now()) }()
		time.Sleep(10 * time.Millisecond)
		s.Kill(t)
		if err := <-ended; err != nil {
			cut++
		}
		s.Start(t)
		recovers(t, h)
		if got := rows(t, h, all); !slices.Equal(got, before) {
			t.Errorf("after a kill: got %+v, want %+v", got, before)
		}
	}
	if err := h.Sweep(ctx, time.Now()); err != nil {
		t.Fatal(err)
	}
	if got := rows(t, h, all); !slices.Equal(got, before) {
		t.Errorf("folded: got %+v, want %+v", got, before)
	}
	for stream := range streams {
		if _, err := h.Record(ctx, store.Stream{byte(stream)}, store.Batch{Seq: 2}); !errors.Is(err, store.ErrStreamClosed) {
			t.Errorf("stream %d: got %v, want %v", stream, err, store.ErrStreamClosed)
		}
	}
	t.Logf("%d of 4 folds were cut", cut)
}

// TestUsageIsForgotten records, folds and adjusts more than one step can drop, and forgets
// all of it. Only the names of the streams may be left.
func TestUsageIsForgotten(t *testing.T) {
	ctx := t.Context()
	s, ns := services.SharedRedis(t), services.Name()
	h := open(t, s.DSN(), redis.Config{Namespace: ns})
	for i := range store.Day(450) {
		stream := store.Stream{byte(i), byte(i >> 8)}
		cs := []store.Count{{API: "a", Issuer: "i", Client: "c", Total: 1, Day: longAgo + i%2}}
		if i == 449 {
			cs = append(cs, store.Count{Counter: 1, API: "b", Issuer: "i", Client: "c", Total: 1, Day: today()})
		}
		_, err := h.Record(ctx, stream, store.Batch{Seq: 1, Counts: cs})
		for _, err := range []error{err, h.Adjust(ctx, adjustment(fmt.Sprint(i), longAgo+i%2))} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if i == 200 {
			if err := h.Sweep(ctx, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := quantity(t, h); got != 900 {
		t.Errorf("counted %d, want 900", got)
	}
	if err := h.ForgetUsage(ctx, today()-store.LateDays-1); err == nil {
		t.Error("days that still accept counts: forgotten")
	}
	if err := h.ForgetUsage(ctx, longAgo+1); err != nil {
		t.Fatal(err)
	}
	if got := quantity(t, h); got != 450 {
		t.Errorf("without the first day, counted %d, want 450", got)
	}
	free := adjustment("1", today())
	free.API = "other"
	for _, err := range []error{
		h.ForgetUsage(ctx, today()-store.LateDays-2), h.Sweep(ctx, time.Now()),
		h.Adjust(ctx, free), // the key can be used again
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if _, err := h.Record(ctx, store.Stream{250}, store.Batch{Seq: 2}); !errors.Is(err, store.ErrStreamClosed) {
		t.Errorf("a stream that was forgotten, and then swept: got %v, want %v", err, store.ErrStreamClosed)
	}
	var left []string
	for key := range dump(t, s, ns) {
		left = append(left, strings.TrimPrefix(key, "{"+ns+"}:"))
	}
	slices.Sort(left)
	day, last := today(), fmt.Sprintf("%x", [16]byte{449 & 255, 1})
	want := []string{
		fmt.Sprintf("adjusted:%d:1:iother", day), "adjustments", "changes", fmt.Sprintf("counts:%s:%d:1:ib", last, day),
		"days:1:ib", "days:1:iother", "ended", "format", "indexed", "places:" + last, "series", "streams", fmt.Sprintf("told:%d:1:ib", day), "youngest",
	}
	if !slices.Equal(left, want) {
		t.Errorf("left are %q, want %q", left, want)
	}
}

// TestForeignUsage damages counts, sums and adjustments. Methods that use them must fail,
// name them, and change nothing.
func TestForeignUsage(t *testing.T) {
	ctx, s := t.Context(), services.SharedRedis(t)
	db := raw(t, s)
	one, three := fmt.Sprintf("%x", store.Stream{1}), fmt.Sprintf("%x", store.Stream{3})
	sum := `["c","p","l"]`
	tell := func(h *redis.Store, stream byte) error {
		c := store.Count{Counter: 1, API: "a", Issuer: "i", Client: "c", Product: "p", Label: "l", Day: longAgo, Total: 5}
		_, err := h.Record(ctx, store.Stream{stream}, store.Batch{Seq: 2, Counts: []store.Count{c}, Ended: stream == 3})
		return err
	}
	sweep := func(h *redis.Store) error { return h.Sweep(ctx, time.Now()) }
	forget := func(h *redis.Store) error { return h.ForgetUsage(ctx, longAgo+5) }
	report := func(h *redis.Store) error { _, err := h.Report(ctx, all); return err }
	adjust := func(h *redis.Store) error {
		return h.Adjust(ctx, adjustment("k", longAgo))
	}
	for _, tt := range []struct {
		key, field string
		values     []string
		f          func(*redis.Store) error
	}{
		{"streams", one, []string{"x", "-1 ", "1 x", "1 -.-"}, func(h *redis.Store) error { return tell(h, 1) }},
		{"ended", three, []string{"x", "-1 ", "", "1 2.3.4"}, func(h *redis.Store) error { return tell(h, 3) }},
		{"counts:" + one + ":20000:1:ia", "1", []string{"x", "", "5", "-5 " + sum, "05 " + sum, "9223372036854775808 " + sum}, func(h *redis.Store) error { return tell(h, 1) }},
		{"counts:" + one + ":20000:1:ia", "1", []string{"x", "", "5", "-5 " + sum, "05 " + sum, "9223372036854775808 " + sum}, sweep},
		{"folded:20000:1:ia", sum, []string{"x", "", "-5", "05", "1e5", "9223372036854775808"}, sweep},
		{"folded:20000:1:ia", "", []string{"x", "", "-5", "1e5", "9223372036854775807"}, sweep},
		{"folded:20000:1:ia", "", []string{"x", "", "-5", "1e5", "9223372036854775807"}, forget},
		{"folded:20000:1:ia", "", []string{"x", "", "-5", "1e5", "9223372036854775807"}, report},
		{"folded:20000:1:ia", "what", []string{"5"}, report},
		{"adjusted:20000:1:ia", "k", []string{"x", "", "1 1 " + sum, " 0 [\"\",\"\",\"\",\"\"]"}, adjust},
		{"adjusted:20000:1:ia", "k", []string{"x", "", "1 1 " + sum, " 0 [\"\",\"\",\"\",\"\"]"}, report},
		{"youngest", "foreign", nil, sweep},
		{"days:1:ia", "foreign", nil, report},
	} {
		ns := services.Name()
		h := open(t, s.DSN(), redis.Config{Namespace: ns})
		for _, err := range []error{tell(h, 2), sweep(h), tell(h, 3), tell(h, 1), adjust(h)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		key := "{" + ns + "}:" + tt.key
		if tt.values == nil {
			do(t, db, "ZADD", key, 1, tt.field)
			tt.values = []string{"foreign"}
		}
		for _, v := range tt.values {
			if v != "foreign" {
				do(t, db, "HSET", key, tt.field, v)
			}
			before := dump(t, s, ns)
			if err := tt.f(h); err == nil || errors.Is(err, store.ErrStreamClosed) || errors.Is(err, store.ErrKeyReused) || !strings.Contains(err.Error(), key) {
				t.Errorf("%q of %s is %q: got %v, want an error that names the key", tt.field, key, v, err)
			}
			if !maps.Equal(before, dump(t, s, ns)) {
				t.Errorf("%q of %s is %q: something was changed", tt.field, key, v)
			}
		}
	}
}

// TestLikeMemory does the same to a Redis store and a store in memory, and compares them.
func TestLikeMemory(t *testing.T) {
	ctx, now := t.Context(), time.Now()
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 0))
		h := open(t, services.SharedRedis(t).DSN(), redis.Config{Namespace: services.Name()})
		both := []store.Store{h, memory.New()}
		total := func() int64 { return r.Int64N(math.MaxInt64/4) >> r.IntN(60) }
		for step := range 300 {
			var f func(s store.Store) (any, error)
			switch k := r.IntN(20); {
			case k < 10:
				batch := store.Batch{Seq: r.Uint64N(1000), Through: now.Add(-time.Duration(r.IntN(1000)) * time.Second), Ended: r.IntN(4) == 0}
				for range r.IntN(5) {
					n := r.IntN(12) // all other fields depend on n, except the total
					batch.Counts = append(batch.Counts, store.Count{
						Counter: uint32(n), Day: today() - 5 - store.Day(n%6), Issuer: "i", Client: fmt.Sprint("c", n%3),
						API: []string{"a", "i:a"}[n%2], Product: fmt.Sprint("p", n%4), Label: fmt.Sprint(n), Total: total(),
					})
				}
				stream := store.Stream{byte(r.IntN(1 + step/3))}
				f = func(s store.Store) (any, error) { return s.Record(ctx, stream, batch) }
			case k < 12:
				at := now.Add(time.Duration(r.IntN(5)-3) * 24 * time.Hour)
				f = func(s store.Store) (any, error) { return nil, s.Sweep(ctx, at) }
			case k < 14:
				a := store.Adjustment{
					Key: fmt.Sprint(r.IntN(20)), API: "a", Issuer: "i", Client: fmt.Sprint("c", r.IntN(3)), Product: "p1",
					Day: today() - store.Day(r.IntN(20)), Quantity: r.Int64N(3) - 1, Reason: `"<é`, Made: now.Round(0).UTC().Add(time.Duration(r.IntN(9))),
				}
				f = func(s store.Store) (any, error) { return nil, s.Adjust(ctx, a) }
			case k < 15:
				day := today() - 10 - store.Day(r.IntN(10))
				f = func(s store.Store) (any, error) {
					return nil, errors.Join(s.Sweep(ctx, now), s.ForgetUsage(ctx, day))
				}
			default:
				q := store.Query{API: []string{"a", "i:a"}[r.IntN(2)], Issuer: "i", From: today() - store.Day(r.IntN(20)), ByDay: r.IntN(2) == 0}
				q.To = q.From + store.Day(r.IntN(20))
				if r.IntN(2) == 0 {
					q.Client = "c1"
				}
				f = func(s store.Store) (any, error) {
					report, err := s.Report(ctx, q)
					if err != nil {
						return nil, err
					}
					as, err := s.Adjustments(ctx, q)
					complete := report.CompleteThrough
					if time.Since(complete) < 10*time.Second && complete.After(now) {
						complete = now // all streams have ended
					}
					var rs []store.Row
					for r, err := range report.Rows() {
						if err != nil {
							return nil, err
						}
						rs = append(rs, r)
					}
					return fmt.Sprint(rs, as, complete.Unix()), err
				}
			}
			got, err := f(both[0])
			want, errWant := f(both[1])
			for _, class := range []error{store.ErrStreamClosed, store.ErrKeyReused} {
				if errors.Is(err, class) != errors.Is(errWant, class) {
					t.Fatalf("seed %d, step %d: error %v, want %v", seed, step, err, errWant)
				}
			}
			if got != want || (err == nil) != (errWant == nil) {
				t.Fatalf("seed %d, step %d: got %v, %v, want %v, %v", seed, step, got, err, want, errWant)
			}
		}
	}
}
