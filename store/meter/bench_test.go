package meter_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/meter"
)

// newMeters are the ways to make a meter.
var newMeters = map[string]func(tb testing.TB, u store.Usage) *meter.Meter{
	"memory": func(_ testing.TB, u store.Usage) *meter.Meter { return meter.New(u) },
	"mapped": func(tb testing.TB, u store.Usage) *meter.Meter { return open(tb, tb.TempDir(), u, meter.Config{}) },
	"unmapped": func(tb testing.TB, u store.Usage) *meter.Meter {
		return open(tb, tb.TempDir(), u, meter.Config{Unmapped: true})
	},
}

// BenchmarkCount counts uses of one of a thousand clients, in random order on all cores.
// It compares a function that the caller keeps with one that is looked up each time.
func BenchmarkCount(b *testing.B) {
	const clients = 1000
	order := make([]uint16, 1<<16)
	for i := range order {
		order[i] = uint16(rand.IntN(clients))
	}
	for name, newMeter := range newMeters {
		p := product(b, newMeter(b, memory.New()), "p")
		names, adds := make([]string, clients), make([]func(int64) error, clients)
		for i := range names {
			names[i] = fmt.Sprint("client-", i)
			adds[i] = adder(b, p, names[i])
		}
		for _, bb := range []struct {
			name  string
			count func(i uint16) error
		}{
			{"known", func(i uint16) error { return adds[i](1) }},
			{"found", func(i uint16) error { _, err := p.Counter(day, "iss", names[i]); return err }},
		} {
			b.Run("journal="+name+"/counter="+bb.name, func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for i := rand.IntN(len(order)); pb.Next(); i++ {
						if err := bb.count(order[i%len(order)]); err != nil {
							b.Error(err)
						}
					}
				})
			})
		}
	}
}

// BenchmarkNew makes counters, including their files.
func BenchmarkNew(b *testing.B) {
	for name, newMeter := range newMeters {
		b.Run("journal="+name, func(b *testing.B) {
			p := product(b, newMeter(b, memory.New()), "p")
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				adder(b, p, fmt.Sprint("client-", i))
			}
		})
	}
}
