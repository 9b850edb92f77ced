package meter_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/meter"
)

const wholeDay = 24 * time.Hour

func today() int { return int(time.Now().Unix() / (24 * 60 * 60)) }

func useOn(t *testing.T, p *meter.Product, day int, client string, n int64) {
	t.Helper()
	add, err := p.Counter(day, "iss", client)
	must(t, err)
	must(t, add(n))
}

// recording is a store that remembers the batches that it receives.
type recording struct {
	store.Usage
	mu       sync.Mutex
	recorded []store.Batch
	streams  map[store.Stream]bool
}

func record(u store.Usage) *recording {
	return &recording{Usage: u, streams: map[store.Stream]bool{}}
}

func (r *recording) Record(ctx context.Context, s store.Stream, t store.Batch) (uint64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recorded, r.streams[s] = append(r.recorded, t), true
	return r.Usage.Record(ctx, s, t)
}

func (r *recording) batches() []store.Batch {
	r.mu.Lock()
	defer r.mu.Unlock()
	ts := r.recorded
	r.recorded = nil
	return ts
}

// TestStarted checks that a meter records within a second. Without new counts it records
// nothing but a heartbeat every ten seconds.
func TestStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := record(memory.New())
		m := open(t, filepath.Join(t.TempDir(), "usage"), r, meter.Config{})
		m.Start()
		p := product(t, m, "p")
		useOn(t, p, today(), "a", 5)
		began := time.Now()
		time.Sleep(1100 * time.Millisecond)
		if ts := r.batches(); len(ts) != 1 || len(ts[0].Counts) != 1 || ts[0].Counts[0].Total != 5 || ts[0].Through.Before(began) || ts[0].Ended {
			t.Errorf("told %+v, want one batch of 5", ts)
		}
		time.Sleep(time.Minute)
		ts := r.batches()
		for _, batch := range ts {
			if len(batch.Counts) != 0 || batch.Ended {
				t.Errorf("told %+v, and nothing had changed", batch)
			}
		}
		if len(ts) != 6 {
			t.Errorf("%d recorded in a minute without counts, want 6", len(ts))
		}
		must(t, m.Close())
		if ts := r.batches(); len(ts) != 1 || !ts[0].Ended {
			t.Errorf("Close told %+v, want the end", ts)
		}
		report, err := r.Report(t.Context(), store.Query{API: "api", Issuer: "iss", To: store.Day(today())})
		must(t, err)
		if time.Since(report.CompleteThrough) > time.Second {
			t.Errorf("complete through %v", report.CompleteThrough)
		}
	})
}

// TestMidnight counts on both sides of midnight, also late for the day before.
func TestMidnight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := memory.New()
		dir := filepath.Join(t.TempDir(), "usage")
		m := open(t, dir, db, meter.Config{})
		p := product(t, m, "p")
		first := today()
		useOn(t, p, first, "a", 1)
		time.Sleep(wholeDay - 1500*time.Millisecond)
		m.Start()
		time.Sleep(1499 * time.Millisecond)
		useOn(t, p, today(), "a", 2)
		time.Sleep(time.Millisecond)
		useOn(t, p, today(), "a", 10)
		useOn(t, p, first, "a", 4) // a request that began before midnight
		time.Sleep(2 * time.Second)
		if a, b := reported(t, db, first)["a p"], reported(t, db, first+1)["a p"]; a != 7 || b != 10 {
			t.Errorf("got %d and %d, want 7 and 10", a, b)
		}
		if n := len(journals(t, dir)); n != 2 {
			t.Errorf("%d files, want one a day", n)
		}
	})
}

// TestDayClosed counts on a day until it is closed. Its file is removed when the store
// knows it, and not before.
func TestDayClosed(t *testing.T) {
	for _, unmapped := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := &forgetful{Usage: memory.New()}
			dir := filepath.Join(t.TempDir(), "usage")
			m := open(t, dir, f, meter.Config{Unmapped: unmapped})
			p, d := product(t, m, "p"), today()
			add, err := p.Counter(d, "iss", "a")
			must(t, err)
			must(t, add(1))
			time.Sleep((store.LateDays+1)*wholeDay - 3*time.Second)
			m.Start()
			time.Sleep(2 * time.Second)
			must(t, add(2))
			time.Sleep(500 * time.Millisecond)
			f.setDown(true)
			must(t, add(4))
			time.Sleep(3 * time.Second)
			if err := add(8); !errors.Is(err, meter.ErrDayClosed) {
				t.Errorf("a counter of the day: got %v", err)
			}
			if _, err := p.Counter(d, "iss", "b"); !errors.Is(err, meter.ErrDayClosed) {
				t.Errorf("a new counter of the day: got %v", err)
			}
			time.Sleep(time.Minute)
			if n := len(journals(t, dir)); n != 1 {
				t.Errorf("%d files while the store is down, want 1", n)
			}
			if s := m.Stats(); s.Unflushed != 1 || s.Oldest < time.Minute || s.Oldest > 2*time.Minute {
				t.Errorf("while the store is down: %+v", s)
			}
			f.setDown(false)
			time.Sleep(2 * time.Second)
			if got := reported(t, f.Usage, d)["a p"]; got != 7 {
				t.Errorf("got %d, want 7", got)
			}
			if n := len(journals(t, dir)); n != 0 {
				t.Errorf("%d files when the store knows all of it, want none", n)
			}
			useOn(t, p, today(), "a", 1)
		})
	}
}

