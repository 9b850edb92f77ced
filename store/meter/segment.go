package meter

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/authtier/authtier/store"
)

// A segment is a stream of the counts of one day. It is a file of the journal, or memory
// alone if the meter has no folder.
type segment struct {
	header
	name   string // of the file
	mapped bool

	mu       sync.Mutex
	memory   []byte   // the content of the file, now or after the next sync; nil without a folder
	used     int      // bytes of memory
	slots    []uint32 // their offsets in memory
	counters []*counter
	closed   bool     // no counter is added, and all are frozen
	file     *os.File // holds the lock; nil without a folder, and after release

	syncing     sync.Mutex
	synced      uint64 // the checksum at the last sync
	syncedSlots int    // the number of slots at the last sync
	written     []byte // the content of the file, if it is not mapped

	// Guarded by Meter.flushing.
	seq    uint64    // of the last batch that the store acknowledged
	spoken time.Time // when it acknowledged that batch
	ended  bool      // the store knows that the stream has ended

	through atomic.Int64 // the store knows all counts up to here, in Unix nanoseconds
}

// newSegment returns a segment that has no file.
func newSegment(day store.Day, now time.Time) *segment {
	s := &segment{header: header{day: day}}
	s.through.Store(now.UnixNano())
	rand.Read(s.stream[:])
	return s
}

// place finds room for a counter. It reports false if there is none.
func (s *segment) place(c *counter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.memory == nil {
		// A block is a cache line, so that counters do not slow each other down.
		block := new([blockSize / 8]atomic.Int64)
		c.number, c.total = uint32(len(s.counters)), &block[0]
	} else if !s.write(c) {
		return false
	}
	c.segment, c.add = s, c.adder()
	s.counters = append(s.counters, c)
	return true
}

// write makes a slot of the file for c. A slot never crosses the end of a page.
func (s *segment) write(c *counter) bool {
	n := c.key.names()
	size := slotSize(&n)
	at := s.used
	if room := pageSize - at%pageSize; size > room {
		at += room
	}
	if at+size > len(s.memory) {
		return false
	}
	publish := encodeSlot(s.stream, at, s.memory[at:at+size], &n)
	word(s.memory, at+publishedAt).Store(int64(publish))
	s.used, s.slots = at+size, append(s.slots, uint32(at))
	c.number, c.total = uint32(at/blockSize), word(s.memory, at+totalAt)
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

// acknowledge stores in the file the sum of the totals that the store has acknowledged.
func (s *segment) acknowledge(sum uint64) {
	if s.memory != nil {
		word(s.memory, ackedAt).Store(int64(sum))
		runtime.KeepAlive(s)
	}
}

// bytes returns the size of the file.
func (s *segment) bytes() int64 { return int64(len(s.memory)) }

// sync makes counts survive a crash of the machine, and in a file that is not mapped a
// crash of the process.
func (s *segment) sync() error {
	s.syncing.Lock()
	defer s.syncing.Unlock()
	s.mu.Lock()
	f, used, slots := s.file, s.used, s.slots
	s.mu.Unlock()
	if f == nil {
		return nil
	}

	sum := s.checksum(slots)
	if len(slots) == s.syncedSlots && sum == s.synced {
		return nil
	}

	err := s.save(f, s.memory[:used])
	if err == nil {
		s.synced, s.syncedSlots = sum, len(slots)
	}
	return err
}

// checksum returns a number that differs whenever a slot has changed, because totals only
// grow. It reads the memory directly instead of the counters, because it runs ten times a
// second.
func (s *segment) checksum(slots []uint32) uint64 {
	sum := uint64(word(s.memory, ackedAt).Load())
	for _, at := range slots {
		sum += uint64(word(s.memory, int(at)+totalAt).Load())
	}
	return sum
}

func (s *segment) save(f *os.File, used []byte) error {
	if s.mapped {
		return syncMapped(used)
	}
	for at := 0; at < len(used); at += pageSize {
		page := s.page(at)
		if bytes.Equal(page, s.written[at:at+pageSize]) {
			continue
		}
		if _, err := f.WriteAt(page, int64(at)); err != nil {
			return err
		}
		copy(s.written[at:], page)
	}
	return f.Sync()
}

// page returns a copy of a page of memory.
func (s *segment) page(at int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	page := make([]byte, pageSize)
	for i := 0; i < pageSize; i += 8 {
		binary.NativeEndian.PutUint64(page[i:], uint64(word(s.memory, at+i).Load()))
	}
	return page
}

// release closes the file and gives up its lock. The memory stays usable.
func (s *segment) release() error {
	s.syncing.Lock()
	defer s.syncing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	err := errors.Join(unlock(s.file), s.file.Close())
	s.file = nil
	return err
}

// ordinaryMemory returns zeros that are aligned for atomic use of words.
func ordinaryMemory(size int) []byte {
	words := make([]uint64, size/8)
	return unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), size)
}
