package storetest

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/authtier/authtier/store"
)

func testUpdateConcurrent(t *testing.T, s store.Store) { testUpdateBetween(t, s, s) }

// again repeats an update as long as it returns ErrConflict.
func again(update func() error) error {
	for {
		if err := update(); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

// testUpdateBetween lets several writers change different fields of one record through
// both handles at once. No change may be lost.
func testUpdateBetween(t *testing.T, a, b store.Store) {
	const rounds = 20
	ctx := t.Context()
	clients(t, a, "c")
	must(t, a.CreateUsers(ctx, store.User{Login: "u", Password: hash('a'), First: "0", Last: "0"}))
	must(t, a.CreateAPIKeys(ctx, apiKey("k", "c")))
	next := func(number string) string {
		n, _ := strconv.Atoi(number)
		return fmt.Sprint(n + 1)
	}
	handles := []store.Store{a, b}
	writers := []func(s store.Store, round int) error{
		func(s store.Store, _ int) error {
			return s.UpdateUser(ctx, "u", func(u *store.User) error { u.First = next(u.First); return nil })
		},
		func(s store.Store, _ int) error {
			return s.UpdateUser(ctx, "u", func(u *store.User) error { u.Last = next(u.Last); return nil })
		},
		func(s store.Store, _ int) error {
			return s.UpdateAPIKey(ctx, "k", func(k *store.APIKey) error { k.Name = next(k.Name); return nil })
		},
		func(s store.Store, _ int) error {
			return s.UpdateAPIKey(ctx, "k", func(k *store.APIKey) error { k.Owner = next(k.Owner); return nil })
		},
		func(s store.Store, round int) error {
			return s.UpdateClient(ctx, "c", func(c *store.Client) error { c.Scopes = append(c.Scopes, fmt.Sprint(round)); return nil })
		},
		func(s store.Store, round int) error {
			return s.AddSecret(ctx, "c", secretOf(fmt.Sprint(round), start))
		},
	}
	together(len(writers), func(i int) {
		for round := range rounds {
			if err := again(func() error { return writers[i](handles[(i+round)%2], round) }); err != nil {
				t.Errorf("writer %d, round %d: %v", i, round, err)
			}
		}
	})

	want := fmt.Sprint(rounds)
	if u, err := b.User(ctx, "u"); err != nil || u.First != want || u.Last != want {
		t.Errorf("user: got %#v, %v, want %s twice", *u, err, want)
	}
	if k, err := b.APIKeyByID(ctx, "k"); err != nil || k.Name != want || k.Owner != want {
		t.Errorf("API key: got %+v, %v, want %s twice", k, err, want)
	}
	if c, err := b.Client(ctx, "c"); err != nil || len(c.Scopes) != rounds || len(c.Secrets) != rounds {
		t.Errorf("client: got %d scopes and %d secrets, %v, want %d of both", len(c.Scopes), len(c.Secrets), err, rounds)
	}
	wantPasswordsKept(t, a, b)
}

// wantPasswordsKept rehashes and sets a password while the user is updated.
func wantPasswordsKept(t *testing.T, a, b store.Store) {
	t.Helper()
	ctx := t.Context()
	for round := range 10 {
		before, err := a.User(ctx, "u")
		must(t, err)
		letter := byte('b' + round)
		read := make(chan struct{}) // closed when the user has been read
		begun := sync.OnceFunc(func() { close(read) })
		together(2, func(i int) {
			if i == 0 {
				defer begun()
				err := again(func() error {
					return a.UpdateUser(ctx, "u", func(u *store.User) error { begun(); u.Lang = fmt.Sprint(round); return nil })
				})
				if err != nil {
					t.Error(err)
				}
				return
			}

			// The password changes after the update has read the user.
			<-read
			err := b.Rehash(ctx, "u", before.Password, hash(letter))
			if round%2 == 0 {
				err = b.SetPassword(ctx, "u", hash(letter))
			}
			if err != nil {
				t.Error(err)
			}
		})
		after, err := b.User(ctx, "u")
		must(t, err)
		if after.Password != hash(letter) || after.Lang != fmt.Sprint(round) || round%2 == 0 && after.Version <= before.Version {
			t.Errorf("round %d: got %#v after version %d, want the new password and the new language", round, *after, before.Version)
		}
	}
}
