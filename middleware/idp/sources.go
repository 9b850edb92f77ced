package idp

import (
	"sync"
	"time"

	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/internal/deadline"
)

// subscribe subscribes s to several sources. It is fresh until the first of them is not.
// A source that is no longer fresh does not count, because all that was remembered of it
// has then been forgotten.
func subscribe(sources []middleware.Source, s middleware.Sink) (cancel func()) {
	t := &together{sink: s, until: make([]deadline.Deadline, len(sources)), stale: make([]bool, len(sources))}
	for i := range t.stale {
		// No source has reported yet, so there is nothing to forget.
		t.stale[i] = true
	}

	var cancels []func()
	for i, source := range sources {
		cancels = append(cancels, source.Subscribe(&oneOf{t, i}))
	}
	return func() {
		for _, cancel := range cancels {
			cancel()
		}
	}
}

// together combines the reports of several sources for one sink.
type together struct {
	mu    sync.Mutex
	sink  middleware.Sink
	until []deadline.Deadline // of each source
	stale []bool              // which sources were not fresh at the last report of any
}

// oneOf is the sink of one of the sources.
type oneOf struct {
	*together
	i int
}

// Forget implements [middleware.Sink].
func (s *oneOf) Forget(rs ...middleware.Revocation) { s.sink.Forget(rs...) }

// forever is longer than the lifetime of any process.
const forever = 100 * 366 * 24 * time.Hour

// FreshUntil implements [middleware.Sink].
func (s *oneOf) FreshUntil(until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until[s.i] = deadline.At(until)

	now := time.Now()
	first, forget := now.Add(forever), false
	for i, u := range s.until {
		past := u.Passed(now)

		// Forgetting once is enough, until the source is fresh again.
		forget = forget || past && !s.stale[i]
		s.stale[i] = past
		if !past && u.Before(first) {
			first = u.Time()
		}
	}

	// The sink must forget before it learns of a later time.
	if forget {
		s.sink.Forget(middleware.Revocation{Everything: true})
	}
	s.sink.FreshUntil(first)
}
