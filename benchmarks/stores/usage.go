package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"

	"github.com/authtier/authtier/store"
)

const (
	clients = 10_000
	days    = 366
	told    = 5000 // uses in a batch, as a meter stores them
)

// usage measures the calls of a store that a meter and a report make. Settle, if not
// nil, is called before the report.
func usage(ctx context.Context, w io.Writer, s store.Store, counters, reportDays int, settle func() error) error {
	api := "bench-" + rand.Text()
	today := store.DayOf(time.Now())
	count := func(i int, total int64) store.Count {
		return store.Count{
			Counter: uint32(i), Day: today - store.Day(i/clients%reportDays), Issuer: "https://id.example", API: api,
			Client: fmt.Sprintf("client-%05d", i%clients), Product: "product", Label: "a product", Total: total,
		}
	}
	stream := store.Stream([]byte(rand.Text())[:16])
	seq := uint64(0)
	tell := func(n int, total int64) (all, longest time.Duration, err error) {
		began := time.Now()
		for from := 0; from < n; from += told {
			t := store.Batch{Through: time.Now()}
			for i := from; i < min(n, from+told); i++ {
				t.Counts = append(t.Counts, count(i, total))
			}
			seq++
			t.Seq = seq
			one := time.Now()
			if _, err := s.Record(ctx, stream, t); err != nil {
				return 0, 0, err
			}
			longest = max(longest, time.Since(one))
		}
		return time.Since(began), longest, nil
	}
	all, longest, err := tell(counters, 1)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%d counters told for the first time in %v, the longest batch of %d took %v.\n", counters, round(all), told, round(longest))
	var steady []time.Duration
	for i := range 11 {
		all, _, err := tell(10_000, int64(i+2))
		if err != nil {
			return err
		}
		steady = append(steady, all)
	}
	slices.Sort(steady)
	fmt.Fprintf(w, "10000 changed counters told in %v (median of %d).\n", round(steady[len(steady)/2]), len(steady))

	if _, _, err := tell(clients*reportDays, 20); err != nil {
		return err
	}
	if settle != nil {
		if err := settle(); err != nil {
			return err
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began, peak, rows := time.Now(), uint64(0), 0
	report, err := s.Report(ctx, store.Query{API: api, Issuer: "https://id.example", From: today - store.Day(reportDays), To: today})
	if err != nil {
		return err
	}
	for _, err := range report.Rows() {
		if err != nil {
			return err
		}
		if rows++; rows%1000 == 0 {
			runtime.ReadMemStats(&after)
			peak = max(peak, after.HeapInuse)
		}
	}
	_, err = fmt.Fprintf(w, "A report of %d clients over %d days in %v: %d rows, the heap grew by %d MiB at most.\n",
		clients, reportDays, round(time.Since(began)), rows, max(0, int64(peak)-int64(before.HeapInuse))>>20)
	return err
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
