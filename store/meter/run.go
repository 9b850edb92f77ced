package meter

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	syncEvery    = 100 * time.Millisecond
	flushEvery   = time.Second
	flushTimeout = 10 * time.Second
	scanEvery    = 10 // flushes
)

// Run syncs the journal every 100 ms and tells the store every second what has
// changed, until the meter is closed, or ctx ends, whose cause it then returns.
// Now and then it looks for what processes that have ended left in the folder.
//
// A store that fails stops nothing: counts are kept, and told when it works
// again.
func (m *Meter) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var syncs sync.WaitGroup
	defer syncs.Wait()
	defer cancel()
	syncs.Go(func() {
		m.repeat(ctx, syncEvery, m.condition("usage cannot be synced", "usage is synced again", func(context.Context) error { return m.sync() }))
	})
	flushes := 0
	return m.repeat(ctx, flushEvery, m.condition("usage cannot be flushed", "usage is flushed again", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, flushTimeout)
		defer cancel()
		var err error
		if flushes++; flushes%scanEvery == 0 {
			err = m.scan()
		}
		return errors.Join(err, m.flush(ctx, false))
	}))
}

// repeat calls f until the meter is closed or ctx ends.
func (m *Meter) repeat(ctx context.Context, every time.Duration, f func(context.Context)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-m.done:
			return nil
		case <-tick.C:
			f(ctx)
		}
	}
}

// condition returns a function that calls f, and logs its first failure and the
// recovery.
func (m *Meter) condition(bad, good string, f func(context.Context) error) func(ctx context.Context) {
	failing := false
	return func(ctx context.Context) {
		err := f(ctx)
		switch {
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

// release lets go of the files, so that others may tell what is in them.
func (m *Meter) release() error {
	var errs []error
	for _, s := range m.all() {
		errs = append(errs, s.release())
	}
	return errors.Join(errs...)
}
