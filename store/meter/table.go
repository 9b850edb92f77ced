package meter

import (
	"hash/maphash"
	"sync/atomic"
)

// A table finds counters without a lock. Only one goroutine at a time may change it.
type table struct {
	seed  maphash.Seed
	now   atomic.Pointer[[]slot] // its length is a power of two; at most half is used
	count atomic.Int64
}

type slot = atomic.Pointer[counter]

func newTable() *table {
	t := &table{seed: maphash.MakeSeed()}
	t.now.Store(new(make([]slot, 64)))
	return t
}

// hash leaves out the issuer, because keys rarely differ only in it.
func (t *table) hash(k *key) uint64 {
	return (maphash.String(t.seed, k.client) ^ uint64(k.day)<<32 ^ uint64(k.product.number)) * 0x9E3779B97F4A7C15 >> 16
}

// find returns the counter with that key, or nil.
func (t *table) find(k *key) *counter {
	slots := *t.now.Load()
	for i := t.hash(k); ; i++ {
		c := slots[i&uint64(len(slots)-1)].Load()
		if c == nil || c.key == *k {
			return c
		}
	}
}

// insert adds a counter. The table must not hold its key yet.
func (t *table) insert(c *counter) {
	slots := *t.now.Load()
	if 2*(t.count.Add(1)) > int64(len(slots)) {
		t.rebuild(2*len(slots), func(*counter) bool { return true })
		slots = *t.now.Load()
	}

	t.put(slots, c)
}

func (t *table) put(slots []slot, c *counter) {
	for i := t.hash(&c.key); ; i++ {
		if s := &slots[i&uint64(len(slots)-1)]; s.Load() == nil {
			s.Store(c)
			return
		}
	}
}

// retain removes the counters for which keep returns false.
func (t *table) retain(keep func(*counter) bool) {
	kept := 0
	for i := range *t.now.Load() {
		if c := (*t.now.Load())[i].Load(); c != nil && keep(c) {
			kept++
		}
	}

	size := 64
	for size < 2*kept {
		size *= 2
	}
	t.rebuild(size, keep)
	t.count.Store(int64(kept))
}

// rebuild replaces the table by one with size slots.
func (t *table) rebuild(size int, keep func(*counter) bool) {
	slots := make([]slot, size)
	old := *t.now.Load()
	for i := range old {
		if c := old[i].Load(); c != nil && keep(c) {
			t.put(slots, c)
		}
	}

	// Readers use the old table until the new one is complete.
	t.now.Store(&slots)
}
