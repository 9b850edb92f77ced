package issuer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

const (
	pollEvery   = 400 * time.Millisecond
	pollTimeout = 2 * time.Second
	sweepEvery  = 5 * time.Minute

	// snapshotTimeout is for all that is revoked, which may be millions of tokens.
	snapshotTimeout = 10 * time.Second

	// staleAfter is how long the issuer and the caches in front of it may answer
	// after the store was last heard of.
	staleAfter = 30 * time.Second

	// A store that hints no more is asked to again after a while, which grows.
	firstRetry, lastRetry = 100 * time.Millisecond, 5 * time.Second
)

// Run follows the store's changes for an issuer from [New], until ctx ends, and
// returns its cause. It
// brings in what others revoke within a second, and sooner where the store
// hints at changes; what this issuer revokes it knows at once. It also lets a
// published signing key sign when its time has come, tells the store once a minute
// and in the end which API keys and secrets were used, and sweeps the store now
// and then.
//
// When the store has not been heard of for half a minute, tokens are AUTH-8. The
// configuration may allow stale ones, but only while Run runs: the end of ctx, such
// as a timeout for the start of the program, ends that too.
//
// For an issuer from [Open], which runs by itself, Run is an error, and so it is after
// Close, which ends it too.
func (i *Issuer) Run(ctx context.Context) error {
	if i.opened != nil {
		return errors.New("issuer: Run: the issuer runs by itself since Open")
	}
	return i.follows(ctx)
}

// follows follows the store until ctx ends or the issuer is closed.
func (i *Issuer) follows(parent context.Context) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	defer context.AfterFunc(i.life, func() { cancel(errClosed) })()
	i.ran.Store(true)
	i.runs.Add(1)
	defer i.runs.Add(-1)
	var others sync.WaitGroup
	defer others.Wait()
	wake := make(chan struct{}, 1)
	if hinter, ok := i.db.(store.Hinter); ok {
		others.Go(func() { i.listen(ctx, hinter, wake) })
	}
	if sweeper, ok := i.db.(store.Sweeper); ok {
		others.Go(func() { i.sweep(ctx, sweeper) })
	}
	if i.uses.toucher != nil {
		others.Go(func() { i.tellUses(ctx) })
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	failing := i.condition("revocations cannot be read", "revocations are read again")
	keysFailing := i.condition("signing keys cannot be changed", "signing keys are changed again")
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		case <-wake:
		}
		failing(ctx, i.follow(ctx))
		if i.keys.stored != nil {
			keysFailing(ctx, i.keys.tend(ctx, time.Now()))
		}
	}
}

// listen follows the store's hints, until ctx ends.
func (i *Issuer) listen(ctx context.Context, hinter store.Hinter, wake chan<- struct{}) {
	deaf := i.condition("the store gives no hints of changes, which arrive by polling", "the store hints at changes again")
	for wait := firstRetry; ctx.Err() == nil; wait = min(2*wait, lastRetry) {
		err := hinter.Hint(ctx, func() {
			deaf(ctx, nil)
			wait = firstRetry
			select {
			case wake <- struct{}{}:
			default: // it has not yet come to the last one
			}
		})
		deaf(ctx, err)
		pause(ctx, wait/2+rand.N(wait))
	}
}

