package meter

import (
	"context"
	"errors"
	"time"
)

const (
	syncEvery    = 100 * time.Millisecond
	flushEvery   = time.Second
	flushTimeout = 10 * time.Second
	scanEvery    = 10 // flushes between two scans
)

// Run records the counts of a meter from [New] in the store once a second. It returns the
// cause when ctx ends, and nil when the meter is closed. Counts of the last second are
// then not recorded yet: call [Meter.Close]. A store that fails loses nothing. The counts
// are recorded when it works again.
//
// A meter from [Open] runs by itself, so that Run returns an error for it.
func (m *Meter) Run(ctx context.Context) error {
	if m.folder != nil {
		return errors.New("meter: Run: the meter was opened, and runs already")
	}
	return m.flushes(ctx)
}

// start runs a meter from Open until it is closed: it syncs the journal every 100 ms,
// flushes every second, and looks for files of processes that have ended.
func (m *Meter) start() {
	m.loops.Go(func() { m.flushes(m.opened) })
	m.loops.Go(func() {
		m.repeat(m.opened, syncEvery, m.condition("usage cannot be synced", "usage is synced again",
			func(context.Context) error { return m.sync() }))
	})
}

func (m *Meter) flushes(ctx context.Context) error {
	n := 0
	flush := func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, flushTimeout)
		defer cancel()
		var err error
		if n++; n%scanEvery == 0 {
			err = m.scan(ctx)
		}
		return errors.Join(err, m.flush(ctx, false))
	}
	return m.repeat(ctx, flushEvery, m.condition("usage cannot be flushed", "usage is flushed again", flush))
}

// repeat calls f until the meter is closed or ctx ends. The context of f ends then too.
func (m *Meter) repeat(ctx context.Context, every time.Duration, f func(context.Context)) error {
	ctx, cancel := m.whileOpen(ctx)
	defer cancel()
	tick := time.NewTicker(every)
	defer tick.Stop()

	for {
		select {
		case <-ctx.Done():
			if cause := context.Cause(ctx); cause != ErrClosed {
				return cause
			}
			return nil
		case <-tick.C:
			f(ctx)
		}
	}
}

// whileOpen returns a context that ends with ctx, and with ErrClosed when the meter is
// closed. Without it, a call to a store that does not answer would keep Close waiting.
func (m *Meter) whileOpen(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(m.opened, func() { cancel(ErrClosed) })
	return ctx, func() { stop(); cancel(nil) }
}

// Close makes all counting fail with [ErrClosed] and records the last counts. It takes
// at most 10 seconds for that, whether or not the store answers. It returns an error if
// not all counts were recorded: they stay in the journal, and are recorded when the
// folder is opened again. A meter from [New] has no journal, and loses such counts
// unless Close is called again; each call tries again.
//
// Close the meter after the server has stopped, and before the store.
func (m *Meter) Close() error {
	// A create that holds the lock finishes first; later ones see that m is closed.
	m.creating.Lock()
	m.closed.Store(true)
	m.creating.Unlock()
	m.end()
	m.loops.Wait()

	// Freeze all totals, so that the last flush records everything that was counted.
	m.closeSegments(func(*segment) bool { return true })

	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	err := errors.Join(m.sync(), m.flush(ctx, true), m.release())
	if err != nil || m.folder == nil {
		return err
	}

	// A flush may still use the folder. Of several calls of Close, one closes it.
	unlock, err := m.lockFlushing(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if m.released {
		return nil
	}
	m.released = true
	return m.folder.Close()
}

// condition returns a function that calls f. It logs the first failure of f, and then its
// recovery.
func (m *Meter) condition(bad, good string, f func(context.Context) error) func(ctx context.Context) {
	failing := false
	return func(ctx context.Context) {
		err := f(ctx)
		switch {
		// An error after the end of ctx says nothing. Only changes of the state are
		// logged.
		case ctx.Err() != nil || failing == (err != nil):
			return
		case err != nil:
			m.log().ErrorContext(ctx, "authtier: "+bad, "cause", err)
		default:
			m.log().InfoContext(ctx, "authtier: "+good)
		}
		failing = err != nil
	}
}

// sync syncs every file that has changed.
func (m *Meter) sync() error {
	var errs []error
	for _, s := range m.all() {
		errs = append(errs, s.sync())
	}
	return errors.Join(errs...)
}

// release closes the files, so that other processes may record them.
func (m *Meter) release() error {
	var errs []error
	for _, s := range m.all() {
		errs = append(errs, s.release())
	}
	return errors.Join(errs...)
}
