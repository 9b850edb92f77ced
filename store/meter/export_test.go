package meter

import (
	"context"

	"github.com/authtier/authtier/store"
)

// Constants of the file format, for tests.
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

// Decode reads a journal file as the meter does.
func Decode(b []byte) (stream store.Stream, counts []store.Count, torn int, acked bool, err error) {
	j, err := decode(b)
	if err != nil {
		return store.Stream{}, nil, 0, false, err
	}
	return j.stream, j.counts, j.torn, j.acked, nil
}

// Published returns the word that publishes the slot at that place.
func Published(stream store.Stream, at int, slot []byte) uint64 { return published(stream, at, slot) }

// OpenIdle is Open without the goroutines, so that a test decides when counts are
// recorded.
func OpenIdle(ctx context.Context, dir string, u store.Usage, cfg *Config) (*Meter, error) {
	return open(ctx, dir, u, cfg)
}

// Start starts the goroutines of a meter from OpenIdle.
func (m *Meter) Start() { m.start() }

// Scan looks for files of other processes, as a meter from Open does every ten seconds.
func (m *Meter) Scan() error { return m.scan(context.Background()) }
