// Command load measures a real server with the suite's whole chain of wrappers, beside
// the same server without them.
//
//	go run ./benchmarks/load -seconds 5 -rounds 3
//
// The server is a process of its own on loopback: this program, started once more.
// Every round drives all variants one after the other, so that other work of the
// machine affects them alike. The program prints medians over the rounds as Markdown.
//
// The variant bare sets the headers that the chain sets, and nothing else. The others
// are floods at full load. Half of their requests carry tokens that are not remembered:
// opaque tokens with a wrong checksum, or JWTs that cost a signature check each, with a
// wrong signature, expired, or good and bad in turn. The report compares the p99 of the
// requests that hit the cache with the p99 of bare; the suite promises at most 1.5
// times as much. Use more rounds for that figure:
//
//	go run ./benchmarks/load -seconds 1 -rounds 9 -out benchmarks/results/load.md
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/authtier/authtier/benchmarks/load/drive"
)

const connections = 32

func main() {
	seconds := flag.Float64("seconds", 5, "how long each variant is driven in a round")
	rounds := flag.Int("rounds", 3, "rounds")
	out := flag.String("out", "", "`file` that the report is written to as well")
	server := flag.Bool("serve", false, "be the server, until standard input ends")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if *server {
		err = serve(ctx, os.Stdin, os.Stdout)
	} else {
		err = measure(ctx, time.Duration(*seconds*float64(time.Second)), *rounds, *out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		stop()
		os.Exit(1)
	}
}

// measure starts a server and prints the report on it.
func measure(ctx context.Context, d time.Duration, rounds int, out string) error {
	if d <= 0 || rounds <= 0 {
		return errors.New("-seconds and -rounds must be positive")
	}
	machine := describe()
	site, stop, err := startServer(ctx)
	if err != nil {
		return err
	}
	defer stop()
	variants := site.variants()
	if err := run(ctx, variants, d, rounds); err != nil {
		return err
	}
	var report bytes.Buffer
	fmt.Fprintf(&report, "# A real server under load\n\n")
	for _, line := range append(machine, "command: `go run ./benchmarks/load "+strings.Join(os.Args[1:], " ")+"`") {
		fmt.Fprintf(&report, "- %s\n", line)
	}
	writeTable(&report, variants)
	if _, err := io.Copy(os.Stdout, bytes.NewReader(report.Bytes())); err != nil || out == "" {
		return err
	}
	return os.WriteFile(out, report.Bytes(), 0o644)
}

// run drives all variants in every round. It does not count a first round.
func run(ctx context.Context, variants []*variant, d time.Duration, rounds int) error {
	for round := range rounds + 1 {
		for i := range variants {
			v := variants[(i+round)%len(variants)] // so that no variant always goes first
			span := d
			if round == 0 {
				span = min(d, time.Second)
			}
			result := drive.Run(ctx, v.addr, v.requests, connections, span)
			if err := context.Cause(ctx); err != nil {
				return err
			}
			if err := v.check(result); err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
			if round > 0 {
				v.results = append(v.results, result)
			}
		}
	}
	return nil
}
