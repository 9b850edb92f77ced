package record

import (
	"slices"
	"time"

	"github.com/authtier/authtier/store"
)

// AddSecret adds a secret to a client's secrets. If others is not zero, the other
// secrets expire at that time. Those that have expired are dropped. It returns
// [store.ErrExists] if there is a secret with the same ID or digest.
func AddSecret(secrets []store.Secret, added store.Secret, others time.Time) (kept, dropped []store.Secret, err error) {
	same := func(old store.Secret) bool { return old.ID == added.ID || old.Digest == added.Digest }
	if slices.ContainsFunc(secrets, same) {
		return nil, nil, Error("secret", added.ID, store.ErrExists)
	}

	now := time.Now()
	for _, old := range secrets {
		// Secrets that end now are dropped in the same step.
		if !others.IsZero() {
			old.Expires = Sooner(old.Expires, others)
		}
		if old.Expires.IsZero() || old.Expires.After(now) {
			kept = append(kept, old)
		} else {
			dropped = append(dropped, old)
		}
	}
	return append(kept, added), dropped, nil
}

// DropSecret drops the secret with that ID from a client's secrets. It returns
// [store.ErrNotFound] if there is none, or if id is empty.
func DropSecret(secrets []store.Secret, id string) (kept, dropped []store.Secret, err error) {
	for _, old := range secrets {
		if id != "" && old.ID == id {
			dropped = append(dropped, old)
		} else {
			kept = append(kept, old)
		}
	}
	if len(dropped) == 0 {
		return nil, nil, store.ErrNotFound
	}
	return kept, dropped, nil
}

// Sooner returns the earlier of two times of expiry. A zero first time means never.
func Sooner(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
