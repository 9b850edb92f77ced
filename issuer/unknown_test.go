package issuer_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/internal/secret"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// TestRevokingTheUnknownIsNotFound revokes by names that do not exist, and by names of
// something else.
func TestRevokingTheUnknownIsNotFound(t *testing.T) {
	formats(t, func(t *testing.T, cfg issuer.Config) {
		iss := newIssuer(t, nil, cfg)
		tokens := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Refresh: true})
		id, _ := validate(t, iss, tokens.AccessToken)
		for name, revoke := range map[string]func(ctx context.Context) error{
			"a token's ID":            func(ctx context.Context) error { return iss.RevokeToken(ctx, id.TokenID) },
			"a client for a token":    func(ctx context.Context) error { return iss.RevokeToken(ctx, "app") },
			"no token":                func(ctx context.Context) error { return iss.RevokeToken(ctx, "") },
			"a token never made":      func(ctx context.Context) error { return iss.RevokeToken(ctx, secret.Generate("authtier_rt")) },
			"a key for its ID":        func(ctx context.Context) error { return iss.RevokeAPIKey(ctx, "key1") },
			"no key":                  func(ctx context.Context) error { return iss.RevokeAPIKey(ctx, "") },
			"a token for a session":   func(ctx context.Context) error { return iss.RevokeSession(ctx, secret.Generate("authtier_st")) },
			"a token's ID for one":    func(ctx context.Context) error { return iss.RevokeSession(ctx, id.TokenID) },
			"no session":              func(ctx context.Context) error { return iss.RevokeSession(ctx, "") },
			"an unknown client":       func(ctx context.Context) error { return iss.RevokeClient(ctx, "nobody") },
			"a user for a client":     func(ctx context.Context) error { return iss.RevokeClient(ctx, "ada") },
			"an unknown user":         func(ctx context.Context) error { return iss.RevokeUser(ctx, "nobody") },
			"a client for a user":     func(ctx context.Context) error { return iss.RevokeUser(ctx, "app") },
			"an unknown secret":       func(ctx context.Context) error { return iss.RevokeSecret(ctx, "app", "app-secret") },
			"client and ID exchanged": func(ctx context.Context) error { return iss.RevokeSecret(ctx, "s1", "app") },
		} {
			if err := revoke(t.Context()); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: got %v, want ErrNotFound", name, err)
			}
		}
		if _, code := validate(t, iss, tokens.AccessToken); code != 0 {
			t.Errorf("a token that nobody revoked: got %v", code)
		}

		// A second time there is nothing left to revoke.
		for _, what := range []struct {
			name   string
			revoke func() error
		}{
			{"access token", func() error { return iss.RevokeToken(t.Context(), tokens.AccessToken) }},
			{"API key", func() error { return iss.RevokeAPIKey(t.Context(), "k1") }},
		} {
			must(t, what.revoke())
			if err := what.revoke(); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s, again: got %v, want ErrNotFound", what.name, err)
			}
		}
	})
}

// TestRevocationsOutliveTheirRequest revokes with a cancelled context, in every way
// that a program can.
func TestRevocationsOutliveTheirRequest(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, revoke := range map[string]func(iss *issuer.Issuer, token string) error{
		"token":  func(iss *issuer.Issuer, token string) error { return iss.RevokeToken(gone, token) },
		"client": func(iss *issuer.Issuer, _ string) error { return iss.RevokeClient(gone, "app") },
		"user":   func(iss *issuer.Issuer, _ string) error { return iss.RevokeUser(gone, "ada") },
	} {
		iss := newIssuer(t, heedful{newStore(t)}, issuer.Config{OpaqueTokens: true})
		token := mint(t, iss, issuer.Grant{Client: "app", User: "ada"}).AccessToken
		if err := revoke(iss, token); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, code := validate(t, iss, token); code != errorsx.UnknownToken {
			t.Errorf("%s: the token is answered %v", name, code)
		}
	}

	iss := newIssuer(t, heedful{newStore(t)}, issuer.Config{})
	if err := errors.Join(iss.RevokeAPIKey(gone, "k1"), iss.RevokeSecret(gone, "app", "s1"), iss.RevokeSession(gone, strings.Repeat("a", 32))); err != nil {
		t.Error(err)
	}
	wantUse(t, "the revoked key", helds["API key"].credential("key1"), errorsx.CredentialsIncorrect, iss)
	wantUse(t, "the revoked secret", helds["secret"].credential("app-secret"), errorsx.CredentialsIncorrect, iss)
}

