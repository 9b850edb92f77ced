package meter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync/atomic"
	"unsafe"

	"github.com/authtier/authtier/store"
)

// A journal file is one stream: a page with the header, followed by slots. A slot takes
// one or more blocks within one page. It holds the total, a word that publishes the slot,
// and the names of the counter. Numbers are little-endian. The words that change in place
// (total, published, acknowledged) have the byte order of the machine.
const (
	pageSize  = 4096
	blockSize = 64

	magic   = "authtier usage\r\n"
	version = 1

	// In the header.
	versionAt  = len(magic)
	streamAt   = versionAt + 4
	dayAt      = streamAt + len(store.Stream{})
	sizeAt     = dayAt + 8
	headSumAt  = sizeAt + 8
	headLength = headSumAt + 4
	ackedAt    = pageSize - 8 // the sum of the totals that the store has acknowledged

	// In a slot.
	totalAt     = 0
	publishedAt = 8
	lengthsAt   = 16
	namesAt     = lengthsAt + 2*len(names{})

	maxFile  = 64 << 20
	maxNames = pageSize - namesAt
)

// frozen is the bit of a total which means that nothing can be added to it any more.
const frozen = -1 << 63

// names are the names of a counter: API, product, label, issuer, client.
type names [5]string

func (n *names) length() (sum int) {
	for _, s := range n {
		sum += len(s)
	}
	return sum
}

