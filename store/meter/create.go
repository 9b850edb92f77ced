package meter

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/authtier/authtier/store"
)

// How long the files of a day are: the first one, and the longest.
const (
	firstSize = 64 << 10
	lastSize  = 8 << 20
)

// over reports whether a day is counted on no more.
func over(day store.Day, now time.Time) bool { return day < store.DayOf(now)-store.LateDays }

// create makes a counter, unless it is there by now. Making one may take a file,
// during which others are found, but not made.
func (m *Meter) create(k key) (add func(n int64) error, err error) {
	n := k.names()
	if err := n.check(); err != nil {
		return nil, err
	}
	m.creating.Lock()
	defer m.creating.Unlock()
	c := m.counters.find(&k)
	switch {
	case c != nil:
		return c.add, nil
	case m.closed.Load():
		return nil, ErrClosed
	case over(k.day, time.Now()):
		return nil, ErrDayClosed
	}
	c = &counter{key: k}
	if err := m.place(c); err != nil {
		return nil, fmt.Errorf("meter: no counter to be had: %w", err)
	}
	m.counters.insert(c)
	return c.add, nil
}

// again is for how long a file that could not be made is not tried again: who
// asks for counters while the disk is full waits for nobody.
const again = 100 * time.Millisecond

// place finds room for a counter in the last segment of its day, or makes a new
// one.
func (m *Meter) place(c *counter) error {
	s := m.current[c.key.day]
	if s != nil && s.place(c) {
		return nil
	}
	if m.failure != nil && time.Since(m.failed) < again {
		return m.failure
	}
	size := int64(firstSize)
	if s != nil {
		size = min(4*s.size, lastSize)
	}
	s, err := m.newSegment(c.key.day, size)
	if err != nil && size > firstSize {
		s, err = m.newSegment(c.key.day, firstSize) // there may be room for that
	}
	if m.failure, m.failed = err, time.Now(); err != nil {
		return err
	}
	if !s.place(c) {
		return errors.New("no room in a new file")
	}
	return nil
}

// newSegment makes the segment that a day is counted in from now on.
func (m *Meter) newSegment(day store.Day, size int64) (*segment, error) {
	s := newSegment(day, time.Now())
	if m.folder != nil {
		if m.bytes+size > m.cfg.MaxBytes {
			return nil, fmt.Errorf("the journal would be longer than %d bytes", m.cfg.MaxBytes)
		}
		s.name = fileName(s)
		m.mu.Lock()
		m.own[s.name] = true
		m.mu.Unlock()
		if err := m.folder.create(s, size); err != nil {
			m.disown(s)
			return nil, err
		}
		m.bytes += size
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.segments = append(m.segments, s)
	m.current[day] = s
	return s, nil
}

// disown forgets the name of a segment's file, which is not there.
func (m *Meter) disown(s *segment) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.own, s.name)
}

// all returns the segments that the store is told of.
func (m *Meter) all() []*segment {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.Clone(m.segments)
}

// closeSegments makes some segments final. Their days may be counted on in new
// ones.
func (m *Meter) closeSegments(match func(*segment) bool) {
	m.creating.Lock()
	defer m.creating.Unlock()
	closing := map[*segment]bool{}
	for _, s := range m.all() {
		if _, closed := s.all(); closed || !match(s) {
			continue
		}
		closing[s] = true
		if m.current[s.day] == s {
			delete(m.current, s.day)
		}
	}
	if len(closing) == 0 {
		return
	}
	m.counters.retain(func(c *counter) bool { return !closing[c.segment] })
	for s := range closing {
		s.close()
	}
}

// drop forgets a segment that the store need not be told of any more.
func (m *Meter) drop(s *segment) error {
	m.creating.Lock()
	defer m.creating.Unlock()
	m.mu.Lock()
	m.segments = slices.DeleteFunc(m.segments, func(o *segment) bool { return o == s })
	m.mu.Unlock()
	m.bytes -= s.bytes()
	return s.release()
}
