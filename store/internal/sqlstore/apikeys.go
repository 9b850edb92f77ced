package sqlstore

import (
	"context"
	"slices"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/record"
)

const (
	apiKeyColumns  = `id, name, client, owner, scopes, addrs, created, expires`
	apiKeyByDigest = `SELECT ` + apiKeyColumns + ` FROM authtier_api_keys WHERE digest = $1`
	apiKeyByID     = `SELECT ` + apiKeyColumns + `, last_used FROM authtier_api_keys WHERE id_key = $1`
)

// readAPIKey reads the columns of an API key, and more columns into more.
func readAPIKey(scan scan, more ...any) (*store.APIKey, error) {
	k := &store.APIKey{}
	var id, name, client, owner, scopes, addrs []byte
	var created, expires int64
	if err := scan(append([]any{&id, &name, &client, &owner, &scopes, &addrs, &created, &expires}, more...)...); err != nil {
		return nil, err
	}
	k.ID, k.Name, k.Client, k.Owner = string(id), string(name), string(client), string(owner)
	k.Created, k.Expires = timeOf(created), timeOf(expires)
	if err := readJSON(scopes, &k.Scopes); err != nil {
		return nil, err
	}
	return k, readJSON(addrs, &k.Addrs)
}

// readListed reads the columns of an API key with its last use.
func readListed(scan scan) (*store.APIKey, error) {
	var used int64
	k, err := readAPIKey(scan, &used)
	if err == nil {
		k.LastUsed = timeOf(used)
	}
	return k, err
}

// APIKey implements [store.APIKeys].
func (s *Store) APIKey(ctx context.Context, d store.Digest) (*store.APIKey, error) {
	k, err := readAPIKey(s.scan(ctx, apiKeyByDigest, d[:]))
	if err != nil {
		return nil, s.wrap("reading an API key", err)
	}
	k.Digest = d
	return k, nil
}

// APIKeyByID implements [store.Lister].
func (s *Store) APIKeyByID(ctx context.Context, id string) (*store.APIKey, error) {
	k, err := readListed(s.scan(ctx, apiKeyByID, key(id)))
	if err != nil {
		return nil, s.wrap("reading an API key", err)
	}
	return k, nil
}

// ListAPIKeys implements [store.Lister].
func (s *Store) ListAPIKeys(ctx context.Context, client, after string, limit int) ([]store.APIKey, error) {
	const from = `SELECT ` + apiKeyColumns + `, last_used FROM authtier_api_keys WHERE substr(id, 1, 256) >= $1 AND id > $2`
	const order = ` ORDER BY substr(id, 1, 256), id LIMIT $3`
	var ks []store.APIKey
	var err error
	if client == "" {
		ks, err = list(ctx, s, from+order, after, limit, readListed)
	} else {
		ks, err = list(ctx, s, from+` AND client_key = $4`+order, after, limit, readListed, key(client))
	}
	return ks, s.wrap("listing API keys", err)
}

// CreateAPIKeys implements [store.Admin].
func (s *Store) CreateAPIKeys(ctx context.Context, ks ...store.APIKey) error {
	if err := record.CheckAPIKeys(ctx, ks, s); err != nil {
		return err
	}
	// The transaction may still run after the caller has stopped waiting for it.
	ks = record.APIKeys.CloneAll(ks)
	sortByKey(ks)
	return s.create(ctx, "creating API keys", len(ks), func(ctx context.Context, tx *feedTx) error {
		for chunk := range slices.Chunk(ks, createBatch) {
			if err := tx.checkClients(ctx, chunk); err != nil {
				return err
			}
			if err := tx.createAPIKeys(ctx, chunk); err != nil {
				return err
			}
		}
		return nil
	})
}

// checkClients returns an error if one of the keys has no client, or a scope that its
// client does not have.
func (tx *feedTx) checkClients(ctx context.Context, ks []store.APIKey) error {
	// Many keys of few clients are usual, and each client is read once.
	seen := map[string]bool{}
	var keys [][]byte
	for i := range ks {
		if id := ks[i].Client; !seen[id] {
			seen[id], keys = true, append(keys, key(id))
		}
	}
	scopes, err := tx.clientScopes(ctx, keys)
	if err != nil {
		return err
	}

	for i := range ks {
		has, known := scopes[ks[i].Client]
		if !known {
			return record.Error("client of API key", ks[i].ID, store.ErrNotFound)
		}
		if err := record.CheckScopes(&ks[i], has, nil); err != nil {
			return err
		}
	}
	return nil
}