// The reasons to set aside a file or a part of it.
var (
	errForeign   = errors.New("is not a journal")
	errNewer     = errors.New("is a journal of a newer version")
	errTorn      = errors.New("has a torn header")
	errTruncated = errors.New("is not as long as its header says")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A header describes a file. It is at its beginning.
type header struct {
	stream store.Stream
	day    store.Day
	size   int64
}

// encode returns the header as a page.
func (h *header) encode() []byte {
	b := make([]byte, pageSize)
	copy(b, magic)
	binary.LittleEndian.PutUint32(b[versionAt:], version)
	copy(b[streamAt:], h.stream[:])
	binary.LittleEndian.PutUint64(b[dayAt:], uint64(h.day))
	binary.LittleEndian.PutUint64(b[sizeAt:], uint64(h.size))
	binary.LittleEndian.PutUint32(b[headSumAt:], crc32.Checksum(b[:headSumAt], castagnoli))
	return b
}

// decodeHeader reads the header at the beginning of b.
func decodeHeader(b []byte) (header, error) {
	if !bytes.HasPrefix(b, []byte(magic)) {
		return header{}, errForeign
	}
	if len(b) < pageSize {
		return header{}, errTruncated
	}
	if binary.LittleEndian.Uint32(b[versionAt:]) > version {
		return header{}, errNewer
	}

	h := header{
		stream: store.Stream(b[streamAt:dayAt]),
		day:    store.Day(int64(binary.LittleEndian.Uint64(b[dayAt:]))),
		size:   int64(binary.LittleEndian.Uint64(b[sizeAt:])),
	}
	// The version is checked before the checksum, because a newer header may differ.
	sound := crc32.Checksum(b[:headSumAt], castagnoli) == binary.LittleEndian.Uint32(b[headSumAt:])
	if !sound || h.size < pageSize || h.size > maxFile || binary.LittleEndian.Uint32(b[versionAt:]) != version {
		return header{}, errTorn
	}
	return h, nil
}

// A journal is the content of a file in which nobody counts.
type journal struct {
	header
	counts []store.Count
	torn   int  // torn slots, or runs of them
	acked  bool // the store has acknowledged all of it
	short  bool // the file was truncated, and slots may be missing
}

// decode reads a file. It omits slots whose checksum is wrong.
func decode(b []byte) (*journal, error) {
	h, err := decodeHeader(b)
	if err != nil {
		return nil, err
	}
	j := &journal{header: h, short: int64(len(b)) != h.size}
	b = b[:min(int64(len(b)), h.size)]

	var sum uint64
	excused := 0 // up to this offset, bytes that are no slot are already explained
	for at := pageSize; at+blockSize <= len(b); {
		rest := b[at:min(len(b), at-at%pageSize+pageSize)]
		total := binary.NativeEndian.Uint64(rest[totalAt:]) &^ (1 << 63)
		n, size := decodeSlot(h.stream, at, rest)
		switch {
		case size > 0:
			j.counts = append(j.counts, n.count(uint32(at/blockSize), h.day, int64(total)))
			sum, excused = sum+total, 0
		case at < excused:
		case total != 0 || binary.NativeEndian.Uint64(rest[publishedAt:]) != 0:
			j.torn++
			excused = at + len(rest)
		default: // the slot was never published, and so never counted in
			excused = at + unpublished(rest)
		}
		at += max(size, blockSize)
	}

	// The file holds the sum of the totals that the store has acknowledged.
	j.acked = j.torn == 0 && !j.short && sum == binary.NativeEndian.Uint64(b[ackedAt:])
	return j, nil
}

func (n *names) count(number uint32, day store.Day, total int64) store.Count {
	return store.Count{
		Counter: number, Day: day, Total: total,
		API: n[0], Product: n[1], Label: n[2], Issuer: n[3], Client: n[4],
	}
}

// slotSize returns the number of bytes of a slot with those names.
func slotSize(n *names) int {
	return (namesAt + n.length() + blockSize - 1) / blockSize * blockSize
}

// encodeSlot writes a slot except its total and the word that publishes it, and returns
// that word. slot must hold zeros, and must be as long as slotSize says.
func encodeSlot(stream store.Stream, at int, slot []byte, n *names) uint64 {
	rest := slot[namesAt:]
	for i, s := range n {
		binary.LittleEndian.PutUint16(slot[lengthsAt+2*i:], uint16(len(s)))
		rest = rest[copy(rest, s):]
	}
	return published(stream, at, slot)
}

// published returns the word that publishes the slot at offset at. It holds the size of
// the slot, and a checksum of its names, its offset and the stream.
func published(stream store.Stream, at int, slot []byte) uint64 {
	var place [len(stream) + 8]byte
	copy(place[:], stream[:])
	binary.LittleEndian.PutUint64(place[len(stream):], uint64(at))
	sum := crc32.Update(crc32.Checksum(place[:], castagnoli), castagnoli, slot[lengthsAt:])
	return 0xC0DE<<48 | uint64(len(slot)/blockSize)<<32 | uint64(sum)
}

// decodeSlot returns the names and the size of the slot at offset at. rest is the rest of
// its page, beginning with the slot. The size is 0 if there is no valid slot.
func decodeSlot(stream store.Stream, at int, rest []byte) (n names, size int) {
	word := binary.NativeEndian.Uint64(rest[publishedAt:])
	size = int(word>>32&0xFFFF) * blockSize
	if size == 0 || size > len(rest) || word != published(stream, at, rest[:size]) {
		return names{}, 0
	}
	text := rest[namesAt:size]
	for i := range n {
		length := int(binary.LittleEndian.Uint16(rest[lengthsAt+2*i:]))
		if length > len(text) {
			return names{}, 0
		}
		n[i], text = string(text[:length]), text[length:]
	}
	return n, size
}

// unpublished returns the size of a slot that was written, but never published.
func unpublished(rest []byte) int {
	size := namesAt
	for i := range len(names{}) {
		size += int(binary.LittleEndian.Uint16(rest[lengthsAt+2*i:]))
	}
	return min(size, len(rest))
}

// word returns the word at an offset of a file in memory, for atomic use.
func word(memory []byte, at int) *atomic.Int64 {
	return (*atomic.Int64)(unsafe.Pointer(&memory[at : at+8][0]))
}

// check returns an error that names every fault if no counter can have these names.
func (n *names) check() error {
	var errs []error
	if n.length() > maxNames {
		errs = append(errs, fmt.Errorf("meter: names of %d bytes, %d at most", n.length(), maxNames))
	}
	for _, s := range n {
		if !storable(s) {
			errs = append(errs, fmt.Errorf("meter: the name %.40q is not UTF-8, or holds NUL", s))
		}
	}
	return errors.Join(errs...)
}
