package issuer_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store"
)

// TestR02ManyAtOnce uses one refresh token many times at once. One use succeeds, none
// is an internal error, and the family ends.
func TestR02ManyAtOnce(t *testing.T) {
	formats(t, func(t *testing.T, cfg issuer.Config) {
		iss := newIssuer(t, nil, cfg)
		for _, users := range []int{2, 10, 100} {
			first := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Refresh: true})
			var mu sync.Mutex
			var won []*issuer.Tokens
			var wg sync.WaitGroup
			for range users {
				wg.Go(func() {
					tokens, err := iss.Refresh(t.Context(), "app", first.RefreshToken, "")
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						won = append(won, tokens)
						return
					}
					wantCode(t, fmt.Sprintf("R02 one of %d", users), err, errorsx.UnknownToken)
				})
			}
			wg.Wait()
			if len(won) != 1 {
				t.Fatalf("R02 %d of %d succeeded", len(won), users)
			}
			for _, token := range []string{first.AccessToken, won[0].AccessToken} {
				if _, code := validate(t, iss, token); code != errorsx.UnknownToken {
					t.Errorf("R02 after %d at once, an access token: got %v", users, code)
				}
			}
			_, err := iss.Refresh(t.Context(), "app", won[0].RefreshToken, "")
			wantCode(t, "R02 the successor", err, errorsx.UnknownToken)
		}
	})
}

// TestR07UsedAndExpired uses a token a second time, late. The family ends whether the
// token has expired or not, and no expired token is accepted.
func TestR07UsedAndExpired(t *testing.T) {
	for _, late := range []time.Duration{0, 5 * time.Minute, 20 * time.Minute} { // the token expires after ten
		synctest.Test(t, func(t *testing.T) {
			iss := newIssuer(t, nil, issuer.Config{RefreshTTL: time.Hour, FamilyTTL: 24 * time.Hour})
			defer running(t, iss)()
			first := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Refresh: true})
			time.Sleep(50 * time.Minute)
			second, err := iss.Refresh(t.Context(), "app", first.RefreshToken, "")
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(late)
			_, err = iss.Refresh(t.Context(), "app", first.RefreshToken, "")
			wantCode(t, fmt.Sprintf("R07 a second use after %v", late), err, errorsx.UnknownToken)
			_, err = iss.Refresh(t.Context(), "app", second.RefreshToken, "")
			wantCode(t, fmt.Sprintf("R07 the successor, after a second use after %v", late), err, errorsx.UnknownToken)
		})
	}
}

// TestR08Ends ends a family in each possible way, after which no token of it is valid.
// If only an access token is revoked, all others stay valid.
func TestR08Ends(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(iss *issuer.Issuer, db store.Store, tokens *issuer.Tokens) error
		left bool
	}{
		"logout": {func(iss *issuer.Issuer, _ store.Store, k *issuer.Tokens) error {
			return iss.RevokeToken(t.Context(), k.RefreshToken)
		}, false},
		"access": {func(iss *issuer.Issuer, _ store.Store, k *issuer.Tokens) error {
			return iss.RevokeToken(t.Context(), k.AccessToken)
		}, true},
		"password": {func(_ *issuer.Issuer, db store.Store, _ *issuer.Tokens) error {
			return db.SetPassword(t.Context(), "ada", "")
		}, false},
		"disabled": {func(_ *issuer.Issuer, db store.Store, _ *issuer.Tokens) error {
			return db.UpdateUser(t.Context(), "ada", func(u *store.User) error { u.Disabled = true; return nil })
		}, false},
		"deleted": {func(_ *issuer.Issuer, db store.Store, _ *issuer.Tokens) error {
			return db.DeleteUser(t.Context(), "ada")
		}, false},
		"client": {func(_ *issuer.Issuer, db store.Store, _ *issuer.Tokens) error {
			return db.DeleteClient(t.Context(), "app")
		}, false},
	} {
		db := newStore(t)
		iss := newIssuer(t, db, issuer.Config{})
		tokens := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Refresh: true})
		if err := tt.end(iss, db, tokens); err != nil {
			t.Fatal(err)
		}
		if err := hear(t, iss); err != nil { // reads the change, as Run does
			t.Fatal(err)
		}
		if _, code := validate(t, iss, tokens.AccessToken); code != errorsx.UnknownToken {
			t.Errorf("R08 T11 %s: the access token gets %v", name, code)
		}
		if _, err := iss.Refresh(t.Context(), "app", tokens.RefreshToken, ""); (err == nil) != tt.left || err != nil && codeOf(err).IsServerError() {
			t.Errorf("R08 T11 %s: the refresh token gets %v", name, err)
		}
	}
}