// TestRevocationsEnd revokes in a store that does not answer.
func TestRevocationsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := newIssuer(t, silentStore{newStore(t)}, issuer.Config{})
		began := time.Now()
		if err := iss.RevokeClient(t.Context(), "app"); err == nil {
			t.Error("revoked")
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// A heedful store does nothing if the context has ended, like one over a network.
type heedful struct{ store.Store }

func (h heedful) Token(ctx context.Context, d store.Digest) (*store.Token, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return h.Store.Token(ctx, d)
}

func (h heedful) Revoke(ctx context.Context, cs ...store.Change) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return h.Store.Revoke(ctx, cs...)
}

func (h heedful) DeleteSecret(ctx context.Context, client, id string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return h.Store.DeleteSecret(ctx, client, id)
}

// A silentStore does not answer a revocation.
type silentStore struct{ store.Store }

func (silentStore) Revoke(ctx context.Context, _ ...store.Change) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestInspectTellsTypesApart inspects each type of token as each type.
func TestInspectTellsTypesApart(t *testing.T) {
	formats(t, func(t *testing.T, cfg issuer.Config) {
		iss := newIssuer(t, nil, cfg)
		tokens := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Refresh: true})
		access, err := iss.InspectAccess(t.Context(), tokens.AccessToken)
		if err != nil || access.Refresh || access.User != "ada" {
			t.Errorf("access token: got %+v, %v", access, err)
		}
		refresh, err := iss.InspectRefresh(t.Context(), tokens.RefreshToken)
		if err != nil || !refresh.Refresh || refresh.User != "ada" {
			t.Errorf("refresh token: got %+v, %v", refresh, err)
		}
		_, err = iss.InspectAccess(t.Context(), tokens.RefreshToken)
		wantCode(t, "refresh token as access token", err, errorsx.WrongTokenType)
		_, err = iss.InspectRefresh(t.Context(), tokens.AccessToken)
		wantCode(t, "access token as refresh token", err, errorsx.WrongTokenType)
	})
}

// TestOwnUsersNeedATTL puts caches around the passwords of users in a table whose
// changes the issuer does not learn of.
func TestOwnUsersNeedATTL(t *testing.T) {
	hash, err := issuer.HashPassword(t.Context(), "pw")
	must(t, err)
	db := newStore(t)
	for name, tt := range map[string]struct {
		cfg issuer.Config
		own bool
	}{
		"the store's":          {issuer.Config{}, false},
		"the store, by name":   {issuer.Config{Users: db}, false},
		"a table of one's own": {issuer.Config{Users: ownUsers{hash}}, true},
		"another store":        {issuer.Config{Users: newStore(t)}, true},
	} {
		iss := newIssuer(t, db, tt.cfg)
		_, err := middleware.NewCache(iss.Passwords(), 100, nil)
		if (err != nil) != tt.own {
			t.Errorf("%s, without a TTL: %v", name, err)
		}
		if _, err := middleware.NewCache(iss.Passwords(), 100, &middleware.CacheConfig{TTL: time.Minute}); err != nil {
			t.Errorf("%s, with a TTL: %v", name, err)
		}
		if _, err := middleware.NewCache(iss, 100, nil); err != nil {
			t.Errorf("%s, the issuer: %v", name, err)
		}
	}

	// A user that is no longer in the table can still be revoked.
	iss := newIssuer(t, db, issuer.Config{Users: ownUsers{hash}})
	must(t, iss.RevokeUser(t.Context(), "gone"))
}

// A folding users table finds ada in every spelling.
type folding struct{ ownUsers }

func (f folding) User(ctx context.Context, login string) (*store.User, error) {
	return f.ownUsers.User(ctx, strings.ToLower(login))
}

