package meter_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/meter"
)

// TestU07CloseWhileStoreIsDown checks that counts that Close could not record are recorded
// by the next process, or by another Close.
func TestU07CloseWhileStoreIsDown(t *testing.T) {
	for _, again := range []bool{false, true} {
		for _, unmapped := range []bool{false, true} {
			f := &forgetful{Usage: memory.New(), fail: true}
			dir := filepath.Join(t.TempDir(), "usage")
			m := open(t, dir, f, meter.Config{Unmapped: unmapped})
			add := adder(t, product(t, m, "p"), "a")
			must(t, add(3))
			if err := m.Close(); err == nil {
				t.Error("the store is down, and Close tells it all")
			}
			if err := add(1); !errors.Is(err, meter.ErrClosed) {
				t.Errorf("after Close: got %v", err)
			}
			f.setDown(false)
			if again {
				must(t, m.Close())
			} else {
				must(t, open(t, dir, f, meter.Config{}).Flush(t.Context()))
			}
			if got := reported(t, f.Usage, day)["a p"]; got != 3 {
				t.Errorf("got %d, want 3", got)
			}
		}
	}
}

// TestCloseUnderLoad closes a meter while others count. Exactly the uses that were counted
// without an error must be recorded.
func TestCloseUnderLoad(t *testing.T) {
	for name, newMeter := range newMeters {
		for range 20 {
			db := memory.New()
			m := newMeter(t, db)
			p := product(t, m, "p")
			var wg sync.WaitGroup
			var did [4]int64
			begun := make(chan struct{}, len(did))
			for i := range did {
				wg.Go(func() {
					for n := 0; ; n++ {
						add, err := p.Counter(day, "iss", fmt.Sprint(n%7))
						if err == nil {
							err = add(1)
						}
						if n == 50 {
							begun <- struct{}{}
						}
						if err != nil {
							if !errors.Is(err, meter.ErrClosed) {
								t.Error(err)
							}
							return
						}
						did[i]++
					}
				})
			}
			for range did {
				<-begun
			}
			must(t, m.Close())
			wg.Wait()
			var told, want int64
			for _, n := range reported(t, db, day) {
				told += n
			}
			for _, n := range did {
				want += n
			}
			if told != want {
				t.Errorf("%s: %d told, want %d", name, told, want)
			}
		}
	}
}
