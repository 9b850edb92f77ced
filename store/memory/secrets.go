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
		kept, dropped, err = record.AddSecret(secrets, added, others)
		if err == nil && s.revoked.hasSecret(client, &added) {
			err = record.Error("secret", added.ID, store.ErrRevoked)
		}
		return kept, dropped, err
	})
}

// DeleteSecret implements [store.Rotator].
func (s *Store) DeleteSecret(ctx context.Context, client, id string) error {
	return s.changeSecrets(ctx, client, func(secrets []store.Secret) (kept, dropped []store.Secret, err error) {
		return record.DropSecret(secrets, id)
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

		// The change tells caches to read the client again. Its version stays.
		s.feed.append(store.Change{Kind: store.KindClient, ID: client, Version: c.Version})
		return nil
	})
}
