package sqlstore

import (
	"context"
	"encoding/json"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/record"
)

// SecretsOf implements [store.Lister].
func (s *Store) SecretsOf(ctx context.Context, client string) ([]store.Secret, error) {
	const what = "listing secrets"
	var used []byte
	c, err := readClient(s.scan(ctx, `SELECT `+clientColumns+`, last_used FROM authtier_clients WHERE id_key = $1`, key(client)), &used)
	if err != nil {
		return nil, s.wrap(what, err)
	}
	if err := asListed(c.Secrets, used); err != nil {
		return nil, s.wrap(what, err)
	}
	return c.Secrets, nil
}

// asListed hides the digests of secrets and sets the times of their last use.
func asListed(secrets []store.Secret, used []byte) error {
	uses, err := readLastUses(used)
	if err != nil {
		return err
	}
	uses.into(secrets)
	for n := range secrets {
		secrets[n].Digest = store.Digest{}
	}
	return nil
}

// AddSecret implements [store.Rotator].
func (s *Store) AddSecret(ctx context.Context, client string, added store.Secret) error {
	if err := added.Check(); err != nil {
		return err
	}
	return s.addSecret(ctx, "adding a secret", client, added, time.Time{})
}

// ReplaceSecrets implements [store.Rotator].
func (s *Store) ReplaceSecrets(ctx context.Context, client string, added store.Secret, until time.Time) error {
	if err := record.CheckReplaceSecrets(until, &added); err != nil {
		return err
	}
	return s.addSecret(ctx, "replacing secrets", client, added, until)
}

// addSecret adds a secret. If others is not zero, the other secrets expire at that time.
func (s *Store) addSecret(ctx context.Context, what, client string, added store.Secret, others time.Time) error {
	return s.change(ctx, what, func(ctx context.Context, tx *feedTx) error {
		return tx.changeSecrets(ctx, client, func(secrets []store.Secret) (kept, dropped []store.Secret, err error) {
			kept, dropped, err = record.AddSecret(secrets, added, others)
			if err == nil {
				err = tx.checkSecrets(ctx, client, []store.Secret{added})
			}
			return kept, dropped, err
		})
	})
}

// DeleteSecret implements [store.Rotator].
func (s *Store) DeleteSecret(ctx context.Context, client, id string) error {
	return s.change(ctx, "deleting a secret", func(ctx context.Context, tx *feedTx) error {
		return tx.changeSecrets(ctx, client, func(secrets []store.Secret) (kept, dropped []store.Secret, err error) {
			return record.DropSecret(secrets, id)
		})
	})
}

// changeSecrets gives a client the secrets that f keeps. Those that f drops can never
// be added again.
func (tx *feedTx) changeSecrets(
	ctx context.Context, client string, f func(secrets []store.Secret) (kept, dropped []store.Secret, err error),
) error {
	c := store.Change{Kind: store.KindClient, ID: client}
	var lists, used []byte
	// Writing the row first locks it against Touch, which does not hold the head.
	err := tx.QueryRowContext(ctx, `UPDATE authtier_clients SET version = version WHERE id_key = $1 RETURNING version, lists, last_used`,
		key(client)).Scan(&c.Version, &lists, &used)
	if err != nil {
		return err
	}
	lists, used, dropped, err := changedLists(lists, used, f)
	if err != nil {
		return err
	}

	_, err = tx.ExecContext(ctx, `UPDATE authtier_clients SET lists = $1, last_used = $2 WHERE id_key = $3`, lists, used, key(client))
	if err != nil {
		return err
	}
	for _, secret := range dropped {
		if err := tx.burySecret(ctx, client, secret.Digest); err != nil {
			return err
		}
	}
	return tx.enter(ctx, c)
}

// changedLists changes the secrets in a client's lists, and drops the last uses of
// secrets that are gone.
func changedLists(
	lists, used []byte, f func(secrets []store.Secret) (kept, dropped []store.Secret, err error),
) (newLists, newUsed []byte, dropped []store.Secret, err error) {
	l, err := readLists(lists)
	if err != nil {
		return nil, nil, nil, err
	}
	uses, err := readLastUses(used)
	if err != nil {
		return nil, nil, nil, err
	}
	secrets, err := l.secrets()
	if err != nil {
		return nil, nil, nil, err
	}
	kept, dropped, err := f(secrets)
	if err != nil {
		return nil, nil, nil, err
	}

	if newLists, err = l.with(kept); err != nil {
		return nil, nil, nil, err
	}
	if l, err = readLists(newLists); err != nil {
		return nil, nil, nil, err
	}

	// A later secret may reuse the ID of a dropped one, but not inherit its last use.
	rest, _ := uses.of(l.Secrets, nil)
	newUsed, err = json.Marshal(rest)
	return newLists, newUsed, dropped, err
}
