package meter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/meter/internal/journal"
)

// A leftover is a file in the folder that does not belong to this process. Meter.flushing
// guards it.
type leftover struct {
	name     string
	day      store.Day
	seq      uint64 // of the last batch that the store acknowledged
	acked    bool   // the store has acknowledged all of it
	recorded bool   // the store has all of it, and has not lost it since
	last     bool   // it was recorded after its day was over
	wait     bool   // until the next scan, because it is in use or not readable yet
	skip     bool   // it is set aside
}

// An Aside is a file of the folder that the meter cannot read, or only in part. The meter
// records the parts that are intact. It leaves the file as it is, for the operator to
// examine and remove.
type Aside struct {
	File  string
	Slots int // number of torn parts; 0 if Err concerns the file as a whole
	Err   error
}

// setAside reports a file, once for each reason.
func (m *Meter) setAside(name string, slots int, err error) {
	m.mu.Lock()
	old := m.asides[name]
	m.asides[name] = &Aside{File: name, Slots: slots, Err: err}
	m.mu.Unlock()
	if old == nil || old.Err.Error() != err.Error() {
		m.log().Error("authtier: a journal of usage is set aside", "file", m.file(name), "torn", slots, "cause", err)
	}
}

func (m *Meter) file(name string) string {
	if m.folder == nil {
		return name
	}
	return m.folder.Path(name)
}

// scan looks for files of other processes.
func (m *Meter) scan(ctx context.Context) error {
	unlock, err := m.lockFlushing(ctx)
	if err != nil {
		return fmt.Errorf("meter: %w", err)
	}
	defer unlock()

	if m.folder == nil || m.released {
		return nil
	}
	found, err := m.folder.Names()
	if err != nil {
		return fmt.Errorf("meter: %w", err)
	}

	there := map[string]bool{}
	for _, name := range found {
		m.folder.Tidy(name)
		there[name] = true
	}

	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range there {
		if l := m.leftovers[name]; l != nil {
			l.wait = false
		} else if !m.own[name] {
			m.leftovers[name] = &leftover{name: name}
		}
	}
	maps.DeleteFunc(m.leftovers, func(name string, _ *leftover) bool { return !there[name] })
	maps.DeleteFunc(m.asides, func(name string, _ *Aside) bool { return !there[name] })
	return nil
}

// recordLeftovers records the leftovers that the store does not know.
func (m *Meter) recordLeftovers(ctx context.Context) (forgot bool, err error) {
	if m.released {
		return false, nil
	}

	now, unrecorded := time.Now(), int64(0)
	for _, l := range m.leftovers {
		// The store may have lost the counts since they were recorded. Record them once
		// more, because the file is removed now that its day is over.
		if l.recorded && !l.last && over(l.day, now) {
			l.recorded = false
		}
		if l.recorded || l.wait || l.skip {
			continue
		}
		// After an error, the store is not asked again, but leftovers are still counted.
		if err == nil {
			var lost bool
			lost, err = m.recordLeftover(ctx, l, now)
			forgot = forgot || lost
		}
		if err != nil {
			unrecorded++
		}
	}
	m.unrecorded.Store(unrecorded)
	return forgot, err
}

// recordLeftover records the counts of a file. It returns only errors of the store.
func (m *Meter) recordLeftover(ctx context.Context, l *leftover, now time.Time) (forgot bool, err error) {
	file, err := m.folder.Adopt(l.name)
	if err != nil {
		m.unread(l, err)
		return false, nil
	}
	defer file.Close()

	j, err := journal.Read(file)
	if err != nil {
		m.unread(l, err)
		return false, nil
	}
	l.day = j.Day

	if len(j.Counts) > 0 {
		forgot, err = m.record(ctx, j.Stream, &l.seq, j.Day.Midnight(), store.Batch{Through: now, Ended: true, Counts: j.Counts})
		if errors.Is(err, store.ErrStreamClosed) {
			return false, m.foundClosed(l, j, now)
		} else if err != nil || forgot {
			return forgot, err
		}

		// A process that finds the stream closed can then see that nothing is lost.
		journal.Acknowledge(file, j)
		l.acked, l.recorded, l.last = true, true, over(j.Day, now)
	}
	return false, m.finish(l, j, now)
}

// unread notes that a file cannot be read, for now or for ever.
func (m *Meter) unread(l *leftover, err error) {
	l.wait = true
	switch {
	case errors.Is(err, journal.ErrBusy):
	case errors.Is(err, journal.ErrGone):
		delete(m.leftovers, l.name)
	default:
		// These faults do not go away. Others, such as missing permissions, may.
		l.skip = errors.Is(err, journal.ErrForeign) || errors.Is(err, journal.ErrNewer) || errors.Is(err, journal.ErrTorn)
		m.setAside(l.name, 0, err)
	}
}

// foundClosed handles a file whose stream the store has closed.
func (m *Meter) foundClosed(l *leftover, j *journal.Content, now time.Time) error {
	if !l.acked && !j.Acked {
		// The store may lack some of these counts, and a closed stream takes no more.
		l.skip = true
		m.setAside(l.name, j.Torn, fmt.Errorf("%w, and some of its counts may not have been acknowledged", store.ErrStreamClosed))
		return nil
	}
	l.acked, l.recorded, l.last = true, true, over(j.Day, now)
	return m.finish(l, j, now)
}

// finish removes a file when its day is over. It sets the file aside if a part of it
// could not be recorded.
func (m *Meter) finish(l *leftover, j *journal.Content, now time.Time) error {
	switch {
	case j.Short:
		m.setAside(l.name, j.Torn, journal.ErrTruncated)
	case j.Torn > 0:
		m.setAside(l.name, j.Torn, errTorn)
	case over(j.Day, now):
		delete(m.leftovers, l.name)
		if err := m.folder.Remove(l.name); err != nil {
			m.log().Error("authtier: a journal of usage cannot be removed", "file", m.file(l.name), "cause", err)
		}
	default:
		l.wait = len(j.Counts) == 0
		m.mu.Lock()
		delete(m.asides, l.name) // it has become readable
		m.mu.Unlock()
	}
	return nil
}
