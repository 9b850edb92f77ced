package ours

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authtier/authtier/benchmarks/peers/bench"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/meter"
)

const counters = 1000

// counted returns the total of a meter's report.
func counted(tb testing.TB, m *meter.Meter, day store.Day) (total int64) {
	tb.Helper()
	report, err := m.Report(tb.Context(), store.Query{API: "api", Issuer: bench.IssuerURL, From: day - 1, To: day})
	bench.Must(tb, err)
	for r, err := range report.Rows() {
		bench.Must(tb, err)
		total += r.Quantity
	}
	return total
}

func today() store.Day { return store.DayOf(time.Now()) }

// adders returns a meter and the functions that count for its clients, which an
// identity that the cache remembers has at hand.
func adders(tb testing.TB) (*meter.Meter, []func(int64) error) {
	tb.Helper()
	m := meter.New(memory.New())
	product, err := m.Product("api", "call", "calls")
	bench.Must(tb, err)
	adds := make([]func(int64) error, counters)
	for i := range adds {
		adds[i], err = product.Counter(int(today()), bench.IssuerURL, fmt.Sprintf("client-%d", i))
		bench.Must(tb, err)
	}
	return m, adds
}

func TestCount(t *testing.T) {
	m, adds := adders(t)
	for i := range 3 * counters {
		bench.Must(t, adds[i%counters](1))
	}
	if got := counted(t, m, today()); got != 3*counters {
		t.Errorf("%d counted, want %d", got, 3*counters)
	}
}

// BenchmarkCount counts one use for one of a thousand clients, in random order.
func BenchmarkCount(b *testing.B) {
	order := make([]uint16, 1<<16)
	for i := range order {
		order[i] = uint16(rand.IntN(counters))
	}
	b.Run("peer=authtier", func(b *testing.B) {
		_, adds := adders(b)
		countInOrder(b, order, func(next func() uint16, pb *testing.PB) {
			for pb.Next() {
				if adds[next()](1) != nil {
					b.Error("not counted")
				}
			}
		})
	})
	b.Run("peer=mutex-map", func(b *testing.B) {
		var mu sync.Mutex
		names, totals := make([]string, counters), map[string]int64{}
		for i := range names {
			names[i] = fmt.Sprintf("client-%d", i)
		}
		countInOrder(b, order, func(next func() uint16, pb *testing.PB) {
			for pb.Next() {
				name := names[next()]
				mu.Lock()
				totals[name]++
				mu.Unlock()
			}
		})
	})
	b.Run("peer=atomic", func(b *testing.B) {
		totals := make([]atomic.Int64, counters)
		countInOrder(b, order, func(next func() uint16, pb *testing.PB) {
			for pb.Next() {
				totals[next()].Add(1)
			}
		})
	})
}

// countInOrder runs count on all cores. Each begins elsewhere in the order.
func countInOrder(b *testing.B, order []uint16, count func(next func() uint16, pb *testing.PB)) {
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		i := rand.IntN(len(order))
		count(func() uint16 { i++; return order[i%len(order)] }, pb)
	})
}
