package keyring

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/authtier/authtier/store"
)

var errFixedKeys = errors.New("the keys never change: only stored ones do, see Config.KeyFile")

// Rotate publishes a new key and returns its ID. The key verifies at once. It signs when
// it has been published for publishedBefore, and a call of Tend notices that.
func (ring *Ring) Rotate(ctx context.Context) (kid string, err error) {
	s := ring.stored
	if s == nil {
		return "", errFixedKeys
	}
	r, err := s.make(time.Now(), time.Time{})
	if err == nil {
		err = s.db.PutSigningKeys(ctx, r)
	}
	return r.ID, err
}

// Revoke ends a key at once. If it is the one that signs, a new key signs from now on.
// Revoke returns [store.ErrNotFound] if no stored key has that ID.
func (ring *Ring) Revoke(ctx context.Context, kid string) error {
	s := ring.stored
	if s == nil {
		return errFixedKeys
	}
	records, err := s.db.SigningKeys(ctx, s.set)
	if err != nil {
		return err
	}

	now := time.Now()
	changed := []store.SigningKey{}
	records = slices.DeleteFunc(records, func(r store.SigningKey) bool { return r.Ended(now) })
	n := slices.IndexFunc(records, func(r store.SigningKey) bool { return r.ID == kid })
	if n < 0 {
		return fmt.Errorf("key %q: %w", kid, store.ErrNotFound)
	}

	// If this key signs, a new one must take over at once.
	if opened, _, _ := s.open(records); signs(opened, kid) {
		next, err := s.make(now, signsAfter(records, now))
		if err != nil {
			return err
		}
		changed = append(changed, next)
	}

	// Both changes are stored at once, so that no node sees one without the other. The
	// end lies in the past, for nodes whose clock is behind.
	records[n].Ends = now.Add(-clockSkew)
	return s.db.PutSigningKeys(ctx, append(changed, records[n])...)
}

// signs reports whether the key with that ID is the one that signs.
func signs(records []store.SigningKey, kid string) bool {
	n := signerOf(records)
	return n >= 0 && records[n].ID == kid
}

// Tend lets the newest key sign when its time has come, ends the keys before it, and
// drops those that have ended. All nodes may do so at once, because they make the same
// changes.
func (ring *Ring) Tend(ctx context.Context, now time.Time) error {
	s := ring.stored
	s.mu.Lock()
	changed := due(s.records, now, s.maxTTL)
	stale := slices.ContainsFunc(s.records, func(r store.SigningKey) bool { return r.Ended(now) })
	s.mu.Unlock()

	// Another node may have made these changes already, so the keys are read again
	// first.
	if len(changed) > 0 {
		if err := ring.Reload(ctx); err != nil {
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
		return ring.Reload(ctx)
	}
	return nil
}

// signsAfter returns now, or a moment after the last key began to sign, whichever is
// later. The clock of the node that let that key sign may be ahead.
func signsAfter(records []store.SigningKey, now time.Time) time.Time {
	for _, r := range records {
		if !r.Signs.Before(now) {
			now = r.Signs.Add(time.Millisecond)
		}
	}
	return now
}

// due returns the records that must change now, with their changes.
func due(records []store.SigningKey, now time.Time, maxTTL time.Duration) []store.SigningKey {
	current := slices.DeleteFunc(slices.Clone(records), func(r store.SigningKey) bool { return r.Ended(now) })

	next := -1
	for i, r := range current {
		if r.Signs.IsZero() && r.Ends.IsZero() && now.Sub(r.Published) >= publishedBefore {
			// Records are sorted by publication, so the last match is the newest key.
			next = i
		}
	}

	var changed []store.SigningKey
	if next >= 0 {
		current[next].Signs = signsAfter(current, now)
		changed = append(changed, current[next])
	}

	// A replaced key verifies until the last token that it may have signed expires.
	signer := signerOf(current)
	for i, r := range current {
		// A key is replaced if it has signed and another signs now, or if it never
		// signed and a newer key takes its turn.
		replaced := !r.Signs.IsZero() && i != signer || r.Signs.IsZero() && i < next
		if replaced && r.Ends.IsZero() {
			r.Ends = now.Add(maxTTL + replacedSigns)
			changed = append(changed, r)
		}
	}
	return changed
}
