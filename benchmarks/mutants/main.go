// Command mutants plants faults in a copy of the repository, one at a time, and
// requires that a test finds each of them.
//
//	go run ./benchmarks/mutants -markdown benchmarks/results/mutants.md [-only cache]
//
// It fails if no test finds a fault, and if a fault does not build. It takes some
// fifteen minutes on two cores.
package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

func main() {
	markdown := flag.String("markdown", "", "write the result to this file too")
	only := flag.String("only", "", "plant only the faults whose part or name contains this")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *only, *markdown, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only, markdown string, w io.Writer) error {
	root, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	if err := copyTree(ctx, root); err != nil {
		return err
	}
	var table bytes.Buffer
	fmt.Fprintf(&table, "# Planted faults\n\nEach fault was planted alone, and the tests of its package were run until one failed. `go run ./benchmarks/mutants -markdown benchmarks/results/mutants.md`, %s, %s/%s.\n\n| part | fault | found by |\n|---|---|---|\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH)
	var errs []error
	for _, f := range faults {
		if !strings.Contains(f.part+" "+f.name, only) {
			continue
		}
		began := time.Now()
		killer, err := f.plant(ctx, root)
		if err != nil {
			// The other faults say something all the same.
			errs = append(errs, fmt.Errorf("%s: %w", f.name, err))
			killer = "**does not build**"
		}
		if killer == "" {
			errs = append(errs, fmt.Errorf("%s: no test finds it", f.name))
		}
		killer = cmp.Or(killer, "**nothing**")
		fmt.Fprintf(w, "%-10s %-60s %s (%.0fs)\n", f.part, f.name, killer, time.Since(began).Seconds())
		fmt.Fprintf(&table, "| %s | %s | %s |\n", f.part, f.name, killer)
	}
	if err := errors.Join(errs...); err != nil || markdown == "" {
		return err
	}
	return os.WriteFile(markdown, table.Bytes(), 0o644)
}

// copyTree copies the files that git tracks, and new files that it does not ignore.
func copyTree(ctx context.Context, root string) error {
	list, err := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		return fmt.Errorf("listing the files: %w", err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		b, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted, but still in the index
		}
		if err != nil {
			return err
		}
		to := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, b, 0o644)); err != nil {
			return err
		}
	}
	return nil
}

// A fault is a change that somebody might make by mistake.
type fault struct {
	part, name string
	file       string
	old, new   string // text that occurs once, and its replacement
	tests      string // packages whose tests should find it, if not the file's own
}

// plant returns the test that finds the fault, or "".
func (f fault) plant(ctx context.Context, root string) (killer string, err error) {
	file := filepath.Join(root, f.file)
	good, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	bad, err := f.apply(string(good))
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(file, []byte(bad), 0o644); err != nil {
		return "", err
	}
	defer os.WriteFile(file, good, 0o644)
	for pkg := range strings.FieldsSeq(cmp.Or(f.tests, "./"+filepath.Dir(f.file))) {
		if killer, err = failing(ctx, root, pkg); killer != "" || err != nil {
			return killer, err
		}
	}
	return "", nil
}

func (f fault) apply(code string) (string, error) {
	if n := strings.Count(code, f.old); n != 1 {
		return "", fmt.Errorf("%s holds %q %d times, expected once", f.file, f.old, n)
	}
	return strings.Replace(code, f.old, f.new, 1), nil
}

var (
	failed = regexp.MustCompile(`(?m)^ *--- FAIL: (\S+)`)
	broken = regexp.MustCompile(`(?m)\[(build|setup) failed\]$`)
)

// failing returns the first test of a package that fails, or "".
func failing(ctx context.Context, root, pkg string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-failfast", "-vet=off", "-timeout", "5m", pkg)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return "", nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	case broken.Match(out):
		return "", fmt.Errorf("the fault does not build:\n%s", out)
	}
	if m := failed.FindSubmatch(out); m != nil {
		return string(m[1]), nil
	}
	return "a crash or a deadlock in " + pkg, nil
}
