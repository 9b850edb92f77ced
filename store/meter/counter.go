package meter

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/authtier/authtier/store"
)

// key is what a counter is found by.
type key struct {
	product        *Product
	day            store.Day
	issuer, client string
}

func (k *key) names() names {
	return names{k.product.api, k.product.name, k.product.label, k.issuer, k.client}
}

// storable reports whether every store can hold a name.
func storable(name string) bool {
	return utf8.ValidString(name) && strings.IndexByte(name, 0) < 0
}

// A counter is how much one client has used of one product on one day. Its total
// is in its segment's memory, which stays where it is for as long as the counter
// can be reached.
type counter struct {
	total    *atomic.Int64
	segment  *segment
	number   uint32
	key      key
	recorded atomic.Int64 // what the store has acknowledged
	add      func(n int64) error
}

// adder returns the function that adds n or returns an error, never both. It
// has the total at hand, one step away.
func (c *counter) adder() func(n int64) error {
	total := c.total
	return func(n int64) error {
		if n <= 0 {
			return fmt.Errorf("meter: %d is not a positive quantity", n)
		}
		for {
			old := total.Load()
			if old < 0 || old > math.MaxInt64-n {
				return c.refusal(old)
			}
			if total.CompareAndSwap(old, old+n) {
				runtime.KeepAlive(c) // and so the memory that total is in
				return nil
			}
		}
	}
}

// refusal says why nothing can be added to a total.
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
	total := c.total.Load() &^ frozen
	runtime.KeepAlive(c)
	return total
}

// freeze makes the total final.
func (c *counter) freeze() {
	c.total.Or(frozen)
	runtime.KeepAlive(c)
}
