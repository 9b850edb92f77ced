package meter

import "github.com/authtier/authtier/store"

// What tests of the files need to know of them.
const (
	PageSize    = pageSize
	BlockSize   = blockSize
	HeadLength  = headLength
	VersionAt   = versionAt
	PublishedAt = publishedAt
	NamesAt     = namesAt
	FirstSize   = firstSize
	MaxNames    = maxNames
)

// Decode reads a journal's file. Size is what its header says.
func Decode(b []byte) (stream store.Stream, counts []store.Count, torn int, acked bool, err error) {
	j, err := decode(b)
	if err != nil {
		return store.Stream{}, nil, 0, false, err
	}
	return j.stream, j.counts, j.torn, j.acked, nil
}

// Published returns the word that publishes the slot at that place.
func Published(stream store.Stream, at int, slot []byte) uint64 { return published(stream, at, slot) }
