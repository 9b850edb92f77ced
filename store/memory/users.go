package memory

import (
	"context"
	"maps"
	"slices"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/record"
)

// User implements [store.Users].
func (s *Store) User(ctx context.Context, login string) (*store.User, error) {
	u, err := get(ctx, s, s.users, login)
	if err != nil {
		return nil, err
	}
	record.UnshareUser(u)
	return u, nil
}

// CreateUsers implements [store.Admin].
func (s *Store) CreateUsers(ctx context.Context, us ...store.User) error {
	if err := record.CheckUsers(us); err != nil {
		return err
	}
	return s.write(ctx, func() error {
		for _, u := range us {
			// All users are checked first, because all are stored or none.
			if _, ok := s.users[u.Login]; ok {
				return record.Error("user", u.Login, store.ErrExists)
			}
		}

		for _, u := range us {
			record.UnshareUser(&u)
			u.Version = s.feed.version(store.KindUser, u.Login)
			s.users[u.Login] = u
		}
		return nil
	})
}

// UpdateUser implements [store.Admin].
func (s *Store) UpdateUser(ctx context.Context, login string, f func(*store.User) error) error {
	read := func() (*store.User, error) { return s.User(ctx, login) }
	return record.Update(record.Users, f, read, func(old, changed *store.User) (stored bool, err error) {
		err = s.write(ctx, func() error {
			now, ok := s.users[login]
			if !ok {
				return store.ErrNotFound
			}
			if stored = record.SameUser(&now, old); !stored {
				return nil
			}

			s.users[login] = *changed
			s.changed(store.Change{Kind: store.KindUser, ID: login, Version: now.Version}, changed.Disabled && !old.Disabled)
			return nil
		})
		return stored, err
	})
}

// SetPassword implements [store.Admin].
func (s *Store) SetPassword(ctx context.Context, login, hash string) error {
	if err := store.CheckPasswordHash(hash); err != nil {
		return err
	}
	return s.write(ctx, func() error {
		u, ok := s.users[login]
		if !ok {
			return store.ErrNotFound
		}

		u.Password = hash
		s.users[login] = u

		// A new password ends the user's tokens and sessions.
		s.raise(store.Change{Kind: store.KindUser, ID: login})
		return nil
	})
}

// Rehash implements [store.Admin].
func (s *Store) Rehash(ctx context.Context, login, from, to string) error {
	if err := record.CheckRehash(to); err != nil {
		return err
	}
	return s.write(ctx, func() error {
		u, ok := s.users[login]
		if !ok || u.Password != from {
			return store.ErrNotFound
		}

		u.Password = to
		s.users[login] = u
		return nil
	})
}

// DeleteUser implements [store.Admin].
func (s *Store) DeleteUser(ctx context.Context, login string) error {
	return s.write(ctx, func() error {
		s.revoke(store.Change{Kind: store.KindUser, ID: login})
		delete(s.users, login)
		return nil
	})
}

// ListUsers implements [store.Lister].
func (s *Store) ListUsers(ctx context.Context, after string, limit int) ([]store.User, error) {
	return list(ctx, s, after, limit, func() []string { return slices.Collect(maps.Keys(s.users)) }, func(login string) store.User {
		u := s.users[login]
		record.UnshareUser(&u)
		u.Password = ""
		return u
	})
}
