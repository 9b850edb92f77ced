package meter

import (
	"crypto/rand"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/meter/internal/journal"
)

// A segment is a stream of the counts of one day. It is a file of the journal, or only
// memory if the meter has no folder.
type segment struct {
	stream store.Stream
	day    store.Day
	file   *journal.File // nil without a folder

	mu       sync.Mutex
	counters []*counter
	closed   bool // no counter is added, and all are frozen

	// Guarded by Meter.flushing.
	seq    uint64    // of the last batch that the store acknowledged
	spoken time.Time // when it acknowledged that batch
	ended  bool      // the store knows that the stream has ended

	through atomic.Int64 // the store knows all counts up to here, in Unix nanoseconds
}

// newSegment returns a segment that has no file.
func newSegment(day store.Day, now time.Time) *segment {
	s := &segment{day: day}
	s.through.Store(now.UnixNano())
	rand.Read(s.stream[:])
	return s
}

// place finds room for a counter. It reports false if there is none.
func (s *segment) place(c *counter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		// A block is a cache line, so that counters do not slow each other down.
		block := new([journal.BlockSize / 8]atomic.Int64)
		c.number, c.total = uint32(len(s.counters)), &block[0]
	} else {
		n := c.key.names()
		total, number, ok := s.file.Add(&n)
		if !ok {
			return false
		}
		c.number, c.total = number, total
	}

	c.segment, c.add = s, c.adder()
	s.counters = append(s.counters, c)
	return true
}

// all returns the counters, and whether they are final.
func (s *segment) all() (cs []*counter, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counters, s.closed
}

// close makes all totals final. The caller must make sure that no counter is placed
// meanwhile.
func (s *segment) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	for _, c := range s.counters {
		c.freeze()
	}
}

// acknowledge notes the sum of the totals that the store has acknowledged.
func (s *segment) acknowledge(sum uint64) {
	if s.file != nil {
		s.file.Acknowledge(sum)
	}
}

// name returns the name of the file, or "".
func (s *segment) name() string {
	if s.file == nil {
		return ""
	}
	return s.file.Name()
}

// bytes returns the size of the file, or 0.
func (s *segment) bytes() int64 {
	if s.file == nil {
		return 0
	}
	return s.file.Size
}

// sync makes counts survive a crash of the machine.
func (s *segment) sync() error {
	if s.file == nil {
		return nil
	}
	return s.file.Sync()
}

// release closes the file. Its memory stays usable.
func (s *segment) release() error {
	if s.file == nil {
		return nil
	}
	return s.file.Release()
}
