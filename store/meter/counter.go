package meter

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync/atomic"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/meter/internal/journal"
)

// key identifies a counter.
type key struct {
	product        *Product
	day            store.Day
	issuer, client string
}

func (k *key) names() journal.Names {
	return journal.Names{k.product.api, k.product.name, k.product.label, k.issuer, k.client}
}

// A counter counts how much one client has used of one product on one day. Its total is
// in the memory of its segment, which must not be unmapped while the counter is reachable.
type counter struct {
	total    *atomic.Int64
	segment  *segment
	number   uint32
	key      key
	recorded atomic.Int64 // the total that the store has acknowledged
	add      func(n int64) error
}

// adder returns the function that adds n or returns an error, never both. The closure
// holds the pointer to the total itself, to save a step for each use.
func (c *counter) adder() func(n int64) error {
	total := c.total
	return func(n int64) error {
		if n <= 0 {
			return fmt.Errorf("meter: %d is not a positive quantity", n)
		}
		for {
			// A frozen total is negative. If it freezes now, CompareAndSwap fails.
			old := total.Load()
			if old < 0 || old > math.MaxInt64-n {
				return c.refusal(old)
			}
			if total.CompareAndSwap(old, old+n) {
				// The memory of total must stay mapped up to here.
				runtime.KeepAlive(c)
				return nil
			}
		}
	}
}

// refusal returns the reason why nothing can be added to a total.
func (c *counter) refusal(total int64) error {
	switch {
	case total >= 0:
		return errors.New("meter: the count would overflow")
	case c.key.product.meter.closed.Load():
		return ErrClosed
	}
	return ErrDayClosed
}

// value returns the total.
func (c *counter) value() int64 {
	total := c.total.Load() &^ journal.Frozen
	runtime.KeepAlive(c)
	return total
}

// freeze makes the total final.
func (c *counter) freeze() {
	c.total.Or(journal.Frozen)
	runtime.KeepAlive(c)
}
