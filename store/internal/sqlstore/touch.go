package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/authtier/authtier/store"
)

// touchBatch is how many uses one transaction notes in SQLite.
const touchBatch = 200

// Touch implements [store.Toucher]. In PostgreSQL, where writers lock single rows, each
// transaction writes one row only. It can therefore not deadlock with a revocation.
func (s *Store) Touch(ctx context.Context, uses ...store.Use) error {
	var keys []store.Use
	clients := map[string][]store.Use{}
	for _, u := range uses {
		if u.Client == "" {
			keys = append(keys, u)
		} else {
			clients[u.Client] = append(clients[u.Client], u)
		}
	}

	var writes []func(ctx context.Context, tx *sql.Tx) error
	for _, u := range keys {
		writes = append(writes, func(ctx context.Context, tx *sql.Tx) error { return touchKey(ctx, tx, u) })
	}

	// All secrets of a client are in one row, so one write notes all their uses.
	for _, client := range slices.Sorted(maps.Keys(clients)) {
		writes = append(writes, func(ctx context.Context, tx *sql.Tx) error { return touchSecrets(ctx, tx, client, clients[client]) })
	}

	batch := touchBatch
	if s.dialect.Postgres {
		batch = 1
	}

	for chunk := range slices.Chunk(writes, batch) {
		err := s.tx(ctx, "noting uses", func(ctx context.Context, tx *sql.Tx) error {
			for _, write := range chunk {
				if err := write(ctx, tx); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func touchKey(ctx context.Context, tx *sql.Tx, u store.Use) error {
	_, err := tx.ExecContext(ctx, `UPDATE authtier_api_keys SET last_used = $1 WHERE id_key = $2 AND (last_used < $1 OR last_used = 0)`,
		micros(u.At), key(u.ID))
	return err
}

// touchSecrets notes uses of one client's secrets.
func touchSecrets(ctx context.Context, tx *sql.Tx, client string, uses []store.Use) error {
	var lists, used []byte
	// Writing the row first locks it, so that no other use or secret is lost.
	err := tx.QueryRowContext(ctx, `UPDATE authtier_clients SET last_used = last_used WHERE id_key = $1 RETURNING lists, last_used`,
		key(client)).Scan(&lists, &used)
	// The client may have been deleted since the use.
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}

	l, err := readLists(lists)
	if err != nil {
		return err
	}
	before, err := readLastUses(used)
	if err != nil {
		return err
	}

	after, news := before.of(l.Secrets, uses)
	if !news {
		return nil
	}
	if used, err = json.Marshal(after); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE authtier_clients SET last_used = $1 WHERE id_key = $2`, used, key(client))
	return err
}
