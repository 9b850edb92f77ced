package redis

import (
	"context"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/record"
)

// User implements [store.Users].
func (s *Store) User(ctx context.Context, login string) (*store.User, error) {
	r, err := s.hash(ctx, "user:"+login)
	if err == nil && !r.has("limit_scopes") {
		err = s.addFields(ctx, r, "added:user:"+login)
	}
	if err != nil {
		return nil, err
	}
	return r.user(login)
}

func (r *hash) user(login string) (*store.User, error) {
	u := store.User{
		Login: login, Password: r.text("password"),
		First: r.text("first"), Last: r.text("last"), Lang: r.text("lang"),
		LimitScopes: r.flagIfAny("limit_scopes"), Disabled: r.flag("disabled"), Version: r.number("version"),
	}
	r.listIfAny("scopes", &u.Scopes)
	if r.err != nil {
		return nil, r.err
	}
	return &u, nil
}

// userFields are the fields that an update may change.
func userFields(u *store.User) []any {
	return []any{
		"first", u.First, "last", u.Last, "lang", u.Lang, "disabled", formatFlag(u.Disabled),
		"scopes", formatNames(u.Scopes), "limit_scopes", formatFlag(u.LimitScopes),
	}
}

// CreateUsers implements [store.Admin].
func (s *Store) CreateUsers(ctx context.Context, us ...store.User) error {
	if err := record.CheckUsers(us); err != nil {
		return err
	}
	args := []any{len(us)}
	for _, u := range us {
		args = append(args, u.Login, u.Password, u.First, u.Last, u.Lang, formatFlag(u.Disabled),
			formatNames(u.Scopes), formatFlag(u.LimitScopes))
	}
	return s.change(ctx, createUsers, args...)
}

// UpdateUser implements [store.Admin].
func (s *Store) UpdateUser(ctx context.Context, login string, f func(*store.User) error) error {
	var seen *hash
	return record.Update(record.Users, f, func() (u *store.User, err error) {
		if seen, err = s.stored(ctx, "user", login); err != nil {
			return nil, err
		}
		return seen.user(login)
	}, func(old, changed *store.User) (bool, error) {
		read := seen.values("password", "first", "last", "lang", "disabled", "version", "scopes", "limit_scopes")
		return s.update(ctx, "user", login, changed.Disabled && !old.Disabled, read, userFields(changed))
	})
}

// SetPassword implements [store.Admin].
func (s *Store) SetPassword(ctx context.Context, login, hash string) error {
	if err := store.CheckPasswordHash(hash); err != nil {
		return err
	}
	return s.change(ctx, setPassword, login, hash)
}

// Rehash implements [store.Admin].
func (s *Store) Rehash(ctx context.Context, login, from, to string) error {
	if err := record.CheckRehash(to); err != nil {
		return err
	}
	return s.do(ctx, rehash, login, from, to)
}

// DeleteUser implements [store.Admin].
func (s *Store) DeleteUser(ctx context.Context, login string) error {
	return s.change(ctx, deleteUser, login)
}

// ListUsers implements [store.Lister].
func (s *Store) ListUsers(ctx context.Context, after string, limit int) ([]store.User, error) {
	return list(ctx, s, "user", "", after, limit, func(login string, r *hash) (*store.User, error) {
		u, err := r.user(login)
		if err != nil {
			return nil, err
		}
		u.Password = ""
		return u, nil
	})
}
