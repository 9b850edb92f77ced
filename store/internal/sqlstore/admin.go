package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/authtier/authtier/store"
)

// Client implements [store.Clients].
func (s *Store) Client(ctx context.Context, id string) (*store.Client, error) {
	const what = "reading a client"
	c := &store.Client{ID: id}
	var lists []byte
	var disabled int64
	err := s.row(ctx, what, `SELECT version, disabled, lists FROM authtier_clients WHERE id_key = $1`,
		[]any{key(id)}, &c.Version, &disabled, &lists)
	if err != nil {
		return nil, err
	}
	c.Disabled = disabled != 0
	l, err := readLists(lists)
	if err != nil {
		return nil, s.wrap(what, err)
	}
	c.Scopes, c.Default, c.Grants = l.Scopes, l.Default, l.Grants
	c.Secrets, err = l.secrets()
	return c, s.wrap(what, err)
}

// PutClient implements [store.Admin].
func (s *Store) PutClient(ctx context.Context, c store.Client) error {
	l := clientLists{Scopes: c.Scopes, Default: c.Default, Grants: c.Grants}
	lists, err := l.with(c.Secrets)
	if err != nil {
		return s.wrap("storing a client", err)
	}
	return s.change(ctx, "storing a client", func(ctx context.Context, tx *feedTx) error {
		version, err := tx.version(ctx, store.KindClient, c.ID)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO authtier_clients (id_key, id, version, disabled, lists) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (id_key) DO UPDATE SET version = excluded.version, disabled = excluded.disabled, lists = excluded.lists`,
			key(c.ID), []byte(c.ID), int64(version), integer(c.Disabled), lists)
		if err != nil {
			return err
		}
		return tx.changed(ctx, store.Change{Kind: store.KindClient, ID: c.ID, Version: version}, c.Disabled)
	})
}

// changed enters a client or user at its version, or at a higher one.
func (tx *feedTx) changed(ctx context.Context, c store.Change, raise bool) error {
	if raise {
		return tx.revoke(ctx, c)
	}
	return tx.enter(ctx, c)
}

// DeleteClient implements [store.Admin].
func (s *Store) DeleteClient(ctx context.Context, id string) error {
	return s.change(ctx, "deleting a client", func(ctx context.Context, tx *feedTx) error {
		if err := tx.revoke(ctx, store.Change{Kind: store.KindClient, ID: id}); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM authtier_clients WHERE id_key = $1`, key(id)); err != nil {
			return err
		}
		ids, err := tx.keysOf(ctx, id)
		if err != nil {
			return err
		}
		for _, k := range ids {
			if err := tx.revoke(ctx, store.Change{Kind: store.KindAPIKey, ID: k}); err != nil {
				return err
			}
		}
		return nil
	})
}

// User implements [store.Users].
func (s *Store) User(ctx context.Context, login string) (*store.User, error) {
	var password, first, last, lang []byte
	var disabled int64
	u := &store.User{Login: login}
	err := s.row(ctx, "reading a user", `
		SELECT version, disabled, password, first, last, lang FROM authtier_users WHERE login_key = $1`,
		[]any{key(login)}, &u.Version, &disabled, &password, &first, &last, &lang)
	if err != nil {
		return nil, err
	}
	u.Password, u.First, u.Last, u.Lang = string(password), string(first), string(last), string(lang)
	u.Disabled = disabled != 0
	return u, nil
}

// PutUser implements [store.Admin].
func (s *Store) PutUser(ctx context.Context, u store.User) error {
	return s.change(ctx, "storing a user", func(ctx context.Context, tx *feedTx) error {
		version, err := tx.version(ctx, store.KindUser, u.Login)
		if err != nil {
			return err
		}
		var old []byte
		err = tx.QueryRowContext(ctx, `SELECT password FROM authtier_users WHERE login_key = $1`, key(u.Login)).Scan(&old)
		known := err == nil
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO authtier_users (login_key, login, version, disabled, password, first, last, lang)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (login_key) DO UPDATE SET version = excluded.version, disabled = excluded.disabled,
				password = excluded.password, first = excluded.first, last = excluded.last, lang = excluded.lang`,
			key(u.Login), []byte(u.Login), int64(version), integer(u.Disabled),
			[]byte(u.Password), []byte(u.First), []byte(u.Last), []byte(u.Lang))
		if err != nil {
			return err
		}
		c := store.Change{Kind: store.KindUser, ID: u.Login, Version: version}
		return tx.changed(ctx, c, u.Disabled || known && string(old) != u.Password)
	})
}

// Rehash implements [store.Admin].
func (s *Store) Rehash(ctx context.Context, login, from, to string) error {
	return s.tx(ctx, "rehashing a password", func(ctx context.Context, tx *sql.Tx) error {
		return touched(tx.ExecContext(ctx, `UPDATE authtier_users SET password = $1 WHERE login_key = $2 AND password = $3`,
			[]byte(to), key(login), []byte(from)))
	})
}

// touched is [store.ErrNotFound] where a statement found nothing.
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
