package meter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authtier/authtier/store"
)

const (
	maxBatch  = 5000 // counts of a batch
	heartbeat = 10 * time.Second
)

// Flush records every total that has changed, and the counts of processes that have
// ended and left files in the folder. Counts that it could not record are recorded by
// the next Flush. It returns [ErrClosed] if the meter is closed.
func (m *Meter) Flush(ctx context.Context) error {
	ctx, cancel := m.whileOpen(ctx)
	defer cancel()

	err := m.flush(ctx, true)
	// Even if err is nil, Close may have made counts final that this flush did not see.
	if m.closed.Load() {
		return ErrClosed
	}
	return err
}

// flush records the totals that have changed. If force is true, or nothing was recorded
// for a while, it also records that nothing has changed.
func (m *Meter) flush(ctx context.Context, force bool) error {
	unlock, err := m.lockFlushing(ctx)
	if err != nil {
		return fmt.Errorf("meter: flush: %w", err)
	}
	defer unlock()

	// Counters of a day that is over are frozen first, so that nothing is added later.
	now := time.Now()
	m.closeSegments(func(s *segment) bool { return over(s.day, now) })
	// If the store has lost earlier counts, one more pass records everything again.
	forgot, err := m.recordAll(ctx, force)
	if err == nil && forgot {
		forgot, err = m.recordAll(ctx, force)
	}
	if err == nil && forgot {
		err = errors.New("the store forgets the counts that it records")
	}
	if err != nil {
		return fmt.Errorf("meter: flush: %w", err)
	}
	return nil
}

// lockFlushing waits until no other goroutine flushes, or ctx ends.
func (m *Meter) lockFlushing(ctx context.Context) (unlock func(), err error) {
	select {
	case m.flushing <- struct{}{}:
		return func() { <-m.flushing }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// recordAll records all segments and leftovers. It reports whether the store turned out
// to have lost earlier counts. In that case everything must be recorded again.
func (m *Meter) recordAll(ctx context.Context, force bool) (forgot bool, err error) {
	for _, s := range m.all() {
		lost, err := m.recordSegment(ctx, s, force)
		if err != nil {
			return false, err
		}
		forgot = forgot || lost
	}

	lost, err := m.recordLeftovers(ctx)
	if forgot = forgot || lost; forgot {
		m.forgetRecorded()
	}
	return forgot, err
}

// forgetRecorded makes the next flush record everything again.
func (m *Meter) forgetRecorded() {
	for _, s := range m.all() {
		cs, _ := s.all()
		for _, c := range cs {
			c.recorded.Store(0)
		}
		s.ended, s.seq = false, 0
	}
	for _, l := range m.leftovers {
		l.recorded, l.seq = false, 0
	}
}

// recordSegment records the counts of one segment.
func (m *Meter) recordSegment(ctx context.Context, s *segment, force bool) (forgot bool, err error) {
	through := time.Now()
	cs, closed := s.all()
	changed, counts, sum := unrecorded(cs)

	// A stream without news reports now and then, so that CompleteThrough goes on.
	silent := len(counts) == 0 && closed == s.ended
	if len(cs) == 0 || silent && (closed || !force && through.Sub(s.spoken) < heartbeat) {
		return false, m.retire(s, closed, through)
	}

	// Only the last of several batches is complete up to through.
	before := time.Unix(0, s.through.Load())
	forgot, err = m.record(ctx, s.stream, &s.seq, before, store.Batch{Through: through, Ended: closed, Counts: counts})
	switch {
	case errors.Is(err, store.ErrStreamClosed):
		return false, m.lose(s)
	case err != nil || forgot:
		return forgot, err
	}

	// Only now has the store acknowledged these totals.
	for i, c := range changed {
		c.recorded.Store(counts[i].Total)
	}
	s.acknowledge(sum)
	s.ended, s.spoken = closed, through
	s.through.Store(through.UnixNano())
	return false, m.retire(s, closed, through)
}

// unrecorded returns the counters whose totals the store does not know, and these totals
// as counts. sum is the sum of all totals, which the file keeps as a checksum.
func unrecorded(cs []*counter) (changed []*counter, counts []store.Count, sum uint64) {
	for _, c := range cs {
		total := c.value()
		sum += uint64(total)
		if total != c.recorded.Load() {
			n := c.key.names()
			changed, counts = append(changed, c), append(counts, n.Count(c.number, c.key.day, total))
		}
	}
	return changed, counts, sum
}

// record records a stream's counts, in several batches if there are many. Batches before
// the last one are complete only up to before. forgot reports whether the store has lost
// earlier batches of the stream.
func (m *Meter) record(ctx context.Context, stream store.Stream, seq *uint64, before time.Time, t store.Batch) (forgot bool, err error) {
	for rest := t.Counts; ; {
		n := min(len(rest), maxBatch)
		part := store.Batch{Seq: *seq + 1, Through: before, Counts: rest[:n]}
		if rest = rest[n:]; len(rest) == 0 {
			part.Through, part.Ended = t.Through, t.Ended
		}

		had, err := m.store.Record(ctx, stream, part)
		if err != nil {
			return false, err
		}

		// The store had acknowledged seq. A lower number means that it lost batches.
		forgot = forgot || had < *seq
		*seq = max(part.Seq, had)
		if len(rest) == 0 {
			return forgot, nil
		}
	}
}

// retire removes a segment once its day is over and the store knows all of it.
func (m *Meter) retire(s *segment, closed bool, now time.Time) error {
	cs, _ := s.all()
	if !closed || !over(s.day, now) || !s.ended && len(cs) > 0 {
		return nil
	}

	err := m.drop(s)

	// Once the folder is closed, other processes record and remove its files.
	if m.folder != nil && !m.released {
		err = errors.Join(err, m.folder.Remove(s.name()))
		m.disown(s.name())
	}
	return err
}

// lose gives up a segment whose stream the store has closed. If the store has not
// acknowledged all of its counts, the file is set aside.
func (m *Meter) lose(s *segment) error {
	m.closeSegments(func(o *segment) bool { return o == s })
	cs, _ := s.all()
	if _, lost, _ := unrecorded(cs); len(lost) > 0 {
		m.setAside(s.name(), 0, fmt.Errorf("%w, and %d of its counts were not acknowledged", store.ErrStreamClosed, len(lost)))
	}
	return m.drop(s)
}
