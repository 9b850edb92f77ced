package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/record"
)

const (
	userColumns = `login, version, disabled, password, first, last, lang, scopes, limit_scopes`
	userByLogin = `SELECT ` + userColumns + ` FROM authtier_users WHERE login_key = $1`
)

// readUser reads the columns of a user.
func readUser(scan scan) (*store.User, error) {
	u := &store.User{}
	var login, password, first, last, lang, scopes []byte
	var disabled, limit int64
	if err := scan(&login, &u.Version, &disabled, &password, &first, &last, &lang, &scopes, &limit); err != nil {
		return nil, err
	}
	u.Login, u.Password, u.First, u.Last, u.Lang = string(login), string(password), string(first), string(last), string(lang)
	u.Disabled, u.LimitScopes = disabled != 0, limit != 0
	return u, readJSON(scopes, &u.Scopes)
}

// User implements [store.Users].
func (s *Store) User(ctx context.Context, login string) (*store.User, error) {
	u, err := readUser(s.scan(ctx, userByLogin, key(login)))
	if err != nil {
		return nil, s.wrap("reading a user", err)
	}
	return u, nil
}

// CreateUsers implements [store.Admin].
func (s *Store) CreateUsers(ctx context.Context, us ...store.User) error {
	if err := record.CheckUsers(us); err != nil {
		return err
	}
	// The transaction may still run after the caller has stopped waiting for it.
	us = record.Users.CloneAll(us)
	return s.create(ctx, "creating users", len(us), func(ctx context.Context, tx *feedTx) error {
		for chunk := range slices.Chunk(us, createBatch) {
			if err := tx.createUsers(ctx, chunk); err != nil {
				return err
			}
		}
		return nil
	})
}

func (tx *feedTx) createUsers(ctx context.Context, us []store.User) error {
	keys := make([][]byte, len(us))
	for i, u := range us {
		keys[i] = key(u.Login)
	}
	known, err := tx.among(ctx, `SELECT login_key FROM authtier_users WHERE login_key IN `, keys)
	if err != nil {
		return err
	}
	versions, err := tx.userVersions(ctx, keys)
	if err != nil {
		return err
	}

	const columns = 10
	args := make([]any, 0, len(us)*columns)
	for i, u := range us {
		if known[string(keys[i])] {
			return record.Error("user", u.Login, store.ErrExists)
		}
		scopes, err := writeJSON(u.Scopes)
		if err != nil {
			return err
		}

		// A reused login continues with its version, so that old tokens stay revoked.
		version := max(1, versions[string(keys[i])])
		args = append(args, keys[i], []byte(u.Login), version, integer(u.Disabled), []byte(u.Password),
			[]byte(u.First), []byte(u.Last), []byte(u.Lang), scopes, integer(u.LimitScopes))
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO authtier_users (login_key, login, version, disabled, password, first, last, lang, scopes, limit_scopes)
		VALUES `+tx.dialect.placeholders(len(us), columns), args...)
	return err
}

// userVersions returns the versions of the users that have one, by key.
func (tx *feedTx) userVersions(ctx context.Context, keys [][]byte) (map[string]int64, error) {
	query := fmt.Sprintf(`SELECT id_key, version FROM authtier_in_force WHERE kind = %d AND id_key IN `, store.KindUser)
	rows, err := tx.QueryContext(ctx, query+tx.dialect.placeholders(1, len(keys)), anys(keys)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()

	versions := map[string]int64{}
	for rows.Next() {
		var key []byte
		var version int64
		if err := rows.Scan(&key, &version); err != nil {
			return nil, err
		}
		versions[string(key)] = version
	}
	return versions, rows.Err()
}

// UpdateUser implements [store.Admin]. It does not write the password, which Rehash may
// change at any time.
func (s *Store) UpdateUser(ctx context.Context, login string, f func(*store.User) error) error {
	read := func() (*store.User, error) { return s.User(ctx, login) }
	return record.Update(record.Users, f, read, func(old, changed *store.User) (bool, error) {
		scopes, err := writeJSON(changed.Scopes)
		if err != nil {
			return false, err
		}
		stored := false

		err = s.change(ctx, "updating a user", func(ctx context.Context, tx *feedTx) error {
			now, err := readUser(tx.scan(ctx, userByLogin, key(login)))
			if err != nil {
				return err
			}

			// If the user has changed since it was read, Update reads it again.
			if stored = record.SameUser(now, old); !stored {
				return nil
			}

			_, err = tx.ExecContext(ctx, `
				UPDATE authtier_users SET disabled = $1, first = $2, last = $3, lang = $4, scopes = $5, limit_scopes = $6
				WHERE login_key = $7`, integer(changed.Disabled), []byte(changed.First), []byte(changed.Last), []byte(changed.Lang),
				scopes, integer(changed.LimitScopes), key(login))
			if err != nil {
				return err
			}
			c := store.Change{Kind: store.KindUser, ID: login, Version: now.Version}
			return tx.changed(ctx, c, changed.Disabled && !old.Disabled)
		})
		if err != nil {
			// The transaction may still be running, and may still set stored.
			return false, err
		}
		return stored, nil
	})
}

// SetPassword implements [store.Admin].
func (s *Store) SetPassword(ctx context.Context, login, hash string) error {
	if err := store.CheckPasswordHash(hash); err != nil {
		return err
	}
	return s.change(ctx, "setting a password", func(ctx context.Context, tx *feedTx) error {
		err := touched(tx.ExecContext(ctx, `UPDATE authtier_users SET password = $1 WHERE login_key = $2`, []byte(hash), key(login)))
		if err != nil {
			return err
		}

		// A new password ends the user's tokens and sessions.
		return tx.raise(ctx, store.Change{Kind: store.KindUser, ID: login})
	})
}

// Rehash implements [store.Admin].
func (s *Store) Rehash(ctx context.Context, login, from, to string) error {
	if err := record.CheckRehash(to); err != nil {
		return err
	}
	return s.tx(ctx, "rehashing a password", func(ctx context.Context, tx *sql.Tx) error {
		return touched(tx.ExecContext(ctx, `UPDATE authtier_users SET password = $1 WHERE login_key = $2 AND password = $3`,
			[]byte(to), key(login), []byte(from)))
	})
}

// touched returns [store.ErrNotFound] if a statement affected no row.
func touched(r sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := r.RowsAffected()
	if err == nil && n == 0 {
		err = store.ErrNotFound
	}
	return err
}

// DeleteUser implements [store.Admin].
func (s *Store) DeleteUser(ctx context.Context, login string) error {
	return s.change(ctx, "deleting a user", func(ctx context.Context, tx *feedTx) error {
		if err := tx.revoke(ctx, store.Change{Kind: store.KindUser, ID: login}); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM authtier_users WHERE login_key = $1`, key(login))
		return err
	})
}

// ListUsers implements [store.Lister].
func (s *Store) ListUsers(ctx context.Context, after string, limit int) ([]store.User, error) {
	const query = `SELECT ` + userColumns + ` FROM authtier_users
		WHERE substr(login, 1, 256) >= $1 AND login > $2 ORDER BY substr(login, 1, 256), login LIMIT $3`
	us, err := list(ctx, s, query, after, limit, func(scan scan) (*store.User, error) {
		u, err := readUser(scan)
		if err == nil {
			u.Password = ""
		}
		return u, err
	})
	return us, s.wrap("listing users", err)
}
