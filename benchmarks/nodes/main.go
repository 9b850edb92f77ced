// Command nodes measures how long other nodes still accept a credential that one node
// has revoked. Three nodes share a store. Each has connections, an issuer and a cache
// of its own.
//
//	go run ./benchmarks/nodes -store postgres -dsn postgres://postgres@127.0.0.1/test
//	go run ./benchmarks/nodes -store redis -dsn redis://127.0.0.1:6379/0
//
// It writes to the database of the DSN, under names of its own, and leaves its records
// there.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/postgres"
	"github.com/authtier/authtier/store/redis"
)

func main() {
	log.SetFlags(0)
	kind := flag.String("store", "postgres", "postgres or redis")
	dsn := flag.String("dsn", "", "the store's connection string")
	races := flag.Int("races", 1000, "how many credentials of each kind are revoked while they are used")
	out := flag.String("out", "", "file for the table; standard output, if empty")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *kind, *dsn, *races, *out); err != nil {
		log.Fatal("nodes: ", err)
	}
}

func run(ctx context.Context, kind, dsn string, races int, out string) error {
	if dsn == "" || races < 1 {
		return fmt.Errorf("expected a -dsn and a positive number of -races")
	}
	var w io.Writer = os.Stdout
	if out != "" {
		f, err := os.Create(out)
		if err != nil {
			return err
		}
		defer f.Close()
		w = io.MultiWriter(f, os.Stdout)
	}
	fmt.Fprintf(w, "# From one node to the others\n\n%s, %s, %d cores, %s; three nodes, %d races of each kind, one revoked and used at once.\n\n",
		kind, runtime.Version(), runtime.NumCPU(), time.Now().UTC().Format(time.DateOnly), races)
	fmt.Fprintf(w, "How long after a revocation had returned on one node the credential was last accepted on the other two, "+
		"from the start of the accepted request. Measured by\n\n```sh\ngo run ./benchmarks/nodes -store %s -races %d -dsn ...\n```\n\n", kind, races)
	fmt.Fprint(w, "| revoked | hints | accepted afterwards | p50 | p99 | longest | bound | held |\n|---|---|--:|--:|--:|--:|--:|---|\n")
	for _, hints := range []bool{true, false} {
		bound := time.Second
		if hints {
			bound = 50 * time.Millisecond
		}
		for _, what := range []string{"token", "API key", "client", "user"} {
			late, err := measure(ctx, kind, dsn, what, races, hints)
			if err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			slices.Sort(late)
			judged := late[len(late)-1] // without hints, the bound applies to all
			if hints {
				judged = at(late, 0.99)
			}
			fmt.Fprintf(w, "| %s | %s | %d of %d | %s | %s | %s | %v | %s |\n", what, map[bool]string{true: "on", false: "cut off"}[hints],
				accepted(late), len(late), show(at(late, 0.5)), show(at(late, 0.99)), show(late[len(late)-1]), bound, yes(judged <= bound))
		}
	}
	return nil
}

// open opens the store. Without hints it has no method Hint.
func open(ctx context.Context, kind, dsn string, hints bool) (store.Store, io.Closer, error) {
	var s interface {
		store.Store
		io.Closer
	}
	var err error
	switch kind {
	case "postgres":
		s, err = postgres.Open(ctx, dsn, &postgres.Config{AllowVolatile: true, AllowPlaintext: true})
	case "redis":
		s, err = redis.Open(ctx, dsn, &redis.Config{AllowVolatile: true, AllowPlaintext: true})
	default:
		err = fmt.Errorf("-store %q: expected postgres or redis", kind)
	}
	if err != nil {
		return nil, nil, err
	}
	if hints {
		return s, s, nil
	}
	return struct{ store.Store }{s}, s, nil
}

// at returns the quantile of sorted durations.
func at(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func accepted(late []time.Duration) (n int) {
	for _, d := range late {
		if d > 0 {
			n++
		}
	}
	return n
}

func show(d time.Duration) string {
	if d <= 0 {
		return "never"
	}
	return d.Round(100 * time.Microsecond).String()
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "**no**"
}
