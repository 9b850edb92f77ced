package meter_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/meter"
)

var day = int(time.Now().Unix() / (24 * 60 * 60))

// open opens a meter that records only when the test flushes or starts it.
func open(t testing.TB, dir string, u store.Usage, cfg meter.Config) *meter.Meter {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	m, err := meter.OpenIdle(t.Context(), dir, u, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func adder(t testing.TB, p *meter.Product, client string) func(int64) error {
	t.Helper()
	add, err := p.Counter(day, "iss", client)
	if err != nil {
		t.Fatal(err)
	}
	return add
}

func product(t testing.TB, m *meter.Meter, name string) *meter.Product {
	t.Helper()
	p, err := m.Product("api", name, "label "+name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func use(t *testing.T, p *meter.Product, client string, n int64) {
	t.Helper()
	add, err := p.Counter(day, "iss", client)
	if err == nil {
		err = add(n)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// quantities returns the meter's report by client and product.
func quantities(t *testing.T, m *meter.Meter) map[string]int64 {
	t.Helper()
	report, err := m.Report(t.Context(), store.Query{API: "api", Issuer: "iss", From: store.Day(day), To: store.Day(day)})
	if err != nil {
		t.Fatal(err)
	}
	q := map[string]int64{}
	for r, err := range report.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		q[r.Client+" "+r.Product] = r.Quantity
	}
	return q
}

func TestReportIncludesEverythingBefore(t *testing.T) {
	m := meter.New(memory.New())
	p, q := product(t, m, "p"), product(t, m, "q")
	for i := range 10 {
		use(t, p, "a", 1)
		use(t, q, "b", int64(i)+1)
		if got := quantities(t, m); got["a p"] != int64(i)+1 || got["b q"] != int64(i+1)*int64(i+2)/2 {
			t.Fatalf("after %d uses: got %v", i+1, got)
		}
	}
}

func TestConcurrentCounts(t *testing.T) {
	m := meter.New(memory.New())
	p := product(t, m, "p")
	const clients, uses = 40, 500
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			for range uses {
				use(t, p, fmt.Sprintf("client%d", i%4), 1)
			}
		})
		wg.Go(func() { m.Flush(t.Context()) })
	}
	wg.Wait()
	got := quantities(t, m)
	for i := range 4 {
		if n := got[fmt.Sprintf("client%d p", i)]; n != clients/4*uses {
			t.Errorf("client %d: got %d, want %d", i, n, clients/4*uses)
		}
	}
}

// forgetful is a store that fails, loses replies, or goes back in time.
type forgetful struct {
	store.Usage
	mu              sync.Mutex
	fail, loseReply bool
}

func (f *forgetful) Record(ctx context.Context, s store.Stream, t store.Batch) (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail {
		return 0, errors.New("down")
	}
	had, err := f.Usage.Record(ctx, s, t)
	if f.loseReply {
		return 0, errors.New("connection cut")
	}
	return had, err
}

func (f *forgetful) setDown(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = down
}

func (f *forgetful) set(u store.Usage) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Usage = u
}

func TestU07StoreFaults(t *testing.T) {
	f := &forgetful{Usage: memory.New(), fail: true}
	m := meter.New(f)
	p := product(t, m, "p")
	use(t, p, "a", 5)
	if err := m.Flush(t.Context()); err == nil {
		t.Error("the store failed, and Flush did not")
	}
	f.fail, f.loseReply = false, true
	if err := m.Flush(t.Context()); err == nil {
		t.Error("the reply was lost, and Flush did not fail")
	}
	f.loseReply = false
	use(t, p, "a", 2)
	if got := quantities(t, m)["a p"]; got != 7 {
		t.Errorf("after a failure and a lost reply: got %d, want 7", got)
	}
	f.Usage = memory.New() // the store was put back to an empty copy
	if got := quantities(t, m)["a p"]; got != 7 {
		t.Errorf("after the store went back in time: got %d, want 7", got)
	}
}

func TestU04Quantities(t *testing.T) {
	for name, newMeter := range newMeters {
		m := newMeter(t, memory.New())
		add := adder(t, product(t, m, "p"), "a")
		for _, n := range []int64{0, -1, math.MinInt64} {
			if add(n) == nil {
				t.Errorf("%s: adding %d: no error", name, n)
			}
		}
		must(t, add(math.MaxInt64))
		if err := add(1); err == nil || errors.Is(err, meter.ErrDayClosed) {
			t.Errorf("%s: overflow: got %v", name, err)
		}
		if got := quantities(t, m)["a p"]; got != math.MaxInt64 {
			t.Errorf("%s: got %d", name, got)
		}
	}
}

func TestProducts(t *testing.T) {
	m := meter.New(memory.New())
	if p, again := product(t, m, "p"), product(t, m, "p"); p != again {
		t.Error("asked for twice, a product is two")
	}
	for _, names := range [][3]string{{"", "p", ""}, {"api", "", ""}, {"api", "p", "another label"}} {
		if _, err := m.Product(names[0], names[1], names[2]); err == nil {
			t.Errorf("%q: accepted", names)
		}
	}
}

func TestClose(t *testing.T) {
	db := memory.New()
	m := meter.New(db)
	p := product(t, m, "p")
	use(t, p, "a", 3)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Counter(day, "iss", "b"); !errors.Is(err, meter.ErrClosed) {
		t.Errorf("counting after Close: got %v", err)
	}
	if got := reported(t, db, day)["a p"]; got != 3 {
		t.Errorf("Close did not flush: got %d", got)
	}
}

// TestU03ManyCounters flushes in several batches, also to a store that has lost the first
// of them.
func TestU03ManyCounters(t *testing.T) {
	f := &forgetful{Usage: memory.New()}
	m := meter.New(f)
	p := product(t, m, "p")
	const clients = 12_000
	for range 2 {
		for i := range clients {
			use(t, p, fmt.Sprint(i), 1)
		}
		if err := m.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	f.Usage = memory.New()
	got := quantities(t, m)
	if len(got) != clients {
		t.Errorf("got %d clients, want %d", len(got), clients)
	}
	for client, n := range got {
		if n != 2 {
			t.Fatalf("%s: got %d, want 2", client, n)
		}
	}
}

func TestCountingAfterClose(t *testing.T) {
	m := meter.New(memory.New())
	add, err := product(t, m, "p").Counter(day, "iss", "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := add(1); !errors.Is(err, meter.ErrClosed) {
		t.Errorf("got %v, want %v", err, meter.ErrClosed)
	}
}

func clientName(i int) string { return fmt.Sprint("client ", i) }
