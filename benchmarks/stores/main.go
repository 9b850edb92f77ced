// Command stores measures a store by itself.
//
//	go run ./benchmarks/stores -store sqlite -dsn bench.db
//	go run ./benchmarks/stores -store postgres -dsn postgres://postgres@127.0.0.1/test
//	go run ./benchmarks/stores -store redis -dsn redis://127.0.0.1:6379/0
//
// It fills the store with tokens, reads some of them one after another, and lets
// 64 clients refresh at once, with and without changes of others on the feed. It
// leaves its records in the store.
package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"log"
	mrand "math/rand/v2"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/postgres"
	"github.com/authtier/authtier/store/redis"
	"github.com/authtier/authtier/store/sqlite"
)

func main() {
	log.SetFlags(0)
	kind := flag.String("store", "sqlite", "memory, sqlite, postgres or redis")
	dsn := flag.String("dsn", "", "a file, or the store's connection string")
	tokens := flag.Int("tokens", 1_000_000, "how many tokens the store holds while it is read")
	counters := flag.Int("counters", 0, "if not 0, how many counters are told, and what a report over a year takes, too")
	seconds := flag.Float64("seconds", 3, "how long refreshes are measured, each of six times")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *kind, *dsn, *tokens, *counters, time.Duration(*seconds*float64(time.Second))); err != nil {
		log.Fatal("stores: ", err)
	}
}

func open(ctx context.Context, kind, dsn string) (store.Store, error) {
	switch kind {
	case "memory":
		return memory.New(), nil
	case "sqlite":
		return sqlite.Open(ctx, dsn)
	case "postgres":
		return postgres.Open(ctx, dsn, &postgres.Config{AllowVolatile: true, AllowPlaintext: true})
	case "redis":
		return redis.Open(ctx, dsn, &redis.Config{AllowVolatile: true, AllowPlaintext: true})
	}
	return nil, fmt.Errorf("-store %q: expected memory, sqlite, postgres or redis", kind)
}

func run(ctx context.Context, w io.Writer, kind, dsn string, tokens, counters int, d time.Duration) error {
	if tokens < 100 || d <= 0 {
		return fmt.Errorf("expected at least a hundred -tokens, and some -seconds")
	}
	s, err := open(ctx, kind, dsn)
	if err != nil {
		return err
	}
	if c, ok := s.(io.Closer); ok {
		defer c.Close()
	}
	fmt.Fprintf(w, "%s, %s, %d cores, %s\n\n", kind, runtime.Version(), runtime.NumCPU(), time.Now().UTC().Format(time.DateOnly))
	fmt.Fprint(w, "| what | p50 | p99 |\n|---|--:|--:|\n")
	run := rand.Text()
	began := time.Now()
	if err := fill(ctx, s, run, tokens); err != nil {
		return err
	}
	filled := time.Since(began)
	for _, m := range []struct {
		what string
		once func(i int) error
	}{
		{fmt.Sprintf("read one of %d tokens by its digest", tokens), func(int) error {
			_, err := s.Token(ctx, secret(run, mrand.IntN(tokens)))
			return err
		}},
		{"store a token", func(i int) error { return s.PutTokens(ctx, token(run, tokens+i, false)) }},
		{"revoke a token", func(i int) error {
			return s.Revoke(ctx, store.Change{Kind: store.KindToken, ID: fmt.Sprint(run, tokens+i), Until: time.Now().Add(time.Hour)})
		}},
		{"read the changes since the last one", func() func(int) error {
			_, cursor, err := s.Snapshot(ctx)
			return func(int) error {
				if err == nil {
					_, cursor, err = s.Since(ctx, cursor)
				}
				return err
			}
		}()},
	} {
		p50, p99, err := latencies(min(2000, tokens), m.once)
		if err != nil {
			return fmt.Errorf("%s: %w", m.what, err)
		}
		fmt.Fprintf(w, "| %s | %s | %s |\n", m.what, show(p50), show(p99))
	}
	fmt.Fprintf(w, "\n%d tokens were stored in %v, 4 callers at once, 100 tokens in a call.\n", tokens, filled.Round(time.Second))
	if err := refreshes(ctx, w, s, run, d); err != nil || counters == 0 {
		return err
	}
	var settle func() error
	if kind == "postgres" {
		settle = func() error { return analyze(ctx, dsn) }
	}
	return usage(ctx, w, s, counters, days, settle)
}

