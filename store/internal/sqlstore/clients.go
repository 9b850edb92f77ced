package sqlstore

import (
	"context"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/record"
)

const (
	clientColumns = `id, version, disabled, lists`
	clientByID    = `SELECT ` + clientColumns + ` FROM authtier_clients WHERE id_key = $1`
)

// A scan reads the columns of one row.
type scan func(into ...any) error

// readClient reads the columns of a client, and more columns into more.
func readClient(scan scan, more ...any) (*store.Client, error) {
	c := &store.Client{}
	var id, lists []byte
	var disabled int64
	if err := scan(append([]any{&id, &c.Version, &disabled, &lists}, more...)...); err != nil {
		return nil, err
	}
	l, err := readLists(lists)
	if err != nil {
		return nil, err
	}
	c.ID, c.Disabled = string(id), disabled != 0
	c.Scopes, c.Default, c.Grants = l.Scopes, l.Default, l.Grants
	c.Secrets, err = l.secrets()
	return c, err
}

// Client implements [store.Clients].
func (s *Store) Client(ctx context.Context, id string) (*store.Client, error) {
	c, err := readClient(s.scan(ctx, clientByID, key(id)))
	if err != nil {
		return nil, s.wrap("reading a client", err)
	}
	return c, nil
}

// CreateClient implements [store.Admin].
func (s *Store) CreateClient(ctx context.Context, c store.Client) error {
	if err := record.CheckClient(ctx, &c, s); err != nil {
		return err
	}
	lists, err := listsOf(&c)
	if err != nil {
		return s.wrap("creating a client", err)
	}
	// The transaction may still run after the caller has stopped waiting for it.
	c = *record.Clients.Clone(&c)
	return s.change(ctx, "creating a client", func(ctx context.Context, tx *feedTx) error {
		// A reused ID continues with its version, so that old tokens stay revoked.
		version, err := tx.version(ctx, store.KindClient, c.ID)
		if err != nil {
			return err
		}
		r, err := tx.ExecContext(ctx, `
			INSERT INTO authtier_clients (id_key, id, version, disabled, lists) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (id_key) DO NOTHING`,
			key(c.ID), []byte(c.ID), int64(version), integer(c.Disabled), lists)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return orError(err, record.Error("client", c.ID, store.ErrExists))
		}

		// An error rolls the insertion back.
		return tx.checkSecrets(ctx, c.ID, c.Secrets)
	})
}

// orError returns err if it is not nil, and other if it is.
func orError(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// UpdateClient implements [store.Admin].
func (s *Store) UpdateClient(ctx context.Context, id string, f func(*store.Client) error) error {
	read := func() (*store.Client, error) { return s.Client(ctx, id) }
	return record.Update(record.Clients, f, read, func(old, changed *store.Client) (bool, error) {
		lists, err := listsOf(changed)
		if err != nil {
			return false, err
		}

		stored := false
		err = s.change(ctx, "updating a client", func(ctx context.Context, tx *feedTx) error {
			now, err := readClient(tx.scan(ctx, clientByID, key(id)))
			if err != nil {
				return err
			}

			// If the client has changed since it was read, Update reads it again.
			if stored = record.SameClient(now, old); !stored {
				return nil
			}

			_, err = tx.ExecContext(ctx, `UPDATE authtier_clients SET disabled = $1, lists = $2 WHERE id_key = $3`,
				integer(changed.Disabled), lists, key(id))
			if err != nil {
				return err
			}
			c := store.Change{Kind: store.KindClient, ID: id, Version: now.Version}
			return tx.changed(ctx, c, changed.Disabled && !old.Disabled)
		})
		if err != nil {
			// The transaction may still be running, and may still set stored.
			return false, err
		}
		return stored, nil
	})
}

// changed adds the change of a client or user, with its version or with a higher one.
func (tx *feedTx) changed(ctx context.Context, c store.Change, raise bool) error {
	if raise {
		return tx.raise(ctx, c)
	}
	return tx.enter(ctx, c)
}

// DeleteClient implements [store.Admin].
func (s *Store) DeleteClient(ctx context.Context, id string) error {
	return s.change(ctx, "deleting a client", func(ctx context.Context, tx *feedTx) error {
		// The raised version revokes tokens that were issued to the client.
		if err := tx.raise(ctx, store.Change{Kind: store.KindClient, ID: id}); err != nil {
			return err
		}
		if err := tx.buryClient(ctx, id); err != nil {
			return err
		}
		return tx.revokeAPIKeys(ctx, `client_key = $1`, key(id))
	})
}

// ListClients implements [store.Lister].
func (s *Store) ListClients(ctx context.Context, after string, limit int) ([]store.Client, error) {
	const query = `SELECT ` + clientColumns + `, last_used FROM authtier_clients
		WHERE substr(id, 1, 256) >= $1 AND id > $2 ORDER BY substr(id, 1, 256), id LIMIT $3`
	cs, err := list(ctx, s, query, after, limit, func(scan scan) (*store.Client, error) {
		var used []byte
		c, err := readClient(scan, &used)
		if err != nil {
			return nil, err
		}
		return c, asListed(c.Secrets, used)
	})
	return cs, s.wrap("listing clients", err)
}

// list returns a page of records after a name. The arguments of the query are the first
// 256 bytes of that name, the name, the limit, and then more.
func list[T any](ctx context.Context, s *Store, query, after string, limit int, read func(scan) (*T, error), more ...any) ([]T, error) {
	if err := record.CheckLimit(limit); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	// An index holds the first 256 bytes of a name. Names in old records can be longer.
	args := append([]any{[]byte(after[:min(256, len(after))]), []byte(after), int64(limit)}, more...)
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()

	var page []T
	for rows.Next() {
		r, err := read(rows.Scan)
		if err != nil {
			return nil, err
		}
		page = append(page, *r)
	}
	return page, rows.Err()
}
