// Compare runs the benchmarks of this module and writes what came out, as a
// table and as a picture:
//
//	go -C benchmarks/peers run ./compare -count 5
//
// With -in it reads the output of an earlier run instead.
package main

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

func main() {
	log.SetFlags(0)
	count := flag.Int("count", 5, "how often each benchmark runs; the median counts")
	benchtime := flag.String("benchtime", "200ms", "how long each benchmark runs")
	in := flag.String("in", "", "read this output instead of running benchmarks")
	out := flag.String("out", "../results", "directory for peers.txt, peers.md and peers.svg")
	flag.Parse()
	if err := run(*count, *benchtime, *in, *out); err != nil {
		log.Fatal("compare: ", err)
	}
}

func run(count int, benchtime, in, out string) error {
	var raw []byte
	var err error
	if in != "" {
		raw, err = os.ReadFile(in)
	} else {
		raw, err = benchmark(count, benchtime)
		err = errors.Join(err, os.WriteFile(filepath.Join(out, "peers.txt"), raw, 0o644))
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

// benchmark runs the benchmarks and returns their output, behind lines that say
// where and how, in the form that benchmark tools know. They are built once and
// run all of them count times over, instead of each count times in a row: a
// machine that is slow for a while is then slow for everybody.
func benchmark(count int, benchtime string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "compare")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "peers.test")
	if out, err := exec.Command("go", "test", "-c", "-o", binary, ".").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go test -c: %w\n%s", err, out)
	}
	var raw bytes.Buffer
	fmt.Fprintf(&raw, "date: %s\ngo: %s\ncores: %d\ngogc: %s\n",
		time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.NumCPU(), cmp.Or(os.Getenv("GOGC"), "100"))
	fmt.Fprintf(&raw, "command: go -C benchmarks/peers run ./compare -count %d -benchtime %s\n", count, benchtime)
	if model := cpuModel(); model != "" {
		fmt.Fprintf(&raw, "machine: %s\n", model)
	}
	for range count {
		cmd := exec.Command(binary, "-test.run", "^$", "-test.bench", ".", "-test.benchmem", "-test.benchtime", benchtime, "-test.cpu", "1,2")
		cmd.Stdout, cmd.Stderr = io.MultiWriter(&raw, os.Stderr), os.Stderr
		if err := cmd.Run(); err != nil {
			return raw.Bytes(), fmt.Errorf("%v: %w", cmd.Args[1:], err)
		}
	}
	return raw.Bytes(), nil
}

// cpuModel is what Linux says; elsewhere the benchmarks' own cpu line has to do.
func cpuModel() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
