// Package journal holds the files in which a meter counts.
//
// A journal file is one stream: a page with the header, followed by slots. A slot takes
// one or more blocks within one page. It holds the total, a word that publishes the slot,
// and the names of the counter. Numbers are little-endian. The words that change in place
// (total, published, acknowledged) have the byte order of the machine.
//
//	folder, err := journal.OpenFolder("usage", false)
//	file, err := folder.Create(stream, day, 64<<10)
//	total, number, ok := file.Add(&names)
package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"sync/atomic"
	"unicode/utf8"
	"unsafe"

	"github.com/authtier/authtier/store"
)

// The layout of a file, in bytes.
const (
	PageSize  = 4096
	BlockSize = 64

	magic   = "authtier usage\r\n"
	version = 1

	// In the header.
	VersionAt  = len(magic)
	streamAt   = VersionAt + 4
	dayAt      = streamAt + len(store.Stream{})
	sizeAt     = dayAt + 8
	headSumAt  = sizeAt + 8
	HeadLength = headSumAt + 4
	ackedAt    = PageSize - 8 // the sum of the totals that the store has acknowledged

	// In a slot.
	totalAt     = 0
	PublishedAt = 8
	lengthsAt   = 16
	NamesAt     = lengthsAt + 2*len(Names{})

	maxFile  = 64 << 20
	MaxNames = PageSize - NamesAt
)

// Frozen is the bit of a total which means that nothing can be added to it any more.
const Frozen = -1 << 63

// Names are the names of a counter: API, product, label, issuer, client.
type Names [5]string

func (n *Names) length() (sum int) {
	for _, s := range n {
		sum += len(s)
	}
	return sum
}

