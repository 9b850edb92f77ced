package issuer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/authtier/authtier/issuer/internal/keyring"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

const (
	pollEvery   = 400 * time.Millisecond
	pollTimeout = 2 * time.Second
	sweepEvery  = 5 * time.Minute

	// snapshotTimeout is for reading all revocations at once, which may be millions of
	// tokens.
	snapshotTimeout = 10 * time.Second

	// staleAfter is how long the issuer and the caches in front of it may answer after
	// the store was last read.
	staleAfter = 30 * time.Second

	// After Hint has returned, it is called again after a wait that grows between
	// these.
	firstRetry, lastRetry = 100 * time.Millisecond, 5 * time.Second
)

// Run follows the store's changes for an issuer from [New] until ctx ends, and returns
// the cause. It learns of revocations by other nodes within a second, and sooner if the
// store is a [store.Hinter]. Revocations by this issuer are known to it at once.
//
// Run also lets a published signing key sign when its time has come. Once a minute, and
// when it ends, it stores which API keys and secrets were used. Every few minutes it
// sweeps the store.
//
// If the store could not be read for half a minute, tokens are refused with AUTH-8.
// [Config].AllowStale accepts them, but only while Run runs. A ctx with a timeout, such
// as one for the start of the program, therefore ends that too.
//
// Run returns an error at once for an issuer from [Open], which needs no Run.
// [Issuer.Close] ends Run with an error.
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
		if i.keys.IsStored() {
			keysFailing(ctx, i.keys.Tend(ctx, time.Now()))
		}
	}
}

// listen passes the store's hints on to wake until ctx ends.
func (i *Issuer) listen(ctx context.Context, hinter store.Hinter, wake chan<- struct{}) {
	deaf := i.condition("the store gives no hints of changes, which arrive by polling", "the store hints at changes again")
	for wait := firstRetry; ctx.Err() == nil; wait = min(2*wait, lastRetry) {
		err := hinter.Hint(ctx, func() {
			deaf(ctx, nil)
			wait = firstRetry
			select {
			case wake <- struct{}{}:
			default: // an earlier hint is still waiting, which is enough
			}
		})
		deaf(ctx, err)

		// A random part of the wait keeps nodes from calling the store at the same
		// moment.
		pause(ctx, wait/2+rand.N(wait))
	}
}

// sweep sweeps the store every few minutes until ctx ends.
func (i *Issuer) sweep(ctx context.Context, sweeper store.Sweeper) {
	failing := i.condition("the store cannot be swept", "the store is swept again")
	for {
		// The wait is random, so that the nodes of a store take turns.
		pause(ctx, sweepEvery/2+rand.N(sweepEvery))
		if ctx.Err() != nil {
			return
		}
		failing(ctx, sweeper.Sweep(ctx, time.Now()))
	}
}

// pause returns after d, or when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// condition returns a function to call after each attempt, with its error or nil. It
// logs the first failure and the recovery, and nothing in between.
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

// follow reads the store's changes and applies them to the issuer and its subscribers.
// A revocation that the issuer knows stays known even if the store forgets it.
//
// follow goes on when ctx ends, because others may wait for its result. A caller that
// waited for another follow returns without reading, if that follow succeeded and began
// to read after the caller asked.
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

	// The follower before us may have begun to read after we asked.
	if l.began.After(asked) {
		return nil
	}

	began := time.Now()
	changes, cursor, err := i.db.Since(ctx, l.cursor)
	lost := errors.Is(err, store.ErrNotFound)

	// The store does not know our cursor any more, so everything is read again.
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
		// The cursor stays, so that the next call reads these changes again, and the
		// keys with them.
		return err
	}
	l.cursor, l.began = cursor, began
	return nil
}

// freshen sets until when the issuer and its subscribers may rely on what they know.
func (i *Issuer) freshen(until time.Time) {
	i.revocations.fresh.Store(&until)
	i.sinks.FreshUntil(until)
}

// followKeys reads the signing keys again if they may have changed.
func (i *Issuer) followKeys(ctx context.Context, changes []store.Change, lost bool) error {
	if !i.keys.IsStored() {
		return nil
	}
	read := lost || slices.ContainsFunc(changes, func(c store.Change) bool { return c.Kind == store.KindSigningKey })
	if !read {
		return nil
	}

	err := i.keys.Reload(ctx)
	if errors.Is(err, keyring.ErrNoSigner) {
		// The keys that were read before stay in use, because their tokens are still
		// genuine, unless the store says that they have ended.
		i.logger().ErrorContext(ctx, "authtier: signing keys are gone", "issuer", i.url, "cause", err)
		err = nil
	}

	if foreign := i.keys.Unopened(); foreign != nil {
		i.logger().ErrorContext(ctx, "authtier: some signing keys cannot be decrypted and are not used", "issuer", i.url, "cause", foreign)
	}
	return err
}

// lost applies a snapshot of everything that is revoked. It is for a store that does
// not know the issuer's cursor: an earlier copy of it was restored, or it has changed
// by more than it remembers. lost logs a warning.
//
// The store may have forgotten revocations of clients and users. lost writes them
// again, because otherwise tokens that are minted from now on would be valid on some
// nodes only.
func (i *Issuer) lost(ctx context.Context, snapshot []store.Change, cursor store.Cursor) error {
	last := i.revocations.cursor

	// The first snapshot after the start is expected and needs no warning.
	if last != (store.Cursor{}) {
		why := "the store has changed by more than it remembers"
		if cursor.N <= last.N {
			why = "the store has gone back in time: only running nodes know what was revoked after its copy was made"
		}
		i.logger().WarnContext(ctx, "authtier: all revocations are read again", "issuer", i.url,
			"cause", why, "last", last.N, "now", cursor.N)
	}

	if forgotten := i.revocations.forgotten(snapshot); len(forgotten) > 0 {
		if err := i.db.Revoke(ctx, forgotten...); err != nil {
			return fmt.Errorf("telling the store what it has forgotten: %w", err)
		}
	}

	// Subscribers may have missed any change, so that they must forget everything.
	i.revocations.apply(snapshot, time.Now())
	i.sinks.Forget(middleware.Revocation{Everything: true})
	return nil
}
