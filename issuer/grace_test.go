package issuer_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store"
)

// graced runs a test on an issuer with a grace of ten seconds. The test gets a token
// that was used just now, and second, the tokens of that use.
func graced(t *testing.T, test func(t *testing.T, iss *issuer.Issuer, db store.Store, first, second *issuer.Tokens)) {
	formats(t, func(t *testing.T, cfg issuer.Config) {
		synctest.Test(t, func(t *testing.T) {
			db := newStore(t)
			cfg.AllowRefreshGrace = 10 * time.Second
			cfg.RefreshTTL, cfg.FamilyTTL = time.Hour, 24*time.Hour
			iss := newIssuer(t, db, cfg)
			defer running(t, iss)()
			first := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Scope: "a b", Refresh: true})
			time.Sleep(time.Minute)
			test(t, iss, db, first, refreshed(t, iss, first))
		})
	})
}

func refreshed(t *testing.T, iss *issuer.Issuer, tokens *issuer.Tokens) *issuer.Tokens {
	t.Helper()
	next, err := iss.Refresh(t.Context(), "app", tokens.RefreshToken, "")
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// TestR03RefreshGrace uses refresh tokens again within their grace and after it.
func TestR03RefreshGrace(t *testing.T) {
	refused := func(t *testing.T, what string, iss *issuer.Issuer, tokens *issuer.Tokens) {
		t.Helper()
		_, err := iss.Refresh(t.Context(), "app", tokens.RefreshToken, "")
		wantCode(t, what, err, errorsx.UnknownToken)
	}
	t.Run("lost answer", func(t *testing.T) {
		graced(t, func(t *testing.T, iss *issuer.Issuer, _ store.Store, first, second *issuer.Tokens) {
			time.Sleep(10*time.Second - time.Millisecond)
			again := refreshed(t, iss, first)
			if again.RefreshToken == second.RefreshToken || again.AccessToken == second.AccessToken || again.Scope != "a b" {
				t.Errorf("got %+v, want a further pair", again)
			}
			all := []*issuer.Tokens{first, second, again, refreshed(t, iss, second), refreshed(t, iss, again)}
			for i, tokens := range all {
				if _, code := validate(t, iss, tokens.AccessToken); code != 0 {
					t.Errorf("access token %d in the grace: got %v", i, code)
				}
			}
			time.Sleep(time.Millisecond)
			_, err := iss.Refresh(t.Context(), "app", first.RefreshToken, "a c") // the scope makes no difference
			wantCode(t, "first, when the grace has ended", err, errorsx.UnknownToken)
			for _, tokens := range all {
				refused(t, "after the grace", iss, tokens)
				if _, code := validate(t, iss, tokens.AccessToken); code != errorsx.UnknownToken {
					t.Errorf("an access token after a use behind the grace: got %v", code)
				}
			}
		})
	})
	t.Run("revoked", func(t *testing.T) {
		for what, end := range map[string]func(ctx context.Context, iss *issuer.Issuer, db store.Store, first, second *issuer.Tokens) error{
			"by the token itself": func(ctx context.Context, iss *issuer.Issuer, _ store.Store, first, _ *issuer.Tokens) error {
				return iss.RevokeToken(ctx, first.RefreshToken)
			},
			"by its successor": func(ctx context.Context, iss *issuer.Issuer, _ store.Store, _, second *issuer.Tokens) error {
				return iss.RevokeToken(ctx, second.RefreshToken)
			},
			"user": func(ctx context.Context, _ *issuer.Issuer, db store.Store, _, _ *issuer.Tokens) error {
				return db.UpdateUser(ctx, "ada", func(u *store.User) error { u.Disabled = true; return nil })
			},
			"client's tokens": func(ctx context.Context, _ *issuer.Issuer, db store.Store, _, _ *issuer.Tokens) error {
				return db.Revoke(ctx, store.Change{Kind: store.KindClient, ID: "app"})
			},
		} {
			graced(t, func(t *testing.T, iss *issuer.Issuer, db store.Store, first, second *issuer.Tokens) {
				if err := end(t.Context(), iss, db, first, second); err != nil {
					t.Fatal(err)
				}
				refused(t, what+", first", iss, first)
				refused(t, what+", second", iss, second)
			})
		}
	})
	t.Run("refusals consume nothing", func(t *testing.T) {
		graced(t, func(t *testing.T, iss *issuer.Issuer, _ store.Store, first, second *issuer.Tokens) {
			_, err := iss.Refresh(t.Context(), "app", first.RefreshToken, "a c")
			wantCode(t, "wider scope", err, errorsx.ScopeNotAuthorized)
			_, err = iss.Refresh(t.Context(), "other", first.RefreshToken, "")
			wantCode(t, "another client", err, errorsx.UnknownToken)
			further, third := refreshed(t, iss, first), refreshed(t, iss, second)
			time.Sleep(10 * time.Second)
			_, err = iss.Refresh(t.Context(), "other", first.RefreshToken, "")
			wantCode(t, "another client after the grace", err, errorsx.UnknownToken)
			refreshed(t, iss, further)
			refreshed(t, iss, third)
		})
	})
	t.Run("at once", func(t *testing.T) {
		graced(t, func(t *testing.T, iss *issuer.Issuer, _ store.Store, _, second *issuer.Tokens) {
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					next, err := iss.Refresh(t.Context(), "app", second.RefreshToken, "b")
					if err != nil || next.Scope != "b" {
						t.Errorf("one of many at once: got %+v, %v", next, err)
					}
				})
			}
			wg.Wait()
		})
	})
	t.Run("expired", func(t *testing.T) {
		graced(t, func(t *testing.T, iss *issuer.Issuer, _ store.Store, _, second *issuer.Tokens) {
			time.Sleep(time.Hour - time.Second)
			third := refreshed(t, iss, second)
			time.Sleep(time.Second)
			_, err := iss.Refresh(t.Context(), "app", second.RefreshToken, "")
			wantCode(t, "expired in its grace", err, errorsx.TokenExpired)
			refreshed(t, iss, third)
		})
	})
	t.Run("off", func(t *testing.T) {
		iss := newIssuer(t, nil, issuer.Config{})
		first := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Refresh: true})
		second := refreshed(t, iss, first)
		refused(t, "first, at once", iss, first)
		refused(t, "second", iss, second)
	})
}
