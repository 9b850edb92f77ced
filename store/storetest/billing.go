package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

var everything = store.Query{API: "api", Issuer: "iss", To: store.DayOf(time.Now()) + 366}

func record(t *testing.T, s store.Store, stream store.Stream, b store.Batch) {
	t.Helper()
	_, err := s.Record(t.Context(), stream, b)
	must(t, err)
}

func wantRows(t *testing.T, what string, s store.Store, q store.Query, want ...store.Row) {
	t.Helper()
	if got := report(t, s, q); !slices.Equal(got, want) {
		t.Errorf("%s: got %+v, want %+v", what, got, want)
	}
}

func testUsageComplete(t *testing.T, s store.Store) {
	complete := func() time.Time {
		t.Helper()
		r, err := s.Report(t.Context(), everything)
		must(t, err)
		return r.CompleteThrough
	}

	record(t, s, store.Stream{1}, store.Batch{Seq: 1, Through: start})
	record(t, s, store.Stream{2}, store.Batch{Seq: 1, Through: start.Add(time.Minute)})
	if got := complete(); !got.Equal(start) {
		t.Errorf("complete through %v, want %v", got, start)
	}

	record(t, s, store.Stream{1}, store.Batch{Seq: 2, Through: start.Add(time.Second), Ended: true})
	if got := complete(); !got.Equal(start.Add(time.Minute)) {
		t.Errorf("after the one behind has ended: complete through %v, want %v", got, start.Add(time.Minute))
	}

	// A late batch does not make the stream active again.
	record(t, s, store.Stream{1}, store.Batch{Seq: 1, Through: start})
	if got := complete(); !got.Equal(start.Add(time.Minute)) {
		t.Errorf("after a late batch of one that has ended: complete through %v", got)
	}

	record(t, s, store.Stream{2}, store.Batch{Seq: 2, Through: start.Add(time.Minute), Ended: true})
	if got, now := complete(), time.Now(); got.Before(now.Add(-time.Minute)) || got.After(now.Add(time.Minute)) {
		t.Errorf("when all have ended: complete through %v, want now", got)
	}
}

func testUsageByDay(t *testing.T, s store.Store) {
	record(t, s, store.Stream{1}, store.Batch{Seq: 1, Through: start, Counts: []store.Count{
		count(0, 9, "a", "p", 1), count(1, 10, "a", "p", 2), count(2, 10, "a", "q", 3), count(3, 11, "b", "p", 4),
	}})
	record(t, s, store.Stream{2}, store.Batch{Seq: 1, Through: start, Counts: []store.Count{count(0, 10, "a", "p", 10)}})

	q := everything
	q.From, q.To, q.ByDay = 9, 11, true
	wantRows(t, "by day", s, q,
		store.Row{Client: "a", Product: "p", Label: "label p", Day: 9, Quantity: 1},
		store.Row{Client: "a", Product: "p", Label: "label p", Day: 10, Quantity: 12},
		store.Row{Client: "a", Product: "q", Label: "label q", Day: 10, Quantity: 3},
		store.Row{Client: "b", Product: "p", Label: "label p", Day: 11, Quantity: 4})
}

// testUsageFolded sweeps streams with counts of old days, of young days, and of both.
func testUsageFolded(t *testing.T, s store.Store) {
	ctx := t.Context()
	old, young := store.DayOf(start)-store.LateDays-2, store.DayOf(start)-store.LateDays
	record(t, s, store.Stream{1}, store.Batch{Seq: 1, Through: start, Counts: []store.Count{count(0, old, "a", "p", 1), count(1, old, "b", "p", 2)}})
	record(t, s, store.Stream{2}, store.Batch{Seq: 1, Through: start, Counts: []store.Count{count(0, old, "a", "p", 10)}})
	record(t, s, store.Stream{3}, store.Batch{Seq: 1, Through: start, Counts: []store.Count{count(0, old, "a", "p", 100), count(1, young, "a", "p", 1000)}})
	a := store.Row{Client: "a", Product: "p", Label: "label p", Quantity: 1111}
	b := store.Row{Client: "b", Product: "p", Label: "label p", Quantity: 2}
	wantRows(t, "before", s, everything, a, b)

	// A stream without counts must stay open as long as its meter reports.
	record(t, s, store.Stream{5}, store.Batch{Seq: 1, Through: start})
	for range 2 {
		must(t, s.Sweep(ctx, start))
		wantRows(t, "folded", s, everything, a, b)
	}

	record(t, s, store.Stream{5}, store.Batch{Seq: 2, Through: start})

	// Folded counts cannot be told apart any more, so late ones are refused.
	for _, stream := range []store.Stream{{1}, {2}} {
		_, err := s.Record(ctx, stream, store.Batch{Seq: 2, Through: start, Counts: []store.Count{count(0, old, "a", "p", 99)}})
		wantErr(t, "recording for a stream that was folded", err, store.ErrStreamClosed)
	}
	wantRows(t, "a cloned disk changes nothing", s, everything, a, b)

	// One young count keeps the whole stream open.
	record(t, s, store.Stream{3}, store.Batch{Seq: 2, Through: start, Counts: []store.Count{count(1, young, "a", "p", 2000)}})
	a.Quantity += 1000
	wantRows(t, "a stream with something young", s, everything, a, b)
	record(t, s, store.Stream{4}, store.Batch{Seq: 1, Through: start, Counts: []store.Count{count(0, old, "a", "p", 5)}})
	must(t, s.Sweep(ctx, start))
	a.Quantity += 5
	wantRows(t, "another one folded into the same", s, everything, a, b)

	q := everything
	q.ByDay, q.Client = true, "a"
	wantRows(t, "by day", s, q,
		store.Row{Client: "a", Product: "p", Label: "label p", Day: old, Quantity: 116},
		store.Row{Client: "a", Product: "p", Label: "label p", Day: young, Quantity: 2000})
}

