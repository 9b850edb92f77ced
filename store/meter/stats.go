package meter

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Stats describes the state of a meter, for metrics.
type Stats struct {
	Counters  int           // number of counters that can be added to
	Unflushed int           // number of counters whose total the store has not acknowledged
	Oldest    time.Duration // upper bound for the age of a count that is not acknowledged
	Leftovers int           // number of files of other processes that could not be recorded yet
	Asides    []Aside       // by name
	Bytes     int64         // total size of the files in which this process counts
}

// Stats returns the state of the meter. Its cost grows with the number of counters.
func (m *Meter) Stats() Stats {
	now := time.Now()
	s := Stats{Leftovers: int(m.unrecorded.Load())}
	for _, segment := range m.all() {
		s.Bytes += segment.bytes()

		unflushed := segment.unflushed()
		s.Unflushed += unflushed
		if unflushed > 0 {
			s.Oldest = max(s.Oldest, now.Sub(time.Unix(0, segment.through.Load())))
		}
	}

	m.mu.RLock()
	defer m.mu.RUnlock()
	s.Counters = int(m.counters.count.Load())
	for a := range maps.Values(m.asides) {
		s.Asides = append(s.Asides, *a)
	}
	slices.SortFunc(s.Asides, func(a, b Aside) int { return cmp.Compare(a.File, b.File) })
	return s
}

// unflushed returns how many totals the store has not acknowledged.
func (s *segment) unflushed() (n int) {
	cs, _ := s.all()
	for _, c := range cs {
		if c.value() != c.recorded.Load() {
			n++
		}
	}
	return n
}
