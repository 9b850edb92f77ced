package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/record"
)

// Revoke implements [store.Changes].
func (s *Store) Revoke(ctx context.Context, cs ...store.Change) error {
	if err := record.CheckChanges(cs); err != nil {
		return err
	}
	// The transaction may still run after the caller has stopped waiting for it.
	cs = slices.Clone(cs)
	return s.change(ctx, "revoking", func(ctx context.Context, tx *feedTx) error {
		for _, c := range cs {
			if err := tx.revoke(ctx, c); err != nil {
				return err
			}
		}
		return nil
	})
}

// Since implements [store.Changes].
func (s *Store) Since(ctx context.Context, c store.Cursor) ([]store.Change, store.Cursor, error) {
	const what = "reading changes"
	if c == (store.Cursor{}) {
		return nil, c, store.ErrNotFound
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	rows, err := s.read.QueryContext(ctx, `
		SELECT n, nonce, kind, id, version, until FROM authtier_changes WHERE n >= $1 ORDER BY n`, int64(c.N))
	if err != nil {
		return nil, store.Cursor{}, s.wrap(what, err)
	}
	defer rows.Close()

	// The first row must be the cursor itself. Otherwise the sequence has been trimmed, or
	// the database was put back to an earlier copy.
	var cs []store.Change
	var at store.Cursor
	for first := true; rows.Next(); first = false {
		change, next, err := scanChange(rows)
		switch {
		case err != nil:
			return nil, store.Cursor{}, s.wrap(what, err)
		case first && next != c:
			return nil, store.Cursor{}, store.ErrNotFound
		case !first && next.N != at.N+1:
			return nil, store.Cursor{}, s.wrap(what, fmt.Errorf("change %d is followed by %d", at.N, next.N))
		case !first:
			cs = append(cs, change)
		}
		at = next
	}
	if err := rows.Err(); err != nil {
		return nil, store.Cursor{}, s.wrap(what, err)
	}

	// No row was found, not even that of the cursor.
	if at != c && len(cs) == 0 {
		return nil, store.Cursor{}, store.ErrNotFound
	}
	return cs, at, nil
}

func scanChange(rows *sql.Rows) (c store.Change, at store.Cursor, err error) {
	var nonce, id []byte
	var kind, until int64
	if err = rows.Scan(&at.N, &nonce, &kind, &id, &c.Version, &until); err != nil {
		return c, at, err
	}
	if len(nonce) != len(at.Nonce) || kind < 0 || kind > 255 {
		return c, at, fmt.Errorf("change %d is damaged", at.N)
	}
	copy(at.Nonce[:], nonce)
	c.Kind, c.ID, c.Until = store.Kind(kind), string(id), timeOf(until)
	return c, at, nil
}

// Snapshot implements [store.Changes].
func (s *Store) Snapshot(ctx context.Context) ([]store.Change, store.Cursor, error) {
	cs, at, err := s.snapshot(ctx)
	return cs, at, s.wrap("reading what is revoked", err)
}

func (s *Store) snapshot(ctx context.Context) ([]store.Change, store.Cursor, error) {
	tx, err := s.read.BeginTx(ctx, s.dialect.Snapshot)
	if err != nil {
		return nil, store.Cursor{}, err
	}
	defer tx.Rollback()

	var at store.Cursor
	var nonce []byte
	err = tx.QueryRowContext(ctx, `SELECT n, nonce FROM authtier_changes ORDER BY n DESC LIMIT 1`).Scan(&at.N, &nonce)
	// A database without any change is damaged. %v keeps that from becoming ErrNotFound.
	if err != nil {
		return nil, store.Cursor{}, fmt.Errorf("the last change: %v", err)
	}
	copy(at.Nonce[:], nonce)

	// The transaction reads one state, so that the cursor is that of these rows.
	rows, err := tx.QueryContext(ctx, `SELECT kind, id, version, until FROM authtier_in_force`)
	if err != nil {
		return nil, store.Cursor{}, err
	}
	defer rows.Close()

	var cs []store.Change
	for rows.Next() {
		var c store.Change
		var kind, until int64
		var id []byte
		if err := rows.Scan(&kind, &id, &c.Version, &until); err != nil {
			return nil, store.Cursor{}, err
		}
		c.Kind, c.ID, c.Until = store.Kind(kind), string(id), timeOf(until)
		cs = append(cs, c)
	}
	return cs, at, rows.Err()
}

// deleteFamily deletes a family's tokens. The statement waits for a rotation that is
// about to commit, but does not see the successor that it stores. deleteFamily therefore
// repeats the statement until it finds no token.
func (tx *feedTx) deleteFamily(ctx context.Context, family string) error {
	for {
		r, err := tx.ExecContext(ctx, `DELETE FROM authtier_tokens WHERE family_key = $1`, key(family))
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return err
		}
	}
}