// TestLeftoverIsKept checks that the file of a dead process is kept as long as its day is
// open, and recorded once more before it is removed.
func TestLeftoverIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alive, db := filepath.Join(t.TempDir(), "alive"), memory.New()
		d := today()
		useOn(t, product(t, open(t, alive, memory.New(), meter.Config{}), "p"), d, "a", 3)
		dir := clone(t, alive)
		f := &forgetful{Usage: db}
		m := open(t, dir, f, meter.Config{})
		must(t, m.Flush(t.Context()))
		time.Sleep((store.LateDays+1)*wholeDay - 3*time.Second)
		m.Start()
		time.Sleep(2 * time.Second)
		if got := reported(t, db, d)["a p"]; got != 3 || len(journals(t, dir)) != 1 {
			t.Errorf("on the last day: got %d and %d files, want 3 and 1", got, len(journals(t, dir)))
		}
		f.set(memory.New()) // while this process has no stream that would notice
		time.Sleep(3 * time.Second)
		if got := reported(t, f.Usage, d)["a p"]; got != 3 || len(journals(t, dir)) != 0 {
			t.Errorf("after it: got %d and %d files, want 3 and none", got, len(journals(t, dir)))
		}
	})
}

// TestFoldedWhileAway starts a process again after the store has folded its last stream.
// Nothing may be lost, doubled or set aside.
func TestFoldedWhileAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, db := filepath.Join(t.TempDir(), "usage"), memory.New()
		d := today()
		m := open(t, dir, db, meter.Config{})
		useOn(t, product(t, m, "p"), d, "a", 3)
		must(t, m.Close())
		time.Sleep(20 * wholeDay)
		must(t, db.Sweep(t.Context(), time.Now()))
		m = open(t, dir, db, meter.Config{})
		must(t, m.Flush(t.Context()))
		if s := m.Stats(); len(s.Asides) != 0 || s.Leftovers != 0 {
			t.Errorf("got %+v", s)
		}
		if got := reported(t, db, d)["a p"]; got != 3 || len(journals(t, dir)) != 0 {
			t.Errorf("got %d and %d files, want 3 and none", got, len(journals(t, dir)))
		}
	})
}

// TestClockStepsBack counts on days that are in the future after the clock steps back.
func TestClockStepsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := memory.New()
		m := open(t, filepath.Join(t.TempDir(), "usage"), db, meter.Config{})
		m.Start()
		p, d := product(t, m, "p"), today()
		for _, day := range []int{d, d + 2, d - 1, d + 1, d - store.LateDays, d + 365} {
			useOn(t, p, day, "a", 1)
			time.Sleep(time.Second)
		}
		time.Sleep(2 * time.Second)
		for _, day := range []int{d, d + 2, d - 1, d + 1, d - store.LateDays, d + 365} {
			if got := reported(t, db, day)["a p"]; got != 1 {
				t.Errorf("day %d from now: got %d, want 1", day-d, got)
			}
		}
		if _, err := p.Counter(d-store.LateDays-1, "iss", "a"); !errors.Is(err, meter.ErrDayClosed) {
			t.Errorf("got %v", err)
		}
	})
}

// TestU07StoreDown counts while the store is down. Stats must say how many counts the
// store does not know, and for how long.
func TestU07StoreDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &forgetful{Usage: memory.New()}
		m := open(t, filepath.Join(t.TempDir(), "usage"), f, meter.Config{})
		m.Start()
		p, d := product(t, m, "p"), today()
		useOn(t, p, d, "a", 1)
		useOn(t, p, d, "b", 1)
		time.Sleep(2 * time.Second)
		if s := m.Stats(); s.Counters != 2 || s.Unflushed != 0 || s.Oldest != 0 || s.Bytes != meter.FirstSize {
			t.Errorf("got %+v", s)
		}
		f.setDown(true)
		for range 60 {
			useOn(t, p, d, "a", 1)
			time.Sleep(time.Second)
		}
		if s := m.Stats(); s.Unflushed != 1 || s.Oldest < 59*time.Second || s.Oldest > 62*time.Second {
			t.Errorf("down for a minute: got %+v", s)
		}
		if _, err := m.Report(t.Context(), store.Query{API: "api", Issuer: "iss", From: store.Day(d), To: store.Day(d)}); err == nil {
			t.Error("a report without what the store does not know: no error")
		}
		f.setDown(false)
		time.Sleep(2 * time.Second)
		if s := m.Stats(); s.Unflushed != 0 || s.Oldest != 0 {
			t.Errorf("up again: got %+v", s)
		}
		if got := reported(t, f.Usage, d)["a p"]; got != 61 {
			t.Errorf("got %d, want 61", got)
		}
	})
}
