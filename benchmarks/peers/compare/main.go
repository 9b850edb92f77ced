// Compare runs the benchmarks of this module and writes the results as a table and as a
// picture:
//
//	go -C benchmarks/peers run ./compare -count 5
//
// With -raw it also keeps the output of the benchmarks, and with -in it reads such output
// of an earlier run.
package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"log"
	"os"
	"path/filepath"
)

func main() {
	log.SetFlags(0)
	count := flag.Int("count", 5, "how many rounds there are, in each of which each benchmark runs once; medians count")
	benchtime := flag.String("benchtime", "200ms", "how long each benchmark runs")
	in := flag.String("in", "", "read this output instead of running benchmarks")
	rawFile := flag.String("raw", "", "write the output of the benchmarks to this file too")
	out := flag.String("out", "../results", "directory for peers.md and peers.svg")
	flag.Parse()
	if err := run(*count, *benchtime, *in, *rawFile, *out); err != nil {
		log.Fatal("compare: ", err)
	}
}

func run(count int, benchtime, in, rawFile, out string) error {
	var raw []byte
	var err error
	if in != "" {
		raw, err = os.ReadFile(in)
	} else {
		raw, err = measure(count, benchtime)
	}
	// The output of a run that failed is kept too.
	if rawFile != "" {
		err = errors.Join(err, os.WriteFile(rawFile, raw, 0o644))
	}
	if err != nil {
		return err
	}

	rs, err := parse(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, "peers.svg"), []byte(svg(rs)), 0o644); err != nil {
		return err
	}
	table := markdown(rs)
	if err := os.WriteFile(filepath.Join(out, "peers.md"), []byte(table), 0o644); err != nil {
		return err
	}
	_, err = io.WriteString(os.Stdout, table)
	return err
}