// sweep sweeps the store from time to time, until ctx ends.
func (i *Issuer) sweep(ctx context.Context, sweeper store.Sweeper) {
	failing := i.condition("the store cannot be swept", "the store is swept again")
	for {
		pause(ctx, sweepEvery/2+rand.N(sweepEvery)) // several nodes take turns
		if ctx.Err() != nil {
			return
		}
		failing(ctx, sweeper.Sweep(ctx, time.Now()))
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// condition returns a function that is told of each success and failure, and
// logs the first failure and the recovery.
func (i *Issuer) condition(bad, good string) func(ctx context.Context, err error) {
	failing := false
	return func(ctx context.Context, err error) {
		switch {
		case ctx.Err() != nil || failing == (err != nil):
			return
		case err != nil:
			i.logger().ErrorContext(ctx, "authtier: "+bad, "issuer", i.url, "cause", err)
		default:
			i.logger().InfoContext(ctx, "authtier: "+good, "issuer", i.url)
		}
		failing = err != nil
	}
}

func (i *Issuer) logger() *slog.Logger {
	return cmp.Or(i.cfg.Log, slog.Default())
}

// follow brings the issuer and its subscribers up to date with the store's
// changes. What is known to be revoked stays so if the store forgets it. It does
// not end with a request that it is for. Who waits while another follows is done
// if that one began to read later.
func (i *Issuer) follow(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pollTimeout)
	defer cancel()
	asked := time.Now()
	l := &i.revocations
	select {
	case l.following <- struct{}{}:
		defer func() { <-l.following }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if l.began.After(asked) {
		return nil
	}
	began := time.Now()
	changes, cursor, err := i.db.Since(ctx, l.cursor)
	lost := errors.Is(err, store.ErrNotFound)
	if lost {
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), snapshotTimeout)
		defer cancel()
		changes, cursor, err = i.db.Snapshot(ctx)
	}
	if err != nil {
		return err
	}
	if lost {
		if err := i.lost(ctx, changes, cursor); err != nil {
			return err
		}
	} else {
		i.apply(changes)
	}
	l.believe(began)
	i.freshen(began.Add(staleAfter))
	if err := i.followKeys(ctx, changes, lost); err != nil {
		return err // what was read is read again, with the keys
	}
	l.cursor, l.began = cursor, began
	return nil
}

// freshen says until when what is known may be relied on.
func (i *Issuer) freshen(until time.Time) {
	i.revocations.fresh.Store(&until)
	i.sinks.FreshUntil(until)
}

// followKeys reads the signing keys again if they have changed.
func (i *Issuer) followKeys(ctx context.Context, changes []store.Change, lost bool) error {
	if i.keys.stored == nil {
		return nil
	}
	for _, c := range changes {
		lost = lost || c.Kind == store.KindSigningKey
	}
	if !lost {
		return nil
	}
	err := i.keys.reload(ctx)
	if errors.Is(err, errNoSigner) { // what was signed is good all the same
		i.logger().ErrorContext(ctx, "authtier: signing keys are gone", "issuer", i.url, "cause", err)
		err = nil
	}
	if foreign := i.keys.stored.unopened(); foreign != nil {
		i.logger().ErrorContext(ctx, "authtier: signing keys are left out", "issuer", i.url, "cause", foreign)
	}
	return err
}

// lost takes a snapshot for all there is, where the store does not know the
// changes that were read last: it was put back to an earlier copy, or has moved
// on by too much. It says so loudly. What the store has forgotten of clients and
// users it is told again, or tokens that are made from now on would be good for
// some nodes alone.
func (i *Issuer) lost(ctx context.Context, snapshot []store.Change, cursor store.Cursor) error {
	last := i.revocations.cursor
	if last != (store.Cursor{}) {
		why := "the store has changed by more than it remembers"
		if cursor.N <= last.N {
			why = "the store has gone back in time: what was revoked since its copy was made is known to running nodes alone"
		}
		i.logger().WarnContext(ctx, "authtier: all that is revoked is read anew", "issuer", i.url,
			"cause", why, "last", last.N, "now", cursor.N)
	}
	if forgotten := i.revocations.forgotten(snapshot); len(forgotten) > 0 {
		if err := i.db.Revoke(ctx, forgotten...); err != nil {
			return fmt.Errorf("telling the store what it has forgotten: %w", err)
		}
	}
	i.revocations.apply(snapshot, time.Now())
	i.sinks.Forget(middleware.Revocation{Kind: middleware.KindEverything})
	return nil
}
