package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"
)

// A File holds the totals of one stream. Its methods are safe for concurrent use. Totals
// must not be used after the File is unreachable, because its memory is then unmapped.
type File struct {
	header
	name   string
	mapped bool

	mu     sync.Mutex
	memory []byte   // the content of the file, now or after the next sync
	used   int      // bytes of memory
	slots  []uint32 // their offsets in memory
	file   *os.File // holds the lock; nil after Release

	syncing     sync.Mutex
	synced      uint64 // the checksum at the last sync
	syncedSlots int    // the number of slots at the last sync
	written     []byte // the content of the file, if it is not mapped
}

// Add makes a slot with these names, which must have passed Check. It returns the
// slot's total, which is 0, and its number. ok is false if the file has no room.
//
// A slot never crosses the end of a page.
func (s *File) Add(n *Names) (total *atomic.Int64, number uint32, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	size := slotSize(n)
	at := s.used
	if room := PageSize - at%PageSize; size > room {
		at += room
	}
	if at+size > len(s.memory) {
		return nil, 0, false
	}

	// The word that publishes the slot comes last. A crash before it leaves no slot.
	publish := encodeSlot(s.Stream, at, s.memory[at:at+size], n)
	word(s.memory, at+PublishedAt).Store(int64(publish))
	s.used, s.slots = at+size, append(s.slots, uint32(at))
	return word(s.memory, at+totalAt), uint32(at / BlockSize), true
}

// Acknowledge stores in the file the sum of the totals that the store has acknowledged.
func (s *File) Acknowledge(sum uint64) {
	word(s.memory, ackedAt).Store(int64(sum))
	runtime.KeepAlive(s)
}

// Name returns the name of the file in its folder.
func (s *File) Name() string { return s.name }

// Sync makes counts survive a crash of the machine, and in a file that is not mapped a
// crash of the process.
func (s *File) Sync() error {
	s.syncing.Lock()
	defer s.syncing.Unlock()
	s.mu.Lock()
	f, used, slots := s.file, s.used, s.slots
	s.mu.Unlock()
	if f == nil {
		return nil
	}

	// Syncing a file that has not changed would only cost time.
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
func (s *File) checksum(slots []uint32) uint64 {
	sum := uint64(word(s.memory, ackedAt).Load())
	for _, at := range slots {
		sum += uint64(word(s.memory, int(at)+totalAt).Load())
	}
	return sum
}

func (s *File) save(f *os.File, used []byte) error {
	if s.mapped {
		return syncMapped(used)
	}
	for at := 0; at < len(used); at += PageSize {
		page := s.page(at)
		if bytes.Equal(page, s.written[at:at+PageSize]) {
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
func (s *File) page(at int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	page := make([]byte, PageSize)
	for i := 0; i < PageSize; i += 8 {
		binary.NativeEndian.PutUint64(page[i:], uint64(word(s.memory, at+i).Load()))
	}
	return page
}

// Release closes the file and gives up its lock. The memory stays usable.
func (s *File) Release() error {
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
