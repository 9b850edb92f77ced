// Command usagecrash kills a server that counts use, again and again under load, and
// compares the report of the store with the records of the clients.
//
//	go run ./benchmarks/usagecrash -store sqlite -kills 200
//	go run ./benchmarks/usagecrash -store postgres -dsn postgres://postgres@127.0.0.1/test
//	go run ./benchmarks/usagecrash -store redis -dsn redis://127.0.0.1:6379/0 -cut
//
// For each client and product, every acknowledged use must have been counted, and every
// counted use must have been attempted: acknowledged <= counted <= attempted.
//
// The server is this program, started once more, with the whole chain of wrappers and a
// journal. Clients never send a request twice. With -cut, the connection to the store is
// cut now and then, after the store has executed a statement and before its reply. The
// database of the DSN should be empty. The program leaves its records there.
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"io"
	"log"
	mrand "math/rand/v2"
	"os"
	"os/signal"
	"runtime"
	"time"
)

func main() {
	log.SetFlags(0)
	if s := os.Getenv(siteVariable); s != "" {
		log.Fatal("usagecrash, server: ", serve(s, os.Stdin, os.Stdout))
	}
	var cfg config
	flag.StringVar(&cfg.store, "store", "sqlite", "memory (held by this process), sqlite, postgres or redis")
	flag.StringVar(&cfg.dsn, "dsn", "", "a file, or the store's connection string; for sqlite a file of its own, if empty")
	flag.IntVar(&cfg.kills, "kills", 200, "how often the server is killed")
	flag.IntVar(&cfg.clients, "clients", 8, "how many clients there are, each with one request at a time")
	flag.BoolVar(&cfg.cut, "cut", false, "cut the connection to the store, after what was asked and before the reply")
	flag.BoolVar(&cfg.unmapped, "unmapped", false, "write the journal every 100 ms, which does lose counts")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, cfg); err != nil {
		log.Fatal("usagecrash: ", err)
	}
}

type config struct {
	store, dsn     string
	kills, clients int
	cut, unmapped  bool
}

func run(ctx context.Context, out io.Writer, cfg config) error {
	dir, err := os.MkdirTemp("", "usagecrash")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b, err := newBackend(ctx, cfg, dir)
	if err != nil {
		return err
	}
	defer b.close()
	s := newSite(cfg, dir)
	s.Kind, s.DSN = b.kind, b.childDSN
	began := time.Now()
	l := newLoad(s)
	for n := range cfg.kills {
		if err := crash(ctx, s, l, lifetime()); err != nil {
			return fmt.Errorf("round %d: %w", n+1, err)
		}
	}
	if err := drain(ctx, s, l); err != nil {
		return err
	}
	fmt.Fprintf(out, "# Usage under SIGKILL\n\nStore %s, connections cut: %v, %s, %d cores, %s; %d kills of a server with %d clients in %s.\n\n",
		cfg.store, cfg.cut, runtime.Version(), runtime.NumCPU(), time.Now().UTC().Format(time.DateOnly), cfg.kills, cfg.clients, time.Since(began).Round(time.Second))
	return check(ctx, out, b, s, l, began)
}

// lifetime returns how long the server may run before it is killed. It is random, and
// may end during the start. Some servers live long enough to flush by themselves.
func lifetime() time.Duration {
	longest := 300 * time.Millisecond
	if mrand.IntN(5) == 0 {
		longest = 2500 * time.Millisecond
	}
	return mrand.N(longest)
}

// crash starts the server, lets clients at it, and kills it.
func crash(ctx context.Context, s *site, l *load, after time.Duration) error {
	c, err := s.start(ctx)
	if err != nil {
		return err
	}
	end := time.After(after)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	select {
	case <-end:
	case addr, ok := <-c.addr:
		if !ok {
			return fmt.Errorf("the server ended by itself: %w", c.kill())
		}
		wait := l.start(ctx, addr)
		<-end
		c.kill()
		cancel()
		wait()
	}
	c.kill()
	return nil
}

// drain starts the server once more, and ends it as one should.
func drain(ctx context.Context, s *site, l *load) error {
	c, err := s.start(ctx)
	if err != nil {
		return err
	}
	addr := <-c.addr
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	l.start(ctx, addr)()
	return c.end()
}

// name returns a name of its own for each run, which may share a database.
func name() string { return "crash-" + rand.Text()[:8] }
