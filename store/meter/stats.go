package meter

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Stats says how a meter does, for metrics.
type Stats struct {
	Counters  int           // that can be added to
	Unflushed int           // counters with a total that the store has not acknowledged
	Oldest    time.Duration // how long ago the oldest count among those may have been
	Leftovers int           // files of others that the store is still to be told of
	Asides    []Aside       // by name
	Bytes     int64         // how long the files are that this process counts in
}

// Stats looks at every counter.
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
