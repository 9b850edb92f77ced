package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/authtier/authtier/store"
)

// APIKey implements [store.APIKeys].
func (s *Store) APIKey(ctx context.Context, d store.Digest) (*store.APIKey, error) {
	const what = "reading an API key"
	k := &store.APIKey{Digest: d}
	var id, client, scopes []byte
	var created, expires int64
	err := s.row(ctx, what, `SELECT id, client, scopes, created, expires FROM authtier_api_keys WHERE digest = $1`,
		[]any{d[:]}, &id, &client, &scopes, &created, &expires)
	if err != nil {
		return nil, err
	}
	k.ID, k.Client, k.Created, k.Expires = string(id), string(client), timeOf(created), timeOf(expires)
	return k, s.wrap(what, json.Unmarshal(scopes, &k.Scopes))
}

// APIKeyByID implements [store.Lister].
func (s *Store) APIKeyByID(ctx context.Context, id string) (*store.APIKey, error) {
	ks, err := s.apiKeys(ctx, `id_key = $1`, key(id))
	if err == nil && len(ks) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, s.wrap("reading an API key", err)
	}
	return &ks[0], nil
}

// APIKeysOf implements [store.Lister].
func (s *Store) APIKeysOf(ctx context.Context, client string) ([]store.APIKey, error) {
	ks, err := s.apiKeys(ctx, `client_key = $1`, key(client))
	slices.SortFunc(ks, func(a, b store.APIKey) int { return strings.Compare(a.ID, b.ID) })
	return ks, s.wrap("listing API keys", err)
}

// apiKeys returns the keys for which a condition on one argument holds.
func (s *Store) apiKeys(ctx context.Context, where string, arg []byte) (ks []store.APIKey, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	rows, err := s.read.QueryContext(ctx,
		`SELECT id, client, digest, scopes, created, expires, last_used FROM authtier_api_keys WHERE `+where, arg)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id, client, digest, scopes []byte
		var created, expires, used int64
		if err := rows.Scan(&id, &client, &digest, &scopes, &created, &expires, &used); err != nil {
			return nil, err
		}
		k := store.APIKey{ID: string(id), Client: string(client), Created: timeOf(created), Expires: timeOf(expires), LastUsed: timeOf(used)}
		if k.Digest, err = digestOf(digest); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(scopes, &k.Scopes); err != nil {
			return nil, err
		}
		ks = append(ks, k)
	}
	return ks, rows.Err()
}

func (s *Store) errNoID() error {
	return fmt.Errorf("%s: an API key or secret without an ID", s.dialect.Name)
}

// PutAPIKey implements [store.Admin].
func (s *Store) PutAPIKey(ctx context.Context, k store.APIKey) error {
	if k.ID == "" {
		return s.errNoID()
	}
	return s.change(ctx, "storing an API key", func(ctx context.Context, tx *feedTx) error {
		return tx.putAPIKey(ctx, k)
	})
}

func (tx *feedTx) putAPIKey(ctx context.Context, k store.APIKey) error {
	scopes, err := json.Marshal(k.Scopes)
	if err != nil {
		return err
	}
	var used int64
	err = tx.QueryRowContext(ctx, `SELECT last_used FROM authtier_api_keys WHERE id_key = $1`, key(k.ID)).Scan(&used)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if err := tx.revoke(ctx, store.Change{Kind: store.KindAPIKey, ID: k.ID}); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO authtier_api_keys (id_key, id, digest, client_key, client, scopes, created, expires, last_used)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		key(k.ID), []byte(k.ID), k.Digest[:], key(k.Client), []byte(k.Client), scopes, micros(k.Created), micros(k.Expires), used)
	return err
}

// ReplaceAPIKey implements [store.Rotator]. The keys are changed by those who
// hold the head alone, so that what is read here is so until the end.
func (s *Store) ReplaceAPIKey(ctx context.Context, id string, until time.Time, next store.APIKey) error {
	const what = "replacing an API key"
	if next.ID == "" {
		return s.errNoID()
	}
	return s.change(ctx, what, func(ctx context.Context, tx *feedTx) error {
		var expires, taken int64
		err := tx.QueryRowContext(ctx, `
			SELECT expires, (SELECT count(*) FROM authtier_api_keys WHERE digest = $1)
			FROM authtier_api_keys WHERE id_key = $2 AND client_key = $3`, next.Digest[:], key(id), key(next.Client)).Scan(&expires, &taken)
		if err != nil {
			return err
		}
		if next.ID == id || taken != 0 {
			return errors.New("a key cannot replace itself or another")
		}
		if err := tx.endAPIKey(ctx, id, sooner(timeOf(expires), until)); err != nil {
			return err
		}
		return tx.putAPIKey(ctx, next)
	})
}

// endAPIKey lets a key expire, or deletes it if that time has come.
func (tx *feedTx) endAPIKey(ctx context.Context, id string, at time.Time) error {
	c := store.Change{Kind: store.KindAPIKey, ID: id}
	if !at.After(time.Now()) {
		return tx.revoke(ctx, c)
	}
	if _, err := tx.ExecContext(ctx, `UPDATE authtier_api_keys SET expires = $1 WHERE id_key = $2`, micros(at), key(id)); err != nil {
		return err
	}
	return tx.enter(ctx, c)
}

func (tx *feedTx) keysOf(ctx context.Context, client string) ([]string, error) {
	rows, err := tx.QueryContext(ctx, `SELECT id FROM authtier_api_keys WHERE client_key = $1 ORDER BY id`, key(client))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id []byte
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, string(id))
	}
	return ids, rows.Err()
}