// The reasons to set aside a file or a part of it.
var (
	ErrForeign   = errors.New("is not a journal")
	ErrNewer     = errors.New("is a journal of a newer version")
	ErrTorn      = errors.New("has a torn header")
	ErrTruncated = errors.New("is not as long as its header says")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A header describes a file. It is at its beginning.
type header struct {
	Stream store.Stream
	Day    store.Day
	Size   int64
}

// encode returns the header as a page.
func (h *header) encode() []byte {
	b := make([]byte, PageSize)
	copy(b, magic)
	binary.LittleEndian.PutUint32(b[VersionAt:], version)
	copy(b[streamAt:], h.Stream[:])
	binary.LittleEndian.PutUint64(b[dayAt:], uint64(h.Day))
	binary.LittleEndian.PutUint64(b[sizeAt:], uint64(h.Size))
	binary.LittleEndian.PutUint32(b[headSumAt:], crc32.Checksum(b[:headSumAt], castagnoli))
	return b
}

// decodeHeader reads the header at the beginning of b.
func decodeHeader(b []byte) (header, error) {
	if !bytes.HasPrefix(b, []byte(magic)) {
		return header{}, ErrForeign
	}
	if len(b) < PageSize {
		return header{}, ErrTruncated
	}
	if binary.LittleEndian.Uint32(b[VersionAt:]) > version {
		return header{}, ErrNewer
	}

	h := header{
		Stream: store.Stream(b[streamAt:dayAt]),
		Day:    store.Day(int64(binary.LittleEndian.Uint64(b[dayAt:]))),
		Size:   int64(binary.LittleEndian.Uint64(b[sizeAt:])),
	}
	// The version is checked before the checksum, because a newer header may differ.
	sound := crc32.Checksum(b[:headSumAt], castagnoli) == binary.LittleEndian.Uint32(b[headSumAt:])
	if !sound || h.Size < PageSize || h.Size > maxFile || binary.LittleEndian.Uint32(b[VersionAt:]) != version {
		return header{}, ErrTorn
	}
	return h, nil
}

// A Content is the content of a file in which nobody counts.
type Content struct {
	header
	Counts []store.Count
	Torn   int  // torn slots, or runs of them
	Acked  bool // the store has acknowledged all of it
	Short  bool // the file was truncated, and slots may be missing
}

// Decode reads a file. It omits slots whose checksum is wrong.
func Decode(b []byte) (*Content, error) {
	h, err := decodeHeader(b)
	if err != nil {
		return nil, err
	}
	j := &Content{header: h, Short: int64(len(b)) != h.Size}
	b = b[:min(int64(len(b)), h.Size)]

	var sum uint64
	excused := 0 // up to this offset, bytes that are not a slot belong to a torn or unpublished one that was found already
	for at := PageSize; at+BlockSize <= len(b); {
		// A slot never crosses the end of a page.
		rest := b[at:min(len(b), at-at%PageSize+PageSize)]
		total := binary.NativeEndian.Uint64(rest[totalAt:]) &^ (1 << 63)
		n, size := decodeSlot(h.Stream, at, rest)
		switch {
		case size > 0:
			j.Counts = append(j.Counts, n.Count(uint32(at/BlockSize), h.Day, int64(total)))
			sum, excused = sum+total, 0
		case at < excused:
		case total != 0 || binary.NativeEndian.Uint64(rest[PublishedAt:]) != 0:
			j.Torn++
			excused = at + len(rest)
		default: // the slot was never published, and so never counted in
			excused = at + unpublished(rest)
		}

		// Behind a torn slot, the next one may begin at any block.
		at += max(size, BlockSize)
	}

	// The file holds the sum of the totals that the store has acknowledged.
	j.Acked = j.Torn == 0 && !j.Short && sum == binary.NativeEndian.Uint64(b[ackedAt:])
	return j, nil
}

// Count returns what the store is told about the counter with these names.
func (n *Names) Count(number uint32, day store.Day, total int64) store.Count {
	return store.Count{
		Counter: number, Day: day, Total: total,
		API: n[0], Product: n[1], Label: n[2], Issuer: n[3], Client: n[4],
	}
}

// slotSize returns the number of bytes of a slot with those names.
func slotSize(n *Names) int {
	return (NamesAt + n.length() + BlockSize - 1) / BlockSize * BlockSize
}

// encodeSlot writes a slot except its total and the word that publishes it, and returns
// that word. slot must hold zeros, and must be as long as slotSize says.
func encodeSlot(stream store.Stream, at int, slot []byte, n *Names) uint64 {
	rest := slot[NamesAt:]
	for i, s := range n {
		binary.LittleEndian.PutUint16(slot[lengthsAt+2*i:], uint16(len(s)))
		rest = rest[copy(rest, s):]
	}
	return Published(stream, at, slot)
}

// Published returns the word that publishes the slot at offset at. It holds the size of
// the slot, and a checksum of its names, its offset and the stream.
func Published(stream store.Stream, at int, slot []byte) uint64 {
	var place [len(stream) + 8]byte
	copy(place[:], stream[:])
	binary.LittleEndian.PutUint64(place[len(stream):], uint64(at))
	sum := crc32.Update(crc32.Checksum(place[:], castagnoli), castagnoli, slot[lengthsAt:])
	return 0xC0DE<<48 | uint64(len(slot)/BlockSize)<<32 | uint64(sum)
}

// decodeSlot returns the names and the size of the slot at offset at. rest is the rest of
// its page, beginning with the slot. The size is 0 if there is no valid slot.
func decodeSlot(stream store.Stream, at int, rest []byte) (n Names, size int) {
	word := binary.NativeEndian.Uint64(rest[PublishedAt:])
	size = int(word>>32&0xFFFF) * BlockSize
	if size == 0 || size > len(rest) || word != Published(stream, at, rest[:size]) {
		return Names{}, 0
	}

	text := rest[NamesAt:size]
	for i := range n {
		length := int(binary.LittleEndian.Uint16(rest[lengthsAt+2*i:]))
		if length > len(text) {
			return Names{}, 0
		}
		n[i], text = string(text[:length]), text[length:]
	}
	return n, size
}

// unpublished returns the size of a slot that was written, but never published.
func unpublished(rest []byte) int {
	size := NamesAt
	for i := range len(Names{}) {
		size += int(binary.LittleEndian.Uint16(rest[lengthsAt+2*i:]))
	}
	return min(size, len(rest))
}

// word returns the word at an offset of a file in memory, for atomic use.
func word(memory []byte, at int) *atomic.Int64 {
	return (*atomic.Int64)(unsafe.Pointer(&memory[at : at+8][0]))
}

// Check returns an error that names every fault if no counter can have these names.
func (n *Names) Check() error {
	var errs []error
	if n.length() > MaxNames {
		errs = append(errs, fmt.Errorf("names of %d bytes, %d at most", n.length(), MaxNames))
	}
	for _, s := range n {
		if !Storable(s) {
			errs = append(errs, fmt.Errorf("the name %.40q is not UTF-8, or holds NUL", s))
		}
	}
	return errors.Join(errs...)
}

// Storable reports whether every store can hold a name.
func Storable(name string) bool {
	return utf8.ValidString(name) && strings.IndexByte(name, 0) < 0
}
