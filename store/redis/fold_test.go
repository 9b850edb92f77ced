package redis

import (
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/services"
)

// used returns the use of all clients, and fails if a report is not complete.
func used(t *testing.T, s *Store) (sum int64) {
	t.Helper()
	report, err := s.Report(t.Context(), store.Query{API: "a", Issuer: "i", To: 99})
	if err != nil {
		t.Fatal(err)
	}
	for r, err := range report.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		sum += r.Quantity
	}
	return sum
}

func two(t *testing.T) (a, b *Store) {
	t.Helper()
	cfg := Config{Namespace: services.Name()}
	a, errA := Open(t.Context(), services.SharedRedis(t).DSN(), &cfg)
	b, errB := Open(t.Context(), services.SharedRedis(t).DSN(), &cfg)
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// TestFoldInterrupted folds a stream step by step, as if each sweeper died after one step.
// The first step must close the stream, and each further one must continue the work.
func TestFoldInterrupted(t *testing.T) {
	ctx := t.Context()
	a, b := two(t)
	const counts, step = 95, 10
	stream, other := store.Stream{1}, store.Stream{2}
	var cs []store.Count
	for i := range uint32(counts) {
		cs = append(cs, store.Count{Counter: i, Day: store.Day(i % 4), API: "a", Issuer: "i", Client: "c", Total: 1<<53 + 1})
	}
	for _, s := range []store.Stream{stream, other} {
		if _, err := a.Record(ctx, s, store.Batch{Seq: 1, Through: time.Unix(5, 0), Counts: cs}); err != nil {
			t.Fatal(err)
		}
	}
	const want = 2 * counts * (1<<53 + 1)
	limit := int(store.DayOf(time.Now())) - store.LateDays - 1
	steps := 0
	for more := true; more; steps++ {
		reply, err := a.run(ctx, fold, hex.EncodeToString(stream[:]), limit, step)
		if err != nil {
			t.Fatal(err)
		}
		more = reply == "more"
		if got := used(t, b); got != want {
			t.Fatalf("after step %d: got %d, want %d", steps, got, want)
		}
		if _, err := b.Record(ctx, stream, store.Batch{Seq: 2, Counts: cs}); !errors.Is(err, store.ErrStreamClosed) {
			t.Errorf("after step %d: recording: got %v, want %v", steps, err, store.ErrStreamClosed)
		}
	}
	if steps < counts/step {
		t.Errorf("%d steps, want them to be small", steps)
	}
	if _, err := a.run(ctx, fold, hex.EncodeToString(other[:]), limit, step); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := b.Sweep(ctx, time.Now()); err != nil {
			t.Fatal(err)
		}
		if got := used(t, a); got != want {
			t.Errorf("folded: got %d, want %d", got, want)
		}
	}
	if n, err := a.db.Exists(ctx, a.prefix+"youngest", a.prefix+"streams").Result(); n != 0 || err != nil {
		t.Errorf("%d of two indexes are left, %v", n, err)
	}
}

// TestFoldBetweenBatches sweeps while a stream records several batches of old counts.
// Either all of them are folded, or the store takes none.
func TestFoldBetweenBatches(t *testing.T) {
	ctx := t.Context()
	a, b := two(t)
	stream := store.Stream{1}
	batch := store.Batch{Seq: 1, Counts: []store.Count{{API: "a", Issuer: "i", Client: "c", Total: 1}, {Counter: 1, API: "a", Issuer: "i", Client: "c", Total: 2}}}
	for i, last := range []bool{false, true} {
		if err := b.Sweep(ctx, time.Now()); err != nil {
			t.Fatal(err)
		}
		reply, err := a.run(ctx, recordCounts, recordArgs(stream, last, store.DayOf(time.Now()), batch, batch.Counts[i:i+1])...)
		if err != nil || reply != "0" {
			t.Fatalf("batch %d: got %v, %v", i, reply, err)
		}
	}
	if err := b.Sweep(ctx, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Record(ctx, stream, batch); !errors.Is(err, store.ErrStreamClosed) {
		t.Errorf("afterwards: got %v, want %v", err, store.ErrStreamClosed)
	}
	if got := used(t, a); got != 3 {
		t.Errorf("got %d, want 3", got)
	}
}

// TestReportWhileFolding reports a large day while its counts are folded in many small
// steps. Every report must have each count exactly once.
func TestReportWhileFolding(t *testing.T) {
	ctx := t.Context()
	a, b := two(t)
	const counts = dayBatch + 1000
	stream := store.Stream{1}
	for _, s := range []store.Stream{stream, {2}} {
		var cs []store.Count
		for i := range uint32(counts) {
			cs = append(cs, store.Count{Counter: i, API: "a", Issuer: "i", Client: "c", Total: 1})
		}
		if _, err := a.Record(ctx, s, store.Batch{Seq: 1, Counts: cs}); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan error, 1)
	go func() {
		for steps := 1; ; steps++ {
			reply, err := b.run(ctx, fold, hex.EncodeToString(stream[:]), 1, 50)
			if err != nil || reply != "more" {
				ended <- err
				return
			}
			if steps%40 == 0 {
				time.Sleep(200 * time.Millisecond) // leaves time for a report
			}
		}
	}()
	for reports := 0; ; reports++ {
		if got := used(t, a); got != 2*counts {
			t.Errorf("report %d: got %d, want %d", reports, got, 2*counts)
		}
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
			t.Logf("%d reports", reports+1)
			return
		default:
		}
	}
}
