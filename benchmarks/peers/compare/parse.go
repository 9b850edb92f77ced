package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// A key names a benchmark and the number of cores that it ran on.
type key struct {
	name string
	cpu  int
}

// A result is the median of a benchmark's runs.
type result struct{ ns, bytes, allocs float64 }

// results are a run's, with the lines that say where and how.
type results struct {
	order  []key
	median map[key]result
	config map[string]string
}

// parse reads the output of go test -bench -benchmem.
func parse(r io.Reader) (*results, error) {
	rs := &results{median: map[key]result{}, config: map[string]string{}}
	runs := map[key]map[string][]float64{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		if strings.Contains(line, "--- FAIL") {
			return nil, fmt.Errorf("a benchmark has failed: %q", line)
		}
		if !strings.HasPrefix(line, "Benchmark") {
			if name, value, ok := strings.Cut(line, ": "); ok {
				rs.config[name] = strings.TrimSpace(value)
			}
			continue
		}
		k, values, err := parseLine(line)
		if err != nil {
			return nil, err
		}
		if runs[k] == nil {
			runs[k] = map[string][]float64{}
			rs.order = append(rs.order, k)
		}
		for unit, v := range values {
			runs[k][unit] = append(runs[k][unit], v)
		}
	}
	for k, run := range runs {
		rs.median[k] = result{median(run["ns/op"]), median(run["B/op"]), median(run["allocs/op"])}
	}
	if len(runs) == 0 {
		return nil, errors.Join(errors.New("no benchmarks in the output"), lines.Err())
	}
	return rs, lines.Err()
}

// parseLine reads a name, a number of iterations, and values with their units.
func parseLine(line string) (key, map[string]float64, error) {
	fields := strings.Fields(line)
	if len(fields) < 4 || len(fields)%2 != 0 {
		return key{}, nil, fmt.Errorf("not a benchmark's result: %q", line)
	}
	values := map[string]float64{}
	for pair := range slices.Chunk(fields[2:], 2) {
		v, err := strconv.ParseFloat(pair[0], 64)
		if err != nil {
			return key{}, nil, fmt.Errorf("%q: %w", line, err)
		}
		values[pair[1]] = v
	}
	return parseName(fields[0]), values, nil
}

// parseName splits off the number of cores, which a single one does not have.
func parseName(name string) key {
	name = strings.TrimPrefix(name, "Benchmark")
	if i := strings.LastIndexByte(name, '-'); i >= 0 {
		if cpu, err := strconv.Atoi(name[i+1:]); err == nil {
			return key{name[:i], cpu}
		}
	}
	return key{name, 1}
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}
