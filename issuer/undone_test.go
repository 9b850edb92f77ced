package issuer_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// TestAnUpdateDoesNotUndoARotation reads client app, lets another program replace its
// leaked secret, and then updates the client with the old record.
func TestAnUpdateDoesNotUndoARotation(t *testing.T) {
	db := newStore(t)
	iss := newIssuer(t, db, issuer.Config{})
	both := []middleware.Validator{iss, cached(t, iss)}
	secret := helds["secret"].credential
	wantUse(t, "the secret, before", secret("app-secret"), 0, both...)
	read, err := db.Client(t.Context(), "app")
	must(t, err)

	// The update begins before the rotation and ends after it.
	var fresh string
	tries := 0
	must(t, db.UpdateClient(t.Context(), "app", func(c *store.Client) error {
		if tries++; tries == 1 {
			fresh, _, err = iss.RotateSecret(t.Context(), "app", 0)
			must(t, err)
		}
		c.Scopes = append(c.Scopes, "d")
		return nil
	}))
	if tries != 2 {
		t.Errorf("the update ran %d times, want it to run again after the rotation", tries)
	}
	wantUse(t, "the leaked secret", secret("app-secret"), errorsx.CredentialsIncorrect, both...)
	wantUse(t, "the new secret", secret(fresh), 0, both...)

	// An update with the old record does not bring the secret back.
	if err := db.UpdateClient(t.Context(), "app", func(c *store.Client) error { *c = *read; return nil }); err == nil {
		t.Error("an update replaced the secrets")
	}
	if err := db.CreateClient(t.Context(), *read); !errors.Is(err, store.ErrExists) {
		t.Errorf("creating the client again: got %v, want ErrExists", err)
	}
	must(t, db.DeleteClient(t.Context(), "app"))
	if err := db.CreateClient(t.Context(), *read); !errors.Is(err, store.ErrRevoked) {
		t.Errorf("creating the deleted client with its secret: got %v, want ErrRevoked", err)
	}
	wantUse(t, "the leaked secret, in the end", secret("app-secret"), errorsx.CredentialsIncorrect, iss)
}

// TestARevokedKeyIsNotCreatedAgain runs a start-up routine that creates or imports its
// API key each time. The key has leaked and was revoked or replaced.
func TestARevokedKeyIsNotCreatedAgain(t *testing.T) {
	key := helds["API key"].credential("leaked key")
	for name, end := range map[string]func(iss *issuer.Issuer, db store.Store) error{
		"revoked":        func(iss *issuer.Issuer, _ store.Store) error { return iss.RevokeAPIKey(t.Context(), "leaked") },
		"client deleted": func(_ *issuer.Issuer, db store.Store) error { return db.DeleteClient(t.Context(), "app") },
		"replaced": func(iss *issuer.Issuer, _ store.Store) error {
			_, _, err := iss.RotateAPIKey(t.Context(), "leaked", 0)
			return err
		},
		"owner revoked": func(iss *issuer.Issuer, _ store.Store) error { return iss.RevokeUser(t.Context(), "ada") },
	} {
		t.Run(name, func(t *testing.T) {
			db := newStore(t)
			iss := newIssuer(t, db, issuer.Config{})
			both := []middleware.Validator{iss, cached(t, iss)}
			start := func(id string) error {
				record, err := iss.ImportAPIKey(issuer.ImportedKey{ID: id, Client: "app", Key: "leaked key", AllowWeak: true})
				must(t, err)
				record.Owner = "ada"
				return db.CreateAPIKeys(t.Context(), record)
			}
			must(t, start("leaked"))
			wantUse(t, "the key", key, 0, both...)
			if err := start("leaked"); !errors.Is(err, store.ErrExists) {
				t.Errorf("a second start: got %v, want ErrExists", err)
			}

			must(t, end(iss, db))
			must(t, hear(t, iss)) // reads the change, as Run does
			if name == "client deleted" {
				must(t, db.CreateClient(t.Context(), store.Client{ID: "app"}))
			}
			for _, id := range []string{"leaked", "another ID"} {
				if err := start(id); !errors.Is(err, store.ErrRevoked) {
					t.Errorf("a start afterwards, as %q: got %v, want ErrRevoked", id, err)
				}
			}
			wantUse(t, "the key afterwards", key, errorsx.CredentialsIncorrect, both...)
		})
	}
}

// TestRevokeByName revokes a client, a user and a session, and checks which credentials
// each revocation ends.
func TestRevokeByName(t *testing.T) {
	formats(t, func(t *testing.T, cfg issuer.Config) {
		for _, tt := range []struct {
			name         string
			revoke       func(iss *issuer.Issuer) error
			client, user bool // whether their tokens stay valid
			owned        bool // whether the user's key stays valid
		}{
			{"nothing", func(iss *issuer.Issuer) error { return hear(t, iss) }, true, true, true},
			{"client", func(iss *issuer.Issuer) error { return iss.RevokeClient(t.Context(), "app") }, false, false, true},
			{"user", func(iss *issuer.Issuer) error { return iss.RevokeUser(t.Context(), "ada") }, true, false, false},
			{"another client", func(iss *issuer.Issuer) error { return iss.RevokeClient(t.Context(), "other") }, true, true, true},
			{"a session", func(iss *issuer.Issuer) error { return iss.RevokeSession(t.Context(), strings.Repeat("a", 32)) }, true, true, true},
		} {
			t.Run(tt.name, func(t *testing.T) {
				db := newStore(t)
				iss := newIssuer(t, db, cfg)
				cache := cached(t, iss)
				must(t, db.CreateAPIKeys(t.Context(), store.APIKey{ID: "owned", Client: "app", Owner: "ada", Digest: store.DigestOf("owned")}))
				own := mint(t, iss, issuer.Grant{Client: "app"})
				users := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Refresh: true})

				look := func(client, user, owned bool) {
					t.Helper()
					for _, v := range []middleware.Validator{iss, cache} {
						if _, code := validate(t, v, own.AccessToken); (code == 0) != client || code != 0 && code != errorsx.UnknownToken {
							t.Errorf("the client's token: got %v", code)
						}
						if _, code := validate(t, v, users.AccessToken); (code == 0) != user || code != 0 && code != errorsx.UnknownToken {
							t.Errorf("the user's token: got %v", code)
						}
						want := errorsx.CredentialsIncorrect
						if owned {
							want = 0
						}
						wantUse(t, "the user's key", helds["API key"].credential("owned"), want, v)
						wantUse(t, "the client's key", helds["API key"].credential("key1"), 0, v)
						wantUse(t, "the client's secret", helds["secret"].credential("app-secret"), 0, v)
					}
				}
				look(true, true, true)
				must(t, tt.revoke(iss))
				look(tt.client, tt.user, tt.owned)

				if _, err := iss.Refresh(t.Context(), "app", users.RefreshToken, ""); (err == nil) != tt.user {
					t.Errorf("the user's refresh token: got %v", err)
				}
				if _, err := iss.AuthenticateUser(t.Context(), login("ada", testPassword)); err != nil {
					t.Errorf("the user's password: got %v", err)
				}
				for _, g := range []issuer.Grant{{Client: "app"}, {Client: "app", User: "ada"}} { // new tokens can be minted
					if _, code := validate(t, iss, mint(t, iss, g).AccessToken); code != 0 {
						t.Errorf("a token made afterwards: got %v", code)
					}
				}
			})
		}
	})
}
