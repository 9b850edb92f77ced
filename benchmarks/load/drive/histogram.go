package drive

import (
	"math/bits"
	"time"
)

// A Histogram counts durations in buckets that are at most 1/32 wide. Its zero
// value is empty.
type Histogram struct {
	counts [buckets]uint64
	total  uint64
}

const (
	precision = 5 // bits of a duration behind the first
	buckets   = (64 - precision) << precision
)

// bucket returns the bucket of n nanoseconds. Durations below 64 ns have a bucket each.
// Above, there are 32 buckets for each power of two.
func bucket(n uint64) int {
	exponent := bits.Len64(n|1<<precision) - 1 - precision
	return exponent<<precision + int(n>>exponent)
}

// middle returns the duration that represents a bucket.
func middle(b int) time.Duration {
	exponent := max(0, b>>precision-1)
	first := uint64(b-exponent<<precision) << exponent
	return time.Duration(first + 1<<exponent/2)
}

func (h *Histogram) add(d time.Duration) {
	h.counts[bucket(uint64(max(0, d)))]++
	h.total++
}

func (h *Histogram) merge(other *Histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
}

// Count returns how many durations were counted.
func (h *Histogram) Count() uint64 { return h.total }

// Quantile returns the duration that a share q of all did not exceed, from 0 to
// 1; for an empty histogram it is 0.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank, seen := uint64(q*float64(h.total-1)), uint64(0)
	for b, n := range h.counts {
		if seen += n; seen > rank {
			return middle(b)
		}
	}
	return middle(buckets - 1)
}
