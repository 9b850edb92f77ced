package meter

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/meter/internal/journal"
)

// The sizes of the first file of a day, and of the largest one. lastSize must not
// exceed maxFile of package journal.
const (
	firstSize = 64 << 10
	lastSize  = 8 << 20
)

// over reports whether a day accepts no more counts.
func over(day store.Day, now time.Time) bool { return day < store.DayOf(now)-store.LateDays }

// create makes a counter, unless another caller has made it. This may require a new file.
// In the meantime counters can be found, but no others can be made.
func (m *Meter) create(k key) (add func(n int64) error, err error) {
	n := k.names()
	if err := n.Check(); err != nil {
		return nil, fmt.Errorf("meter: %w", err)
	}

	m.creating.Lock()
	defer m.creating.Unlock()

	// Another caller may have made the counter while this one waited.
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
		return nil, fmt.Errorf("meter: no counter is available: %w", err)
	}
	m.counters.insert(c)
	return c.add, nil
}

// retryAfter is the time after a failure during which place does not try again to make
// a file. Without it, each request would wait for the attempt while the disk is full.
const retryAfter = 100 * time.Millisecond

// place finds room for a counter in the current segment of its day, or makes a new one.
func (m *Meter) place(c *counter) error {
	s := m.current[c.key.day]
	if s != nil && s.place(c) {
		return nil
	}
	if m.failure != nil && time.Since(m.failed) < retryAfter {
		return m.failure
	}

	// Each further file of a day is larger, so that few files hold many counters.
	size := int64(firstSize)
	if s != nil {
		size = min(4*max(s.bytes(), firstSize), lastSize)
	}
	s, err := m.newSegment(c.key.day, size)
	// There may still be room for a small file.
	if err != nil && size > firstSize {
		s, err = m.newSegment(c.key.day, firstSize)
	}
	if m.failure, m.failed = err, time.Now(); err != nil {
		return err
	}
	if !s.place(c) {
		return errors.New("no room in a new file")
	}
	return nil
}

// newSegment makes the segment in which a day is counted from now on.
func (m *Meter) newSegment(day store.Day, size int64) (*segment, error) {
	s := newSegment(day, time.Now())
	if m.folder != nil {
		if m.bytes+size > m.cfg.MaxBytes {
			return nil, fmt.Errorf("the journal would be longer than %d bytes", m.cfg.MaxBytes)
		}

		// The name must be known before the file exists, so that scan does not take it
		// for the file of another process.
		name := journal.FileName(s.stream, day)
		m.mu.Lock()
		m.own[name] = true
		m.mu.Unlock()
		var err error
		if s.file, err = m.folder.Create(s.stream, day, size); err != nil {
			m.disown(name)
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

// disown forgets the name of a file of this process, which does not exist.
func (m *Meter) disown(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.own, name)
}

// all returns the segments that the store must know.
func (m *Meter) all() []*segment {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.Clone(m.segments)
}

// closeSegments makes the totals of the matching segments final. New segments may count
// for the same days.
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

	// First make sure that create does not return these counters.
	m.counters.retain(func(c *counter) bool { return !closing[c.segment] })
	for s := range closing {
		s.close()
	}
}

// drop forgets a segment that no longer needs to be recorded.
func (m *Meter) drop(s *segment) error {
	m.creating.Lock()
	defer m.creating.Unlock()

	m.mu.Lock()
	m.segments = slices.DeleteFunc(m.segments, func(o *segment) bool { return o == s })
	m.mu.Unlock()
	m.bytes -= s.bytes()
	return s.release()
}
