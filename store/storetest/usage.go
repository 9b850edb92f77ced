package storetest

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

func count(counter uint32, day store.Day, client, product string, total int64) store.Count {
	return store.Count{
		Counter: counter, Day: day, Issuer: "iss", Client: client,
		API: "api", Product: product, Label: "label " + product, Total: total,
	}
}

func report(t *testing.T, s store.Store, q store.Query) []store.Row {
	t.Helper()
	r, err := s.Report(t.Context(), q)
	must(t, err)
	var all []store.Row
	for r, err := range r.Rows() {
		must(t, err)
		all = append(all, r)
	}
	return all
}

func testUsage(t *testing.T, s store.Store) {
	ctx := t.Context()
	foreign := count(5, 1, "a", "p", 100)
	foreign.Issuer = "other issuer"
	otherAPI := count(6, 1, "a", "p", 100)
	otherAPI.API = "other api"
	_, err := s.Record(ctx, store.Stream{1}, store.Batch{Seq: 1, Through: start, Counts: []store.Count{

		count(0, 1, "b", "p", 1), count(1, 1, "a", "q", 2), count(2, 1, "a", "p", 3),
		count(3, 2, "a", "p", 4), count(4, 3, "a", "p", 50), foreign, otherAPI,
	}})
	must(t, err)
	_, err = s.Record(ctx, store.Stream{2}, store.Batch{Seq: 1, Through: start, Counts: []store.Count{count(0, 2, "a", "p", 1000)}})
	must(t, err)

	a := []store.Row{{Client: "a", Product: "p", Label: "label p", Quantity: 1007}, {Client: "a", Product: "q", Label: "label q", Quantity: 2}}
	b := store.Row{Client: "b", Product: "p", Label: "label p", Quantity: 1}
	if got := report(t, s, store.Query{API: "api", Issuer: "iss", From: 1, To: 2}); !slices.Equal(got, append(a, b)) {
		t.Errorf("everyone's: got %+v, want %+v", got, append(a, b))
	}
	if got := report(t, s, store.Query{API: "api", Issuer: "iss", Client: "a", From: 1, To: 2}); !slices.Equal(got, a) {
		t.Errorf("one client's: got %+v, want %+v", got, a)
	}

	for name, q := range map[string]store.Query{
		"unknown api":    {API: "x", Issuer: "iss", From: 1, To: 2},
		"unknown client": {API: "api", Issuer: "iss", Client: "' OR 1=1 --", From: 1, To: 2},
		"other days":     {API: "api", Issuer: "iss", From: 4, To: 9},
	} {
		if got := report(t, s, q); len(got) != 0 {
			t.Errorf("%s: got %+v, want nothing", name, got)
		}
	}
}

// testUsageRetold records totals twice and out of order, as after lost replies.
func testUsageRetold(t *testing.T, s store.Store) {
	ctx := t.Context()
	for i, step := range []struct{ seq, had, total int64 }{
		{1, 0, 5}, {2, 1, 9}, {2, 2, 9}, {1, 2, 5}, {3, 2, 9}, {4, 3, 12},
	} {
		// The previous number lets a meter notice that the store has lost batches.
		had, err := s.Record(ctx, store.Stream{1}, store.Batch{Seq: uint64(step.seq), Through: start, Counts: []store.Count{count(0, 1, "a", "p", step.total)}})
		if err != nil || had != uint64(step.had) {
			t.Errorf("batch %d: got %d, %v, want %d", i, had, err, step.had)
		}
	}

	rows := report(t, s, store.Query{API: "api", Issuer: "iss", From: 1, To: 1})
	if len(rows) != 1 || rows[0].Quantity != 12 {
		t.Errorf("got %+v, want 12", rows)
	}
}

func testUsageConcurrent(t *testing.T, s store.Store) {
	const streams, totals = 16, 20
	together(streams, func(i int) {
		for n := range totals {
			_, err := s.Record(t.Context(), store.Stream{byte(i)}, store.Batch{Seq: uint64(n + 1), Through: start.Add(time.Duration(i) * time.Second), Counts: []store.Count{count(0, 1, fmt.Sprint("client", i%2), "p", int64(n+1))}})
			if err != nil {
				t.Errorf("stream %d: %v", i, err)
			}
		}
	})

	rows := report(t, s, store.Query{API: "api", Issuer: "iss", From: 1, To: 1})
	if len(rows) != 2 || rows[0].Quantity != streams/2*totals || rows[1].Quantity != streams/2*totals {
		t.Errorf("got %+v, want %d for each of two clients", rows, streams/2*totals)
	}

	r, err := s.Report(t.Context(), store.Query{API: "api", Issuer: "iss", From: 1, To: 1})
	must(t, err)
	if !r.CompleteThrough.Equal(start) {
		t.Errorf("complete through %v, want that of the stream that is furthest behind, %v", r.CompleteThrough, start)
	}
}

// testUsageLarge records more counts in one call than one transaction should hold, one of
// them twice, and totals up to the largest possible one.
func testUsageLarge(t *testing.T, s store.Store) {
	ctx := t.Context()
	const counters = 12_000
	var cs []store.Count
	for i := range uint32(counters) {
		cs = append(cs, count(i, 1+store.Day(i%3), "a", "p", int64(i%7)))
	}
	cs = append(cs, count(6, 1, "a", "p", 1), count(counters, 2, "b", "p", math.MaxInt64-1), count(counters+1, 3, "b", "p", 7))
	cs[0].Label = "zz"
	// The label of a row is the last one in alphabetical order.
	cs[1].Label = "~"
	had, err := s.Record(ctx, store.Stream{1}, store.Batch{Seq: math.MaxInt64, Through: start, Counts: cs})
	if err != nil || had != 0 {
		t.Fatalf("got %d, %v", had, err)
	}
	if had, err := s.Record(ctx, store.Stream{1}, store.Batch{Seq: 7, Through: start, Counts: cs[:1]}); err != nil || had != math.MaxInt64 {
		t.Errorf("told again: had %d, %v", had, err)
	}

	var want int64
	for i := range int64(counters) {
		want += i % 7
	}
	got := report(t, s, store.Query{API: "api", Issuer: "iss", From: 1, To: 3})
	rows := []store.Row{
		{Client: "a", Product: "p", Label: "~", Quantity: want},
		{Client: "b", Product: "p", Label: "label p", Quantity: math.MaxInt64},
	}
	if !slices.Equal(got, rows) {
		t.Errorf("got %+v, want %+v", got, rows)
	}
	if got := report(t, s, store.Query{API: "api", Issuer: "iss", Client: "b", From: 2, To: 2}); len(got) != 1 || got[0].Quantity != math.MaxInt64-1 {
		t.Errorf("one day: got %+v, want %d, exactly", got, int64(math.MaxInt64-1))
	}

	// A late batch with a lower total must not lower the stored one.
	_, err = s.Record(ctx, store.Stream{1}, store.Batch{Seq: 8, Through: start, Counts: []store.Count{count(counters, 2, "b", "p", math.MaxInt64-2)}})
	must(t, err)
	if got := report(t, s, store.Query{API: "api", Issuer: "iss", Client: "b", From: 2, To: 2}); len(got) != 1 || got[0].Quantity != math.MaxInt64-1 {
		t.Errorf("one less told: got %+v, want %d still", got, int64(math.MaxInt64-1))
	}
}