// analyze updates the statistics, which the database server would do by itself within a
// minute.
func analyze(ctx context.Context, dsn string) error {
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, `ANALYZE`)
	return err
}

func show(d time.Duration) string { return d.Round(100 * time.Nanosecond).String() }

func secret(run string, n int) store.Digest { return store.DigestOf(fmt.Sprint(run, ":", n)) }

func token(run string, n int, refresh bool) store.Token {
	now := time.Now()
	return store.Token{
		ID: fmt.Sprint(run, n), Family: fmt.Sprint(run, "f", n), Client: "app", User: "ada", Audience: "https://api.example.com", Scopes: "read files",
		Digest: secret(run, n), Refresh: refresh, Issued: now, Expires: now.Add(time.Hour), FamilyEnds: now.Add(24 * time.Hour),
	}
}

// fill stores n tokens.
func fill(ctx context.Context, s store.Store, run string, n int) error {
	const together = 100
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, 4)
	for range cap(errs) {
		wg.Go(func() {
			for {
				from := int(next.Add(together)) - together
				if from >= n {
					return
				}
				var ts []store.Token
				for i := from; i < min(n, from+together); i++ {
					ts = append(ts, token(run, i, false))
				}
				if err := s.PutTokens(ctx, ts...); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

func latencies(n int, once func(i int) error) (p50, p99 time.Duration, err error) {
	took := make([]time.Duration, n)
	for i := range took {
		began := time.Now()
		if err := once(i); err != nil {
			return 0, 0, err
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return took[n/2], took[n*99/100], nil
}

// refreshes measures rotations by 64 clients at once: alone, and while others
// revoke and follow. Both take turns, so that the machine is the same for both.
func refreshes(ctx context.Context, w io.Writer, s store.Store, run string, d time.Duration) error {
	var rates [2][]float64
	for turn := range 6 {
		stop := func() {}
		if turn%2 == 1 {
			stop = busyFeed(ctx, s)
		}
		rate, err := rotate(ctx, s, fmt.Sprint(run, "turn", turn), d)
		stop()
		if err != nil {
			return err
		}
		rates[turn%2] = append(rates[turn%2], rate)
	}
	for i := range rates {
		slices.Sort(rates[i])
	}
	alone, beside := rates[0][1], rates[1][1]
	_, err := fmt.Fprintf(w, "\n64 refreshes at once: %.0f a second alone, %.0f a second while three nodes follow the changes of 20 revocations a second: %.2f of it.\n",
		alone, beside, beside/alone)
	return err
}

func rotate(ctx context.Context, s store.Store, run string, d time.Duration) (rate float64, err error) {
	var count atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, 64)
	began := time.Now()
	for c := range errs {
		wg.Go(func() {
			n := c << 32
			if errs[c] = s.PutTokens(ctx, token(run, n, true)); errs[c] != nil {
				return
			}
			for ; time.Since(began) < d; n++ {
				next := token(run, n+1, true)
				next.Family = fmt.Sprint(run, "f", c<<32)
				if errs[c] = s.RotateRefreshToken(ctx, secret(run, n), "app", time.Now(), 0, next); errs[c] != nil {
					return
				}
				count.Add(1)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return float64(count.Load()) / time.Since(began).Seconds(), nil
}

// busyFeed revokes and follows until the function that it returns is called.
func busyFeed(ctx context.Context, s store.Store) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	every := func(d time.Duration, f func()) {
		wg.Go(func() {
			for tick := time.NewTicker(d); ; {
				select {
				case <-ctx.Done():
					tick.Stop()
					return
				case <-tick.C:
					f()
				}
			}
		})
	}
	var n atomic.Uint64
	every(50*time.Millisecond, func() {
		id := string(binary.BigEndian.AppendUint64(nil, n.Add(1)))
		s.Revoke(ctx, store.Change{Kind: store.KindToken, ID: "busy" + id, Until: time.Now().Add(time.Hour)})
	})
	for range 3 {
		_, cursor, err := s.Snapshot(ctx)
		every(400*time.Millisecond, func() {
			if err == nil {
				_, cursor, err = s.Since(ctx, cursor)
			}
		})
	}
	return func() {
		cancel()
		wg.Wait()
	}
}
