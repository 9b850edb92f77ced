package meter

import (
	"context"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/meter/internal/journal"
)

// Constants of the file format, for tests.
const (
	PageSize    = journal.PageSize
	BlockSize   = journal.BlockSize
	HeadLength  = journal.HeadLength
	VersionAt   = journal.VersionAt
	PublishedAt = journal.PublishedAt
	NamesAt     = journal.NamesAt
	FirstSize   = firstSize
	MaxNames    = journal.MaxNames
)

// Decode reads a journal file as the meter does.
func Decode(b []byte) (stream store.Stream, counts []store.Count, torn int, acked bool, err error) {
	j, err := journal.Decode(b)
	if err != nil {
		return store.Stream{}, nil, 0, false, err
	}
	return j.Stream, j.Counts, j.Torn, j.Acked, nil
}

// Published returns the word that publishes the slot at that place.
func Published(stream store.Stream, at int, slot []byte) uint64 {
	return journal.Published(stream, at, slot)
}

// OpenIdle is Open without the goroutines, so that a test decides when counts are
// recorded.
func OpenIdle(ctx context.Context, dir string, u store.Usage, cfg *Config) (*Meter, error) {
	return open(ctx, dir, u, cfg)
}

// Start starts the goroutines of a meter from OpenIdle.
func (m *Meter) Start() { m.start() }

// Scan looks for files of other processes, as a meter from Open does every ten seconds.
func (m *Meter) Scan() error { return m.scan(context.Background()) }
