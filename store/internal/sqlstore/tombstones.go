package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"slices"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/record"
)

// These queries find tombstones. The migration that creates the table describes the kinds.
const (
	buriedKeyIDs  = `SELECT key FROM authtier_tombstones WHERE kind = 1 AND key IN `
	buriedKeys    = `SELECT key FROM authtier_tombstones WHERE kind = 2 AND key IN `
	buriedSecrets = `SELECT key FROM authtier_tombstones WHERE kind = 3 AND key IN `
)

// revokeAPIKeys deletes the keys for which a condition on one argument holds, keeps
// their tombstones, and enters a change for each, in the order of their IDs.
func (tx *feedTx) revokeAPIKeys(ctx context.Context, where string, arg []byte) error {
	ids, err := tx.apiKeyIDs(ctx, where, arg)
	if err != nil || len(ids) == 0 {
		return err
	}

	// The tombstones are copied from the rows, and therefore come before the deletion.
	for _, statement := range []string{
		`INSERT INTO authtier_tombstones (kind, key) SELECT 1, id_key FROM authtier_api_keys WHERE ` + where + ` ON CONFLICT (kind, key) DO NOTHING`,
		`INSERT INTO authtier_tombstones (kind, key) SELECT 2, digest FROM authtier_api_keys WHERE ` + where + ` ON CONFLICT (kind, key) DO NOTHING`,
		`DELETE FROM authtier_api_keys WHERE ` + where,
	} {
		if _, err := tx.ExecContext(ctx, statement, arg); err != nil {
			return err
		}
	}

	for _, id := range ids {
		tx.changes = append(tx.changes, store.Change{Kind: store.KindAPIKey, ID: id})
	}
	return nil
}

func (tx *feedTx) apiKeyIDs(ctx context.Context, where string, arg []byte) ([]string, error) {
	rows, err := tx.QueryContext(ctx, `SELECT id FROM authtier_api_keys WHERE `+where+` ORDER BY id`, arg)
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

// buryAPIKey deletes a key and keeps its tombstones. The ID of a key that does not exist
// gets a tombstone too, so that the key cannot be created after its revocation.
func (tx *feedTx) buryAPIKey(ctx context.Context, id string) error {
	// The digest is copied from the row, and therefore comes before the deletion.
	for _, statement := range []string{
		`INSERT INTO authtier_tombstones (kind, key) VALUES (1, $1) ON CONFLICT (kind, key) DO NOTHING`,
		`INSERT INTO authtier_tombstones (kind, key) SELECT 2, digest FROM authtier_api_keys WHERE id_key = $1 ON CONFLICT (kind, key) DO NOTHING`,
		`DELETE FROM authtier_api_keys WHERE id_key = $1`,
	} {
		if _, err := tx.ExecContext(ctx, statement, key(id)); err != nil {
			return err
		}
	}
	return nil
}

// secretKey returns the key of the tombstone of a client's secret.
func secretKey(client string, d store.Digest) []byte {
	sum := sha256.Sum256(append(key(client), d[:]...))
	return sum[:]
}

// checkSecrets returns an error if the client had one of the secrets before.
func (tx *feedTx) checkSecrets(ctx context.Context, client string, secrets []store.Secret) error {
	keys := make([][]byte, len(secrets))
	for i, s := range secrets {
		keys[i] = secretKey(client, s.Digest)
	}
	buried, err := tx.among(ctx, buriedSecrets, keys)
	if err != nil {
		return err
	}

	for i, s := range secrets {
		if buried[string(keys[i])] {
			return record.Error("secret", s.ID, store.ErrRevoked)
		}
	}
	return nil
}

// burySecret keeps the tombstone of a secret that a client no longer has.
func (tx *feedTx) burySecret(ctx context.Context, client string, d store.Digest) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO authtier_tombstones (kind, key) VALUES (3, $1) ON CONFLICT (kind, key) DO NOTHING`,
		secretKey(client, d))
	return err
}

// buryClient deletes a client, if it exists, and keeps the tombstones of its secrets.
func (tx *feedTx) buryClient(ctx context.Context, id string) error {
	var lists []byte
	err := tx.QueryRowContext(ctx, `DELETE FROM authtier_clients WHERE id_key = $1 RETURNING lists`, key(id)).Scan(&lists)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	// A client that cannot be read could not authenticate: it needs no tombstones.
	l, err := readLists(lists)
	if err != nil {
		return nil
	}

	for _, secret := range l.Secrets {
		if d, err := digestOf(secret.Digest); err == nil {
			if err := tx.burySecret(ctx, id, d); err != nil {
				return err
			}
		}
	}
	return nil
}

// among returns the keys that a query finds. The query must end with IN.
func (tx *feedTx) among(ctx context.Context, query string, keys [][]byte) (map[string]bool, error) {
	found := map[string]bool{}
	for chunk := range slices.Chunk(keys, createBatch) {
		rows, err := tx.QueryContext(ctx, query+tx.dialect.placeholders(1, len(chunk)), anys(chunk)...)
		if err != nil {
			return nil, err
		}
		if err := scanKeys(rows, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func scanKeys(rows *sql.Rows, found map[string]bool) error {
	defer rows.Close()
	for rows.Next() {
		var key []byte
		if err := rows.Scan(&key); err != nil {
			return err
		}
		found[string(key)] = true
	}
	return rows.Err()
}

func anys(keys [][]byte) []any {
	args := make([]any, len(keys))
	for i, k := range keys {
		args[i] = k
	}
	return args
}
