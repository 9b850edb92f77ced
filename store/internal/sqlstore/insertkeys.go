package sqlstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/authtier/authtier/store"
)

// sortByKey puts new keys into the order of the table, so that neighbours are written to
// the same page while it is at hand.
func sortByKey(ks []store.APIKey) {
	type place struct {
		key [sha256.Size]byte
		at  int
	}
	places := make([]place, len(ks))
	for i := range ks {
		places[i] = place{sha256.Sum256([]byte(ks[i].ID)), i}
	}
	slices.SortFunc(places, func(a, b place) int { return bytes.Compare(a.key[:], b.key[:]) })

	sorted := make([]store.APIKey, len(ks))
	for i, p := range places {
		sorted[i] = ks[p.at]
	}
	copy(ks, sorted)
}

// createAPIKeys stores keys if none of their IDs and digests is or was in use. Every
// transaction that creates or revokes keys holds the head. The answers that this
// function reads therefore stay true until it commits.
func (tx *feedTx) createAPIKeys(ctx context.Context, ks []store.APIKey) error {
	if !tx.dialect.Postgres {
		return tx.insertEach(ctx, ks)
	}
	if err := tx.checkUnused(ctx, ks); err != nil {
		return err
	}
	return tx.insertTogether(ctx, ks)
}

const (
	insertedColumns = `id_key, id, digest, client_key, client, scopes, created, expires, name, owner, addrs`

	// insertUnused inserts one key, unless its ID or its digest is or was in use: a tombstone
	// turns the value into NULL, and OR IGNORE skips a row that breaks a constraint. With
	// VALUES in place of SELECT, SQLite keeps no journal for the single statement.
	insertUnused = `
		INSERT OR IGNORE INTO authtier_api_keys (` + insertedColumns + `) VALUES (
			CASE WHEN EXISTS (SELECT 1 FROM authtier_tombstones WHERE kind = 1 AND key = ?1) THEN NULL ELSE ?1 END, ?2,
			CASE WHEN EXISTS (SELECT 1 FROM authtier_tombstones WHERE kind = 2 AND key = ?3) THEN NULL ELSE ?3 END,
			?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)`
)

// insertEach inserts keys one by one, for SQLite: it has no round trips, and one short
// statement that is prepared once costs less than queries with a thousand parameters.
func (tx *feedTx) insertEach(ctx context.Context, ks []store.APIKey) error {
	stmt, err := tx.PrepareContext(ctx, insertUnused)
	if err != nil {
		return err
	}
	defer stmt.Close()

	// The driver starts a goroutine for each call whose context can end.
	endless := context.WithoutCancel(ctx)
	for i := range ks {
		if err := ctx.Err(); err != nil {
			return err
		}
		args, err := insertedArgs(nil, &ks[i])
		if err != nil {
			return err
		}

		err = touched(stmt.ExecContext(endless, args...))
		if errors.Is(err, store.ErrNotFound) {
			return tx.whyNotInserted(ctx, ks[i:i+1])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (tx *feedTx) whyNotInserted(ctx context.Context, one []store.APIKey) error {
	if err := tx.checkUnused(ctx, one); err != nil {
		return err
	}
	return fmt.Errorf("the API key %.64q was not inserted, and neither its ID nor its digest is in use", one[0].ID)
}

// insertTogether inserts keys with one statement, for PostgreSQL.
func (tx *feedTx) insertTogether(ctx context.Context, ks []store.APIKey) error {
	const columns = 11
	args := make([]any, 0, len(ks)*columns)
	for i := range ks {
		var err error
		if args, err = insertedArgs(args, &ks[i]); err != nil {
			return err
		}
	}

	_, err := tx.ExecContext(ctx, `INSERT INTO authtier_api_keys (`+insertedColumns+`) VALUES `+tx.dialect.placeholders(len(ks), columns), args...)
	return err
}

// insertedArgs appends the values of a key, in the order of insertedColumns.
func insertedArgs(args []any, k *store.APIKey) ([]any, error) {
	scopes, err := writeJSON(k.Scopes)
	if err != nil {
		return nil, err
	}
	addrs, err := writeJSON(k.Addrs)
	if err != nil {
		return nil, err
	}
	return append(args, key(k.ID), []byte(k.ID), k.Digest[:], key(k.Client), []byte(k.Client), scopes,
		micros(k.Created), micros(k.Expires), []byte(k.Name), []byte(k.Owner), addrs), nil
}
