// Command importing measures how fast authtier imports API keys into SQLite, beside bare
// prepared INSERT statements of the same rows, in one run.
//
//	go run ./benchmarks/importing
//	go run ./benchmarks/importing -keys 1000000 -rounds 3
//
// All parties store the same values in transactions of the same size, with a write-ahead
// log and synchronous=FULL. A bare INSERT reads no file, checks nothing and hashes
// nothing. There are three of them:
//
//	plain    into a table without any key or index
//	unique   into a table with two unique keys, the ID and the digest
//	indexed  into the table of authtier, with its keys and indexes
//
// The parties take turns. The program prints the rate of each round, and the ratio of the
// median of the import to the medians of the others.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"time"
)

func main() {
	log.SetFlags(0)
	var cfg config
	flag.IntVar(&cfg.keys, "keys", 100_000, "how many keys are imported")
	flag.IntVar(&cfg.clients, "clients", 100, "how many clients have them")
	flag.IntVar(&cfg.batch, "batch", 10_000, "how many keys one transaction stores")
	flag.IntVar(&cfg.rounds, "rounds", 5, "how often each party has its turn")
	flag.StringVar(&cfg.authtier, "authtier", "", "the binary; if empty, it is built from ./cmd/authtier")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, cfg); err != nil {
		log.Fatal("importing: ", err)
	}
}

type config struct {
	keys, clients, batch, rounds int
	authtier                     string
}

func run(ctx context.Context, out io.Writer, cfg config) (err error) {
	dir, err := os.MkdirTemp("", "importing")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	if cfg.authtier == "" {
		cfg.authtier = filepath.Join(dir, "authtier")
		build := exec.CommandContext(ctx, "go", "build", "-o", cfg.authtier, "./cmd/authtier")
		if b, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("building authtier: %w\n%s", err, b)
		}
	}
	rows, file, err := makeRows(dir, cfg)
	if err != nil {
		return err
	}
	return compare(ctx, out, cfg, dir, rows, file)
}

// A party stores all rows in a new database, and says how long that took.
type party struct {
	name  string
	store func(ctx context.Context, database string) (time.Duration, error)
}

func compare(ctx context.Context, out io.Writer, cfg config, dir string, rows []row, file string) error {
	parties := []party{
		{"import", func(ctx context.Context, db string) (time.Duration, error) { return importFile(ctx, cfg, db, file) }},
		{"plain", func(ctx context.Context, db string) (time.Duration, error) { return insert(ctx, cfg, db, plain, rows) }},
		{"unique", func(ctx context.Context, db string) (time.Duration, error) { return insert(ctx, cfg, db, unique, rows) }},
		{"indexed", func(ctx context.Context, db string) (time.Duration, error) { return insertIndexed(ctx, cfg, db, rows) }},
	}

	rates := map[string][]float64{}
	for round := range cfg.rounds {
		for _, p := range parties {
			took, err := turn(ctx, dir, p)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			rate := float64(len(rows)) / took.Seconds()
			rates[p.name] = append(rates[p.name], rate)
			fmt.Fprintf(out, "round %d  %-8s %8.0f keys/s\n", round+1, p.name, rate)
		}
	}

	ours := median(rates["import"])
	fmt.Fprintf(out, "\nmedian   %-8s %8.0f keys/s\n", "import", ours)
	for _, p := range parties[1:] {
		bare := median(rates[p.name])
		fmt.Fprintf(out, "median   %-8s %8.0f keys/s  import is %.2f of it\n", p.name, bare, ours/bare)
	}
	return nil
}

func turn(ctx context.Context, dir string, p party) (time.Duration, error) {
	folder, err := os.MkdirTemp(dir, p.name)
	if err != nil {
		return 0, err
	}
	took, err := p.store(ctx, filepath.Join(folder, "auth.db"))
	return took, errors.Join(err, os.RemoveAll(folder))
}

func median(rates []float64) float64 {
	slices.Sort(rates)
	n := len(rates)
	if n == 0 {
		return 0
	}
	return (rates[(n-1)/2] + rates[n/2]) / 2
}
