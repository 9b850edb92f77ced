package memory

import (
	"context"
	"slices"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/record"
)

// SecretsOf implements [store.Lister].
func (s *Store) SecretsOf(ctx context.Context, client string) ([]store.Secret, error) {
	c, err := get(ctx, s, s.clients, client)
	if err != nil {
		return nil, err
	}
	secrets := slices.Clone(c.Secrets)
	hideDigests(secrets)
	return secrets, nil
}

// AddSecret implements [store.Rotator].
func (s *Store) AddSecret(ctx context.Context, client string, added store.Secret) error {
	if err := added.Check(); err != nil {
		return err
	}
	return s.addSecret(ctx, client, added, time.Time{})
}

// ReplaceSecrets implements [store.Rotator].
func (s *Store) ReplaceSecrets(ctx context.Context, client string, added store.Secret, until time.Time) error {
	if err := record.CheckReplaceSecrets(until, &added); err != nil {
		return err
	}
	return s.addSecret(ctx, client, added, until)
}

// addSecret adds a secret. If others is not zero, the other secrets expire at that time.
func (s *Store) addSecret(ctx context.Context, client string, added store.Secret, others time.Time) error {
	added.LastUsed = time.Time{}
	return s.changeSecrets(ctx, client, func(secrets []store.Secret) (kept, dropped []store.Secret, err error) {
		same := func(old store.Secret) bool { return old.ID == added.ID || old.Digest == added.Digest }
		switch {
		case slices.ContainsFunc(secrets, same):
			return nil, nil, record.Error("secret", added.ID, store.ErrExists)
		case s.revoked.hasSecret(client, &added):
			return nil, nil, record.Error("secret", added.ID, store.ErrRevoked)
		}

		now := time.Now()
		// Secrets that have expired are dropped too, so that the list does not grow.
		for _, old := range secrets {
			if !others.IsZero() {
				old.Expires = sooner(old.Expires, others)
			}
			if old.Expires.IsZero() || old.Expires.After(now) {
				kept = append(kept, old)
			} else {
				dropped = append(dropped, old)
			}
		}
		return append(kept, added), dropped, nil
	})
}

// DeleteSecret implements [store.Rotator].
func (s *Store) DeleteSecret(ctx context.Context, client, id string) error {
	return s.changeSecrets(ctx, client, func(secrets []store.Secret) (kept, dropped []store.Secret, err error) {
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
	})
}

// changeSecrets gives a client the secrets that f keeps. Those that f drops can never
// be added again.
func (s *Store) changeSecrets(
	ctx context.Context, client string, f func(secrets []store.Secret) (kept, dropped []store.Secret, err error),
) error {
	return s.write(ctx, func() error {
		c, ok := s.clients[client]
		if !ok {
			return store.ErrNotFound
		}
		kept, dropped, err := f(c.Secrets)
		if err != nil {
			return err
		}

		s.revoked.addSecrets(client, dropped)
		c.Secrets = kept
		s.clients[client] = c
		s.feed.append(store.Change{Kind: store.KindClient, ID: client, Version: c.Version})
		return nil
	})
}

// sooner returns the earlier of two times of expiry. A zero first time means never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
