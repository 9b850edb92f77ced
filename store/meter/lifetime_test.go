package meter_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/meter"
)

// TestOpenRecords opens a meter with a context that then ends, like that of a start-up
// timeout or a signal. The meter must still record, and Close must record the last counts.
func TestOpenRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := memory.New()
		ctx, cancel := context.WithCancel(t.Context())
		m, err := meter.Open(ctx, filepath.Join(t.TempDir(), "usage"), db, nil)
		must(t, err)
		cancel()
		p := product(t, m, "p")

		useOn(t, p, today(), "a", 3)
		time.Sleep(1100 * time.Millisecond)
		if got := reported(t, db, today())["a p"]; got != 3 {
			t.Errorf("after a second: %d recorded, want 3", got)
		}
		useOn(t, p, today(), "a", 4)
		must(t, m.Close())
		if got := reported(t, db, today())["a p"]; got != 7 {
			t.Errorf("after Close: %d recorded, want 7", got)
		}
	})
}

// TestOpenRunsByItself checks that Run fails for a meter from Open.
func TestOpenRunsByItself(t *testing.T) {
	m, err := meter.Open(t.Context(), filepath.Join(t.TempDir(), "usage"), memory.New(), nil)
	must(t, err)
	defer m.Close()
	if err := m.Run(t.Context()); err == nil {
		t.Error("Run of a meter that runs by itself: no error")
	}
}

// TestNewRuns runs a meter in memory until its context ends, and another one until it
// is closed.
func TestNewRuns(t *testing.T) {
	for _, closed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			db := memory.New()
			m := meter.New(db)
			p := product(t, m, "p")
			ctx, cancel := context.WithCancelCause(t.Context())
			ran := make(chan error, 1)
			go func() { ran <- m.Run(ctx) }()

			useOn(t, p, today(), "a", 3)
			time.Sleep(1100 * time.Millisecond)
			if got := reported(t, db, today())["a p"]; got != 3 {
				t.Errorf("after a second: %d recorded, want 3", got)
			}
			useOn(t, p, today(), "a", 4)
			var want error
			if closed {
				must(t, m.Close())
			} else {
				want = errors.New("shut down")
				cancel(want)
			}
			if err := <-ran; err != want {
				t.Errorf("Run returned %v, want %v", err, want)
			}
			cancel(nil)
			must(t, m.Close())
			if got := reported(t, db, today())["a p"]; got != 7 {
				t.Errorf("after Close: %d recorded, want 7", got)
			}
		})
	}
}

// A hanging store answers only when the caller's context ends.
type hanging struct{ store.Usage }

func (hanging) Record(ctx context.Context, _ store.Stream, _ store.Batch) (uint64, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

// TestCloseIsBounded closes a meter while the store does not answer, and while reports
// and the meter itself wait for the store.
func TestCloseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := meter.Open(t.Context(), filepath.Join(t.TempDir(), "usage"), hanging{memory.New()}, nil)
		must(t, err)
		must(t, adder(t, product(t, m, "p"), "a")(1))
		reports := make(chan error, 3)
		for range cap(reports) {
			go func() {
				d := store.Day(today())
				_, err := m.Report(t.Context(), store.Query{API: "api", Issuer: "iss", From: d, To: d})
				reports <- err
			}()
		}
		time.Sleep(3 * time.Second)

		began := time.Now()
		if err := m.Close(); err == nil {
			t.Error("nothing was recorded, and Close returned no error")
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("Close took %v, want 10 s at most", took)
		}
		for range cap(reports) {
			if err := <-reports; !errors.Is(err, meter.ErrClosed) {
				t.Errorf("a report that waited: got %v, want %v", err, meter.ErrClosed)
			}
		}
	})
}

// TestClosed uses a meter after Close.
func TestClosed(t *testing.T) {
	for name, newMeter := range newMeters {
		m := newMeter(t, memory.New())
		p := product(t, m, "p")
		use(t, p, "a", 1)
		must(t, m.Close())
		must(t, m.Close())
		_, counterErr := p.Counter(day, "iss", "a")
		_, reportErr := m.Report(t.Context(), store.Query{API: "api", Issuer: "iss", From: store.Day(day), To: store.Day(day)})
		for what, err := range map[string]error{"Counter": counterErr, "Report": reportErr, "Flush": m.Flush(t.Context())} {
			if !errors.Is(err, meter.ErrClosed) {
				t.Errorf("%s: %s after Close: got %v, want %v", name, what, err, meter.ErrClosed)
			}
		}
	}
}

// TestOpenArguments opens with wrong arguments. The error must name all of them.
func TestOpenArguments(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	dir := filepath.Join(t.TempDir(), "usage")
	for what, tt := range map[string]struct {
		ctx  context.Context
		dir  string
		u    store.Usage
		cfg  *meter.Config
		want []string
	}{
		"nothing":         {t.Context(), "", nil, &meter.Config{MaxBytes: -1}, []string{"dir", "store.Usage", "MaxBytes"}},
		"too few bytes":   {t.Context(), dir, memory.New(), &meter.Config{MaxBytes: 1}, []string{"MaxBytes is 1"}},
		"a nil pointer":   {t.Context(), dir, (*memory.Store)(nil), nil, []string{"store.Usage"}},
		"an ended start":  {ended, dir, memory.New(), nil, []string{"context canceled"}},
		"a missing place": {t.Context(), filepath.Join(dir, "below"), memory.New(), nil, []string{"no such file"}},
	} {
		m, err := meter.Open(tt.ctx, tt.dir, tt.u, tt.cfg)
		if err == nil || m != nil {
			t.Errorf("%s: got %v, %v", what, m, err)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %q, want %q in it", what, err, want)
			}
		}
		if got := journals(t, dir); len(got) != 0 {
			t.Errorf("%s made %q", what, got)
		}
	}
}
