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

// A journal file is one stream: a page of header, and then slots. A slot is one
// or more blocks within one page: the total, a word that publishes the slot, and
// the names of what is counted. Numbers are little-endian, but for the words
// that are changed in place, total, published and acknowledged, which are the
// machine's own, like the rest of what is mapped.
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

// frozen is the bit of a total that says that nothing is added any more.
const frozen = -1 << 63

// names are what a slot's total is about: API, product, label, issuer, client.
type names [5]string

func (n *names) length() (sum int) {
	for _, s := range n {
		sum += len(s)
	}
	return sum
}

// Why a file or a part of one is set aside.
var (
	errForeign   = errors.New("is not a journal")
	errNewer     = errors.New("is a journal of a newer version")
	errTorn      = errors.New("has a torn header")
	errTruncated = errors.New("is not as long as its header says")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A header is what a file says about itself.
type header struct {
	stream store.Stream
	day    store.Day
	size   int64
}

// encode returns the header's page.
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

// decodeHeader reads the header that b begins with.
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
	sound := crc32.Checksum(b[:headSumAt], castagnoli) == binary.LittleEndian.Uint32(b[headSumAt:])
	if !sound || h.size < pageSize || h.size > maxFile || binary.LittleEndian.Uint32(b[versionAt:]) != version {
		return header{}, errTorn
	}
	return h, nil
}

// A journal is what a file that nobody counts in holds.
type journal struct {
	header
	counts []store.Count
	torn   int  // slots, or runs of them
	acked  bool // the store has acknowledged all of it
	short  bool // the file was truncated: slots may be missing
}

// decode reads a file. Slots whose checksum fails have no part in it.
func decode(b []byte) (*journal, error) {
	h, err := decodeHeader(b)
	if err != nil {
		return nil, err
	}
	j := &journal{header: h, short: int64(len(b)) != h.size}
	b = b[:min(int64(len(b)), h.size)]
	var sum uint64
	excused := 0 // up to where what is no slot is explained
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
		default: // never published, and so never counted in
			excused = at + unpublished(rest)
		}
		at += max(size, blockSize)
	}
	j.acked = j.torn == 0 && !j.short && sum == binary.NativeEndian.Uint64(b[ackedAt:])
	return j, nil
}

func (n *names) count(number uint32, day store.Day, total int64) store.Count {
	return store.Count{
		Counter: number, Day: day, Total: total,
		API: n[0], Product: n[1], Label: n[2], Issuer: n[3], Client: n[4],
	}
}

// slotSize returns how many bytes a slot with those names takes.
func slotSize(n *names) int {
	return (namesAt + n.length() + blockSize - 1) / blockSize * blockSize
}

// encodeSlot writes all but the total and the word that publishes the slot, and
// returns that word. What it writes to holds zeros, and is as long as the slot.
func encodeSlot(stream store.Stream, at int, slot []byte, n *names) uint64 {
	rest := slot[namesAt:]
	for i, s := range n {
		binary.LittleEndian.PutUint16(slot[lengthsAt+2*i:], uint16(len(s)))
		rest = rest[copy(rest, s):]
	}
	return published(stream, at, slot)
}

// published returns the word that publishes the slot at that place in the file:
// its size, and a checksum of its names, its place and the stream.
func published(stream store.Stream, at int, slot []byte) uint64 {
	var place [len(stream) + 8]byte
	copy(place[:], stream[:])
	binary.LittleEndian.PutUint64(place[len(stream):], uint64(at))
	sum := crc32.Update(crc32.Checksum(place[:], castagnoli), castagnoli, slot[lengthsAt:])
	return 0xC0DE<<48 | uint64(len(slot)/blockSize)<<32 | uint64(sum)
}

// decodeSlot returns the names and the size of the slot at that place, at the
// beginning of the rest of its page; the size is 0 if there is none.
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

// unpublished returns how many bytes a slot takes that nobody lived to publish.
func unpublished(rest []byte) int {
	size := namesAt
	for i := range len(names{}) {
		size += int(binary.LittleEndian.Uint16(rest[lengthsAt+2*i:]))
	}
	return min(size, len(rest))
}

// word returns the word at that place of a file in memory, for atomic use.
func word(memory []byte, at int) *atomic.Int64 {
	return (*atomic.Int64)(unsafe.Pointer(&memory[at : at+8][0]))
}

// check says why names cannot be counted by, if they cannot.
func (n *names) check() error {
	if n.length() > maxNames {
		return fmt.Errorf("meter: names of %d bytes, %d at most", n.length(), maxNames)
	}
	for _, s := range n {
		if !storable(s) {
			return fmt.Errorf("meter: the name %.40q is not UTF-8, or holds NUL", s)
		}
	}
	return nil
}
