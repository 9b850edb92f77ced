package issuer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/authtier/authtier/store"
)

var errFixedKeys = errors.New("the keys never change: only stored ones do, see Config.KeyFile")

// RotateSigningKey publishes a new signing key and returns its ID. The key verifies at
// once. It signs when everybody who keeps the key set has had time to read it
// again, five and a half minutes later, by a second change that [Issuer.Run] of
// any node makes; the one before verifies on until its last token has expired.
// The clocks of nodes may differ by some seconds; by more, a new key may sign
// before all can have it.
//
// It is an error unless the keys are stored ([Config].KeyFile).
func (i *Issuer) RotateSigningKey(ctx context.Context) (kid string, err error) {
	s := i.keys.stored
	if s == nil {
		return "", fmt.Errorf("issuer: RotateSigningKey: %w", errFixedKeys)
	}
	r, err := s.make(time.Now(), time.Time{})
	if err == nil {
		err = s.db.PutSigningKeys(ctx, r)
	}
	if err != nil {
		return "", fmt.Errorf("issuer: RotateSigningKey: %w", err)
	}
	return r.ID, i.follow(ctx)
}

// RevokeSigningKey ends a signing key at once, as when it has leaked: what it signed is
// refused here when RevokeSigningKey returns, and on other nodes when they hear of it. If
// the key signs, a new one does so from now on, which those who keep the key set
// do not know for up to five minutes.
//
// It is an error unless the keys are stored ([Config].KeyFile), and [store.ErrNotFound] for
// a key that is not among them.
func (i *Issuer) RevokeSigningKey(ctx context.Context, kid string) error {
	s := i.keys.stored
	if s == nil {
		return fmt.Errorf("issuer: RevokeSigningKey: %w", errFixedKeys)
	}
	records, err := s.db.SigningKeys(ctx, s.set)
	if err != nil {
		return fmt.Errorf("issuer: RevokeSigningKey: %w", err)
	}
	now := time.Now()
	changed := []store.SigningKey{}
	records = slices.DeleteFunc(records, func(r store.SigningKey) bool { return ended(r, now) })
	n := slices.IndexFunc(records, func(r store.SigningKey) bool { return r.ID == kid })
	if n < 0 {
		return fmt.Errorf("issuer: RevokeSigningKey: key %q: %w", kid, store.ErrNotFound)
	}
	if opened, _, _ := s.open(records); signs(opened, kid) {
		next, err := s.make(now, signsAfter(records, now))
		if err != nil {
			return fmt.Errorf("issuer: RevokeSigningKey: %w", err)
		}
		changed = append(changed, next)
	}
	records[n].Ends = now.Add(-clockSkew)
	if err := s.db.PutSigningKeys(ctx, append(changed, records[n])...); err != nil { // at once: nobody sees one without the other
		return fmt.Errorf("issuer: RevokeSigningKey: %w", err)
	}
	return i.follow(ctx)
}

// signs reports whether the key that signs is the one with that ID.
func signs(records []store.SigningKey, kid string) bool {
	n := signerOf(records)
	return n >= 0 && records[n].ID == kid
}

// tend lets the newest key sign when its time has come, ends those before it,
// and forgets those that have ended. All nodes may do so at once: they do the
// same.
func (ks *KeySet) tend(ctx context.Context, now time.Time) error {
	s := ks.stored
	s.mu.Lock()
	changed := due(s.records, now, s.maxTTL)
	stale := slices.ContainsFunc(s.records, func(r store.SigningKey) bool { return ended(r, now) })
	s.mu.Unlock()
	if len(changed) > 0 { // unless another node was first
		if err := ks.reload(ctx); err != nil {
			return err
		}
		s.mu.Lock()
		changed = due(s.records, now, s.maxTTL)
		s.mu.Unlock()
		if err := s.db.PutSigningKeys(ctx, changed...); err != nil {
			return fmt.Errorf("storing the signing keys: %w", err)
		}
	}
	if len(changed) > 0 || stale {
		return ks.reload(ctx)
	}
	return nil
}

// signsAfter returns now, or a moment after the last key began to sign: the clock
// of whoever let it may be ahead.
func signsAfter(records []store.SigningKey, now time.Time) time.Time {
	for _, r := range records {
		if !r.Signs.Before(now) {
			now = r.Signs.Add(time.Millisecond)
		}
	}
	return now
}

// due returns what there is to change of the records.
func due(records []store.SigningKey, now time.Time, maxTTL time.Duration) []store.SigningKey {
	current := slices.DeleteFunc(slices.Clone(records), func(r store.SigningKey) bool { return ended(r, now) })
	next := -1
	for i, r := range current {
		if r.Signs.IsZero() && r.Ends.IsZero() && now.Sub(r.Published) >= publishedBefore {
			next = i // they are in the order of their publication
		}
	}
	var changed []store.SigningKey
	if next >= 0 {
		current[next].Signs = signsAfter(current, now)
		changed = append(changed, current[next])
	}
	signer := signerOf(current)
	for i, r := range current {
		replaced := !r.Signs.IsZero() && i != signer || r.Signs.IsZero() && i < next
		if replaced && r.Ends.IsZero() {
			r.Ends = now.Add(maxTTL + replacedSigns)
			changed = append(changed, r)
		}
	}
	return changed
}
