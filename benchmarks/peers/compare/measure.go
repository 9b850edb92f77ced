package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// parties are the packages with benchmarks, in the order of their turns. Ours is near
// those that rows compare it with.
var parties = []string{"gohttpauth", "fosite", "ours", "keyfunc", "chi", "gooauth2", "auth0", "jwtauth", "jwx", "oidc"}

// A step is a process that runs one benchmark of a party.
type step struct{ party, benchmark string }

// measure runs the benchmarks and returns their output, behind lines that say
// where and how, in the form that benchmark tools know. Each package is built
// once and all of them run rounds times over, one process at a time.
func measure(rounds int, benchtime string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "compare")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := build(dir); err != nil {
		return nil, err
	}
	round, err := steps(dir)
	if err != nil {
		return nil, err
	}
	var raw bytes.Buffer
	fmt.Fprintf(&raw, "date: %s\ngo: %s\ncores: %d\ngogc: %s\n",
		time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.NumCPU(), cmp.Or(os.Getenv("GOGC"), "100"))
	fmt.Fprintf(&raw, "command: go -C benchmarks/peers run ./compare -count %d -benchtime %s\n", rounds, benchtime)
	if model := cpuModel(); model != "" {
		fmt.Fprintf(&raw, "machine: %s\n", model)
	}
	out := io.MultiWriter(&raw, os.Stderr)
	for n := range rounds {
		fmt.Fprintf(out, "%s%d\n", roundLine, n+1)
		for _, s := range round {
			if err := s.run(dir, benchtime, out); err != nil {
				return raw.Bytes(), err
			}
		}
	}
	return raw.Bytes(), nil
}

// build makes a test binary of each party in dir.
func build(dir string) error {
	args := []string{"test", "-c", "-o", dir + string(filepath.Separator)}
	for _, p := range parties {
		args = append(args, "./"+p)
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("go test -c: %w\n%s", err, out)
	}
	return nil
}

// steps returns a round: one benchmark after the other, each by all parties that
// have it. A machine that is slow for a while is then slow for all compared
// parties.
func steps(dir string) ([]step, error) {
	have := map[string][]string{}
	for _, p := range parties {
		out, err := exec.Command(binary(dir, p), "-test.list", "^Benchmark").Output()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		for name := range strings.FieldsSeq(string(out)) {
			have[name] = append(have[name], p)
		}
	}
	var round []step
	for _, name := range slices.Sorted(maps.Keys(have)) {
		for _, p := range have[name] {
			round = append(round, step{p, name})
		}
	}
	return round, nil
}

// run has the benchmark run twice in its process. The first time, memory comes from
// the system, page by page, and the collector does not know yet what to expect: a
// server is past that within its first second.
func (s step) run(dir, benchtime string, out io.Writer) error {
	cmd := exec.Command(binary(dir, s.party), "-test.run", "^$", "-test.bench", "^"+s.benchmark+"$",
		"-test.benchmem", "-test.benchtime", benchtime, "-test.count", "2", "-test.cpu", "1,2")
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s of %s: %w", s.benchmark, s.party, err)
	}
	return nil
}

func binary(dir, party string) string { return filepath.Join(dir, party+".test") }

// cpuModel returns the name that Linux reports. On other systems the cpu line of the
// benchmarks must do.
func cpuModel() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