func testUsageAdjusted(t *testing.T, s store.Store) {
	ctx := t.Context()
	today := store.DayOf(time.Now())
	record(t, s, store.Stream{1}, store.Batch{Seq: 1, Through: start, Counts: []store.Count{count(0, today-1, "a", "p", 100)}})
	less := store.Adjustment{
		Key: "k1", API: "api", Issuer: "iss", Client: "a", Product: "p", Day: today - 1, Quantity: -30,
		Reason: "an outage", Author: "ada", Made: start,
	}
	more := store.Adjustment{Key: "k2", API: "api", Issuer: "iss", Client: "b", Product: "p", Day: today, Quantity: 7, Reason: "r", Author: "ada", Made: start.Add(time.Second)}

	// Repeating the same adjustment changes nothing.
	for range 2 {
		must(t, s.Adjust(ctx, less))
		must(t, s.Adjust(ctx, more))
		less.Made = less.Made.Add(time.Hour)
	}
	less.Made = start
	wantRows(t, "adjusted", s, everything,
		store.Row{Client: "a", Product: "p", Label: "label p", Quantity: 70, Adjusted: -30},
		store.Row{Client: "b", Product: "p", Quantity: 7, Adjusted: 7})

	other := less
	other.Quantity = -31
	wantErr(t, "another adjustment with the key", s.Adjust(ctx, other), store.ErrKeyReused)

	got, err := s.Adjustments(ctx, everything)
	must(t, err)
	same := func(a, b store.Adjustment) bool {
		made := a.Made.Equal(b.Made)
		a.Made, b.Made = time.Time{}, time.Time{}
		return made && a == b
	}
	if !slices.EqualFunc(got, []store.Adjustment{less, more}, same) {
		t.Errorf("adjustments: got %+v, want %+v", got, []store.Adjustment{less, more})
	}

	q := everything
	q.Client, q.To, q.ByDay = "b", today, true
	wantRows(t, "one client's, by day", s, q, store.Row{Client: "b", Product: "p", Day: today, Quantity: 7, Adjusted: 7})
	if got, err = s.Adjustments(ctx, store.Query{API: "api", Issuer: "other", To: today}); err != nil || len(got) != 0 {
		t.Errorf("another issuer's: got %+v, %v", got, err)
	}
}

func testUsageForgotten(t *testing.T, s store.Store) {
	ctx := t.Context()
	today := store.DayOf(time.Now())
	var cs []store.Count
	for i := range 10 {
		cs = append(cs, count(uint32(i), today-30*store.Day(i), fmt.Sprint("c", i), "p", 1))
	}

	record(t, s, store.Stream{1}, store.Batch{Seq: 1, Through: start, Counts: cs[:1]})
	record(t, s, store.Stream{2}, store.Batch{Seq: 1, Through: start, Counts: cs[1:]})
	must(t, s.Adjust(ctx, store.Adjustment{
		Key: "old", API: "api", Issuer: "iss", Client: "x", Product: "p", Day: today - 200, Quantity: 1, Reason: "r",
	}))
	must(t, s.Sweep(ctx, time.Now()))

	// A meter may still record counts of these days.
	if s.ForgetUsage(ctx, today-store.LateDays-1) == nil {
		t.Error("days that still accept counts: forgotten")
	}

	must(t, s.ForgetUsage(ctx, today-90))
	if got := report(t, s, everything); len(got) != 4 || got[3].Client != "c3" {
		t.Errorf("what is younger than 90 days: got %+v, want four", got)
	}
}
