package main

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/sqlite"
)

// ownedStores are stores with client app, users ada and bob, and two API keys of
// app: owned, whose owner is ada, and free, which has none.
func ownedStores(t *testing.T, test func(t *testing.T, db store.Store)) {
	for name, open := range map[string]func(t *testing.T) store.Store{
		"memory": func(*testing.T) store.Store { return memory.New() },
		"SQLite": func(t *testing.T) store.Store {
			db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "auth.db"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			return db
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, ctx := open(t), t.Context()
			err := errors.Join(
				db.CreateClient(ctx, store.Client{ID: "app"}),
				db.CreateUsers(ctx, store.User{Login: "ada"}, store.User{Login: "bob"}),
				db.CreateAPIKeys(ctx,
					store.APIKey{ID: "owned", Client: "app", Owner: "ada", Digest: store.DigestOf("owned")},
					store.APIKey{ID: "free", Client: "app", Digest: store.DigestOf("free")},
				),
			)
			if err != nil {
				t.Fatal(err)
			}
			test(t, db)
		})
	}
}

// An ownerNode is one of several nodes on a store.
type ownerNode struct {
	iss   *issuer.Issuer
	cache *middleware.Cache
}

// newOwnerNode returns a node that runs until the test ends.
func newOwnerNode(t *testing.T, db store.Store) ownerNode {
	t.Helper()
	iss, err := issuer.New(t.Context(), "https://id.example", db, &issuer.Config{AllowEphemeralKeys: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		iss.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	cache, err := middleware.NewCache(iss, 100, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ownerNode{iss, cache}
}

// code returns the code with which a validator refuses an API key, or 0.
func keyCode(t *testing.T, v middleware.Validator, key string) errorsx.Code {
	t.Helper()
	id, err := v.Validate(t.Context(), middleware.Credential{Scheme: middleware.SchemeAPIKey, Secret: key})
	if err != nil {
		return errorsx.From(err).Code
	}
	if id.Client != "app" || id.User != "" {
		t.Errorf("key %s proves %+v, want client app and no user", key, id)
	}
	return 0
}

// TestOwnersEndTheirKeys revokes, disables and deletes the owner of a key that two
// nodes have cached.
func TestOwnersEndTheirKeys(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		here   bool // revoked by this issuer, so that its own cache knows at once
		change func(ctx context.Context, iss *issuer.Issuer, db store.Store) error
	}{
		{"revoked", true, func(ctx context.Context, iss *issuer.Issuer, _ store.Store) error {
			return iss.RevokeUser(ctx, "ada")
		}},
		{"disabled", false, func(ctx context.Context, _ *issuer.Issuer, db store.Store) error {
			return db.UpdateUser(ctx, "ada", func(u *store.User) error { u.Disabled = true; return nil })
		}},
		{"deleted", false, func(ctx context.Context, _ *issuer.Issuer, db store.Store) error {
			return db.DeleteUser(ctx, "ada")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ownedStores(t, func(t *testing.T, db store.Store) {
				here, there := newOwnerNode(t, db), newOwnerNode(t, db)
				all := []middleware.Validator{here.iss, here.cache, there.iss, there.cache}
				for _, v := range all {
					for range 2 { // the second time from the cache
						if owned, free := keyCode(t, v, "owned"), keyCode(t, v, "free"); owned != 0 || free != 0 {
							t.Fatalf("before: got %v and %v", owned, free)
						}
					}
				}

				if err := tt.change(t.Context(), here.iss, db); err != nil {
					t.Fatal(err)
				}
				atOnce := []middleware.Validator{here.iss, there.iss}
				if tt.here {
					atOnce = append(atOnce, here.cache)
				}
				for n, v := range atOnce {
					if got := keyCode(t, v, "owned"); got != errorsx.CredentialsIncorrect {
						t.Errorf("validator %d, at once: got %v", n, got)
					}
				}

				bound := time.Now().Add(time.Second)
				for _, v := range all {
					for keyCode(t, v, "owned") == 0 {
						if time.Now().After(bound) {
							t.Fatal("after a second the key is still admitted")
						}
						time.Sleep(10 * time.Millisecond)
					}
				}
				for n, v := range all {
					if got := keyCode(t, v, "owned"); got != errorsx.CredentialsIncorrect {
						t.Errorf("validator %d, afterwards: got %v", n, got)
					}
					if got := keyCode(t, v, "free"); got != 0 {
						t.Errorf("validator %d: a key without an owner got %v", n, got)
					}
				}
			})
		})
	}
}

// TestKeysOfAnotherUserStay revokes a user that owns no key, and gives a key to another
// owner before the first one is revoked.
func TestKeysOfAnotherUserStay(t *testing.T) {
	t.Parallel()
	ownedStores(t, func(t *testing.T, db store.Store) {
		n, ctx := newOwnerNode(t, db), t.Context()
		stays := func(what string) {
			t.Helper()
			for _, v := range []middleware.Validator{n.iss, n.cache} {
				if got := keyCode(t, v, "owned"); got != 0 {
					t.Errorf("%s: got %v", what, got)
				}
			}
		}
		stays("before")
		if err := n.iss.RevokeUser(ctx, "bob"); err != nil {
			t.Fatal(err)
		}
		stays("another user was revoked")

		if err := db.UpdateAPIKey(ctx, "owned", func(k *store.APIKey) error { k.Owner = "bob"; return nil }); err != nil {
			t.Fatal(err)
		}
		if err := n.iss.RevokeUser(ctx, "ada"); err != nil {
			t.Fatal(err)
		}
		stays("the owner before was revoked")
		if err := n.iss.RevokeUser(ctx, "bob"); err != nil {
			t.Fatal(err)
		}
		for _, v := range []middleware.Validator{n.iss, n.cache} {
			if got := keyCode(t, v, "owned"); got != errorsx.CredentialsIncorrect {
				t.Errorf("the owner was revoked: got %v", got)
			}
		}
	})
}

// TestKeysOfNobody uses keys whose owner does not exist, or is deleted and created
// again.
func TestKeysOfNobody(t *testing.T) {
	t.Parallel()
	ownedStores(t, func(t *testing.T, db store.Store) {
		n, ctx := newOwnerNode(t, db), t.Context()
		err := db.CreateAPIKeys(ctx, store.APIKey{ID: "later", Client: "app", Owner: "eve", Digest: store.DigestOf("later")})
		if err != nil {
			t.Fatal(err)
		}
		if got := keyCode(t, n.iss, "later"); got != errorsx.CredentialsIncorrect {
			t.Errorf("without its owner: got %v", got)
		}
		if err := db.CreateUsers(ctx, store.User{Login: "eve"}); err != nil {
			t.Fatal(err)
		}
		if got := keyCode(t, n.iss, "later"); got != 0 {
			t.Errorf("with its owner: got %v", got)
		}

		// A key of a disabled owner works again with its owner. One of a deleted or a
		// revoked owner never does.
		disabled := func(is bool) {
			t.Helper()
			if err := db.UpdateUser(ctx, "eve", func(u *store.User) error { u.Disabled = is; return nil }); err != nil {
				t.Fatal(err)
			}
		}
		disabled(true)
		disabled(false)
		if got := keyCode(t, n.iss, "later"); got != 0 {
			t.Errorf("disabled and enabled again: got %v", got)
		}
		if err := errors.Join(db.DeleteUser(ctx, "eve"), db.CreateUsers(ctx, store.User{Login: "eve"})); err != nil {
			t.Fatal(err)
		}
		if got := keyCode(t, n.iss, "later"); got != errorsx.CredentialsIncorrect {
			t.Errorf("deleted and created again: got %v", got)
		}
		again := store.APIKey{ID: "again", Client: "app", Owner: "eve", Digest: store.DigestOf("later")}
		if err := db.CreateAPIKeys(ctx, again); !errors.Is(err, store.ErrRevoked) {
			t.Errorf("created again: got %v, want ErrRevoked", err)
		}
	})
}
