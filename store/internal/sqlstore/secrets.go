package sqlstore

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/authtier/authtier/store"
)

// SecretsOf implements [store.Lister].
func (s *Store) SecretsOf(ctx context.Context, client string) ([]store.Secret, error) {
	const what = "listing secrets"
	var lists, used []byte
	err := s.row(ctx, what, `SELECT lists, last_used FROM authtier_clients WHERE id_key = $1`, []any{key(client)}, &lists, &used)
	if err != nil {
		return nil, err
	}
	l, err := readLists(lists)
	if err != nil {
		return nil, s.wrap(what, err)
	}
	uses, err := readLastUses(used)
	if err != nil {
		return nil, s.wrap(what, err)
	}
	secrets, err := l.secrets()
	uses.into(secrets)
	return secrets, s.wrap(what, err)
}

// AddSecret implements [store.Rotator].
func (s *Store) AddSecret(ctx context.Context, client string, added store.Secret, others time.Time) error {
	if added.ID == "" {
		return s.errNoID()
	}
	return s.changeSecrets(ctx, "adding a secret", client, func(secrets []store.Secret) ([]store.Secret, error) {
		now := time.Now()
		rest := slices.DeleteFunc(secrets, func(old store.Secret) bool { return old.ID == added.ID })
		for n := range rest {
			if !others.IsZero() {
				rest[n].Expires = sooner(rest[n].Expires, others)
			}
		}
		rest = slices.DeleteFunc(rest, func(old store.Secret) bool { return !old.Expires.IsZero() && !old.Expires.After(now) })
		return append(rest, added), nil
	})
}

// DeleteSecret implements [store.Rotator].
func (s *Store) DeleteSecret(ctx context.Context, client, id string) error {
	return s.changeSecrets(ctx, "deleting a secret", client, func(secrets []store.Secret) ([]store.Secret, error) {
		before := len(secrets)
		rest := slices.DeleteFunc(secrets, func(old store.Secret) bool { return id != "" && old.ID == id })
		if len(rest) == before {
			return nil, store.ErrNotFound
		}
		return rest, nil
	})
}

// changeSecrets puts what f returns in the place of a client's secrets. Whoever
// writes them holds the head, so that none is lost.
func (s *Store) changeSecrets(ctx context.Context, what, client string, f func([]store.Secret) ([]store.Secret, error)) error {
	return s.change(ctx, what, func(ctx context.Context, tx *feedTx) error {
		c := store.Change{Kind: store.KindClient, ID: client}
		var lists, used []byte
		err := tx.QueryRowContext(ctx, `UPDATE authtier_clients SET version = version WHERE id_key = $1 RETURNING version, lists, last_used`,
			key(client)).Scan(&c.Version, &lists, &used)
		if err != nil {
			return err
		}
		if lists, used, err = changedLists(lists, used, f); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE authtier_clients SET lists = $1, last_used = $2 WHERE id_key = $3`, lists, used, key(client))
		if err != nil {
			return err
		}
		return tx.enter(ctx, c)
	})
}

// changedLists changes the secrets in a client's lists, and drops when those were
// used that are gone.
func changedLists(lists, used []byte, f func([]store.Secret) ([]store.Secret, error)) (newLists, newUsed []byte, err error) {
	l, err := readLists(lists)
	if err != nil {
		return nil, nil, err
	}
	uses, err := readLastUses(used)
	if err != nil {
		return nil, nil, err
	}
	secrets, err := l.secrets()
	if err != nil {
		return nil, nil, err
	}
	if secrets, err = f(secrets); err != nil {
		return nil, nil, err
	}
	if newLists, err = l.with(secrets); err != nil {
		return nil, nil, err
	}
	if l, err = readLists(newLists); err != nil {
		return nil, nil, err
	}
	rest, _ := uses.of(l.Secrets, nil)
	newUsed, err = json.Marshal(rest)
	return newLists, newUsed, err
}
