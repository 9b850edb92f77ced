package main

import (
	"bufio"
	"cmp"
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

// results are all measurements, with the lines that describe the machine.
type results struct {
	order  []key
	median map[key]result
	rounds map[key]map[int]result // by the number of the round
	config map[string]string

	round int // zero before the first line of a round
}

// roundLine begins a round. An output without such lines has a round for each
// repetition.
const roundLine = "round: "

// parse reads the output of go test -bench -benchmem, in rounds.
func parse(r io.Reader) (*results, error) {
	rs := &results{median: map[key]result{}, rounds: map[key]map[int]result{}, config: map[string]string{}}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if err := rs.read(lines.Text()); err != nil {
			return nil, err
		}
	}
	for k, runs := range rs.rounds {
		rs.median[k] = medians(runs)
	}
	if len(rs.rounds) == 0 {
		return nil, errors.Join(errors.New("no benchmarks in the output"), lines.Err())
	}
	return rs, lines.Err()
}

// read parses one line.
func (rs *results) read(line string) (err error) {
	name, value, named := strings.Cut(line, ": ")
	switch {
	case strings.Contains(line, "--- FAIL"):
		return fmt.Errorf("a benchmark has failed: %q", line)
	case strings.HasPrefix(line, "Benchmark"):
		k, r, err := parseLine(line)
		if err != nil {
			return err
		}
		rs.enter(k, r)
	case strings.HasPrefix(line, roundLine):
		if rs.round, err = strconv.Atoi(value); err != nil || rs.round < 1 {
			return fmt.Errorf("not a number of a round: %q", line)
		}
	case named:
		rs.config[name] = strings.TrimSpace(value)
	}
	return nil
}

// enter records a result in this round. If a benchmark ran several times in a round, the
// last run counts, because the earlier ones warmed its process up.
func (rs *results) enter(k key, r result) {
	if rs.rounds[k] == nil {
		rs.rounds[k] = map[int]result{}
		rs.order = append(rs.order, k)
	}
	rs.rounds[k][cmp.Or(rs.round, len(rs.rounds[k])+1)] = r
}

// medians returns the median of each figure by itself.
func medians(runs map[int]result) result {
	var ns, bytes, allocs []float64
	for _, r := range runs {
		ns, bytes, allocs = append(ns, r.ns), append(bytes, r.bytes), append(allocs, r.allocs)
	}
	return result{median(ns), median(bytes), median(allocs)}
}

// ratio is the median of the ratios within the rounds, whose runs are near in
// time. The machine may be slower in one round than in another. It is zero if
// they have no round in common.
func (rs *results) ratio(ours, peer key) float64 {
	var ratios []float64
	for round, r := range rs.rounds[ours] {
		if theirs := rs.rounds[peer][round]; theirs.ns > 0 {
			ratios = append(ratios, r.ns/theirs.ns)
		}
	}
	return median(ratios)
}

// parseLine reads a name, a number of iterations, and values with their units.
func parseLine(line string) (key, result, error) {
	fields := strings.Fields(line)
	if len(fields) < 4 || len(fields)%2 != 0 {
		return key{}, result{}, fmt.Errorf("not a benchmark's result: %q", line)
	}
	values := map[string]float64{}
	for pair := range slices.Chunk(fields[2:], 2) {
		v, err := strconv.ParseFloat(pair[0], 64)
		if err != nil {
			return key{}, result{}, fmt.Errorf("%q: %w", line, err)
		}
		values[pair[1]] = v
	}
	return parseName(fields[0]), result{values["ns/op"], values["B/op"], values["allocs/op"]}, nil
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