// clientScopes returns the scopes of the clients that exist, by client ID.
func (tx *feedTx) clientScopes(ctx context.Context, keys [][]byte) (map[string][]string, error) {
	query := `SELECT ` + clientColumns + ` FROM authtier_clients WHERE id_key IN ` + tx.dialect.placeholders(1, len(keys))
	rows, err := tx.QueryContext(ctx, query, anys(keys)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()

	scopes := map[string][]string{}
	for rows.Next() {
		c, err := readClient(rows.Scan)
		if err != nil {
			return nil, err
		}
		scopes[c.ID] = c.Scopes
	}
	return scopes, rows.Err()
}

// checkScopes returns an error if a key has a scope that neither its client nor the key
// before has. The client of an old key may not exist.
func (tx *feedTx) checkScopes(ctx context.Context, k, before *store.APIKey) error {
	scopes, err := tx.clientScopes(ctx, [][]byte{key(k.Client)})
	if err != nil {
		return err
	}

	return record.CheckScopes(k, scopes[k.Client], before)
}

// checkUnused returns an error that names a key whose ID or digest is or was in use.
func (tx *feedTx) checkUnused(ctx context.Context, ks []store.APIKey) error {
	ids, digests := make([][]byte, len(ks)), make([][]byte, len(ks))
	for i := range ks {
		ids[i], digests[i] = key(ks[i].ID), ks[i].Digest[:]
	}

	for _, used := range []struct {
		query string
		keys  [][]byte
		err   error
	}{
		{`SELECT id_key FROM authtier_api_keys WHERE id_key IN `, ids, store.ErrExists},
		{`SELECT digest FROM authtier_api_keys WHERE digest IN `, digests, store.ErrExists},
		{buriedKeyIDs, ids, store.ErrRevoked},
		{buriedKeys, digests, store.ErrRevoked},
	} {
		found, err := tx.among(ctx, used.query, used.keys)
		if err != nil {
			return err
		}
		for i := range used.keys {
			if found[string(used.keys[i])] {
				return record.Error("API key", ks[i].ID, used.err)
			}
		}
	}
	return nil
}

// UpdateAPIKey implements [store.Admin].
func (s *Store) UpdateAPIKey(ctx context.Context, id string, f func(*store.APIKey) error) error {
	read := func() (*store.APIKey, error) { return s.APIKeyByID(ctx, id) }
	return record.Update(record.APIKeys, f, read, func(old, changed *store.APIKey) (bool, error) {
		scopes, err := writeJSON(changed.Scopes)
		if err != nil {
			return false, err
		}
		addrs, err := writeJSON(changed.Addrs)
		if err != nil {
			return false, err
		}

		stored := false
		err = s.change(ctx, "updating an API key", func(ctx context.Context, tx *feedTx) error {
			now, err := readListed(tx.scan(ctx, apiKeyByID, key(id)))
			if err != nil {
				return err
			}

			// If the key has changed since it was read, Update reads it again.
			if stored = record.SameAPIKey(now, old); !stored {
				return nil
			}
			if err := tx.checkScopes(ctx, changed, old); err != nil {
				return err
			}

			_, err = tx.ExecContext(ctx, `
				UPDATE authtier_api_keys SET name = $1, scopes = $2, owner = $3, addrs = $4, expires = $5 WHERE id_key = $6`,
				[]byte(changed.Name), scopes, []byte(changed.Owner), addrs, micros(changed.Expires), key(id))
			if err != nil {
				return err
			}
			return tx.enter(ctx, store.Change{Kind: store.KindAPIKey, ID: id})
		})
		if err != nil {
			return false, err // The transaction may still be running.
		}
		return stored, nil
	})
}

// ReplaceAPIKey implements [store.Rotator].
func (s *Store) ReplaceAPIKey(ctx context.Context, id string, until time.Time, next store.APIKey) error {
	if err := record.CheckReplace(until, &next); err != nil {
		return err
	}
	// The transaction may still run after the caller has stopped waiting for it.
	next = *record.APIKeys.Clone(&next)
	return s.change(ctx, "replacing an API key", func(ctx context.Context, tx *feedTx) error {
		old, err := readListed(tx.scan(ctx, apiKeyByID, key(id)))
		if err != nil {
			return err
		}

		if old.Client != next.Client {
			return store.ErrNotFound
		}
		if err := tx.checkScopes(ctx, &next, old); err != nil {
			return err
		}
		if err := tx.createAPIKeys(ctx, []store.APIKey{next}); err != nil {
			return err
		}
		return tx.endAPIKey(ctx, id, record.Sooner(old.Expires, until))
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