// TestOneLoginHasOneSpelling revokes a user that a table finds in several spellings.
func TestOneLoginHasOneSpelling(t *testing.T) {
	formats(t, func(t *testing.T, cfg issuer.Config) {
		cfg.Users = folding{}
		iss := newIssuer(t, nil, cfg)
		before := mint(t, iss, issuer.Grant{Client: "app", User: "ADA"}).AccessToken
		must(t, iss.RevokeUser(t.Context(), "ada"))
		if _, code := validate(t, iss, before); code != errorsx.UnknownToken {
			t.Errorf("a token from before: got %v", code)
		}
		before = mint(t, iss, issuer.Grant{Client: "app", User: "ada"}).AccessToken
		must(t, iss.RevokeUser(t.Context(), "ADA"))
		if _, code := validate(t, iss, before); code != errorsx.UnknownToken {
			t.Errorf("a token from before, and a revocation in another spelling: got %v", code)
		}
		id, code := validate(t, iss, mint(t, iss, issuer.Grant{Client: "app", User: "ADA"}).AccessToken)
		if code != 0 || id.User != "ada" {
			t.Errorf("a token from after: got %+v, %v", id, code)
		}
	})
}

// TestOwnersHaveOneSpelling offers keys whose owner is spelt as in the users table, and
// in another way, which no revocation would match.
func TestOwnersHaveOneSpelling(t *testing.T) {
	db := newStore(t)
	iss := newIssuer(t, db, issuer.Config{Users: folding{}})
	for owner, want := range map[string]errorsx.Code{"ada": 0, "ADA": errorsx.CredentialsIncorrect} {
		must(t, db.CreateAPIKeys(t.Context(), store.APIKey{ID: owner, Client: "app", Owner: owner, Digest: store.DigestOf("key of " + owner)}))
		wantUse(t, "the key of "+owner, helds["API key"].credential("key of "+owner), want, iss)
	}
}

// TestLongTokensAreRemembered revokes a token that lives longer than usual, with an end
// of the revocation that is too early.
func TestLongTokensAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore(t)
		iss := newIssuer(t, db, issuer.Config{})
		token := mint(t, iss, issuer.Grant{Client: "app", TTL: 100 * time.Hour}).AccessToken
		id, _ := validate(t, iss, token)
		must(t, revokeBehind(t, iss, db, store.Change{Kind: store.KindToken, ID: id.TokenID, Until: time.Now()}))
		for range 9 {
			time.Sleep(11 * time.Hour)
			must(t, hear(t, iss))
			if _, code := validate(t, iss, token); code != errorsx.UnknownToken {
				t.Fatalf("got %v", code)
			}
		}
	})
}

// TestDurationsHaveAUnit passes durations without a unit, which are nanoseconds.
func TestDurationsHaveAUnit(t *testing.T) {
	db := newStore(t)
	iss := newIssuer(t, db, issuer.Config{})
	for _, overlap := range []time.Duration{24, time.Millisecond, time.Second - 1, -1} {
		if _, _, err := iss.RotateAPIKey(t.Context(), "k1", overlap); err == nil {
			t.Errorf("key, overlap %v: accepted", overlap)
		}
		if _, _, err := iss.RotateSecret(t.Context(), "app", overlap); err == nil {
			t.Errorf("secret, overlap %v: accepted", overlap)
		}
	}
	wantUse(t, "the key", helds["API key"].credential("key1"), 0, iss)
	wantUse(t, "the secret", helds["secret"].credential("app-secret"), 0, iss)
	for _, overlap := range []time.Duration{time.Second, 0} {
		_, _, err := iss.RotateSecret(t.Context(), "app", overlap)
		must(t, err)
	}

	for grace, ok := range map[time.Duration]bool{10: false, time.Millisecond - 1: false, time.Millisecond: true, -time.Second: false} {
		_, err := issuer.New(t.Context(), testURL, db, &issuer.Config{AllowEphemeralKeys: true, AllowRefreshGrace: grace})
		if (err == nil) != ok {
			t.Errorf("grace %v: %v", grace, err)
		}
	}
}

// TestOpaqueTokensPublishNoKeys checks that keys are not published if they sign
// nothing.
func TestOpaqueTokensPublishNoKeys(t *testing.T) {
	key, err := issuer.GenerateKey("ES256")
	must(t, err)
	keys, err := issuer.NewKeySet(key)
	must(t, err)
	if _, err := issuer.New(t.Context(), testURL, newStore(t), &issuer.Config{OpaqueTokens: true, Keys: keys}); err == nil {
		t.Error("OpaqueTokens with Keys: accepted")
	}
	w := httptest.NewRecorder()
	newIssuer(t, nil, issuer.Config{OpaqueTokens: true}).KeysHandler().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if got := strings.TrimSpace(w.Body.String()); got != `{"keys":[]}` {
		t.Errorf("published %s", got)
	}
}
