package issuer_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

// limit sets the scopes that user ada may have.
func limit(t *testing.T, db *memory.Store, scopes ...string) {
	t.Helper()
	must(t, db.UpdateUser(t.Context(), "ada", func(u *store.User) error {
		u.LimitScopes, u.Scopes = true, scopes
		return nil
	}))
}

// TestUserScopesLimitGrants requests tokens for a user whose scopes are limited. The
// client may have a, b and c, and its default is a and b.
func TestUserScopesLimitGrants(t *testing.T) {
	formats(t, func(t *testing.T, cfg issuer.Config) {
		for _, tt := range []struct {
			name        string
			user        []string
			asked, want string // want "" means AUTH-7
		}{
			{"the default", []string{"a", "b", "c"}, "", "a b"},
			{"the default cut", []string{"b", "c"}, "", "b"},
			{"nothing left of the default", []string{"c"}, "", ""},
			{"no scope at all", nil, "", ""},
			{"a scope that both may have", []string{"c"}, "c", "c"},
			{"the order asked", []string{"a", "c"}, "c a c", "c a"},
			{"a scope that the user may not have", []string{"a"}, "b", ""},
			{"one of two", []string{"a"}, "a b", ""},
			{"a scope that the client may not have", []string{"a", "z"}, "z", ""},
			{"a malformed one", []string{"a"}, "a ", ""},
		} {
			t.Run(tt.name, func(t *testing.T) {
				db := newStore(t)
				limit(t, db, tt.user...)
				cfg.AllowPassword = true
				iss := newIssuer(t, db, cfg)

				tokens, err := iss.Mint(t.Context(), issuer.Grant{Client: "app", User: "ada", Scope: tt.asked})
				if tt.want == "" {
					wantCode(t, "Mint", err, errorsx.ScopeNotAuthorized)
				} else if err != nil || tokens.Scope != tt.want {
					t.Errorf("got %v, %v, want %q", tokens, err, tt.want)
				}

				// The token endpoint answers alike.
				h := inRFC(iss.TokenHandler())
				w := send(h, url.Values{"grant_type": {"password"}, "username": {"ada"}, "password": {testPassword}, "scope": {tt.asked}}, "", "app", "app-secret")
				if tt.want == "" && (w.Code != 400 || !strings.Contains(w.Body.String(), `"error":"invalid_scope"`)) ||
					tt.want != "" && (w.Code != 200 || !strings.Contains(w.Body.String(), `"scope":"`+tt.want+`"`)) {
					t.Errorf("the password grant: got %d %s, want scope %q", w.Code, w.Body, tt.want)
				}

				// The client's own tokens are not the user's.
				if own := mint(t, iss, issuer.Grant{Client: "app"}); own.Scope != "a b" {
					t.Errorf("the client's own token has scope %q", own.Scope)
				}
			})
		}
	})
}

// TestRefreshUsesTheUsersScopesOfNow narrows and widens the user's scopes during a
// grant.
func TestRefreshUsesTheUsersScopesOfNow(t *testing.T) {
	formats(t, func(t *testing.T, cfg issuer.Config) {
		db := newStore(t)
		iss := newIssuer(t, db, cfg)
		limit(t, db, "a", "b")
		tokens := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Scope: "a b", Refresh: true})
		for _, tt := range []struct {
			name        string
			user        []string
			asked, want string // want "" means AUTH-7
		}{
			{"as granted", []string{"a", "b"}, "", "a b"},
			{"one lost", []string{"b"}, "", "b"},
			{"the lost one asked for", []string{"b"}, "a", ""},
			{"the lost one among others", []string{"b"}, "a b", ""},
			{"the other asked for", []string{"b"}, "b", "b"},
			{"all lost", []string{"c"}, "", ""},
			{"back again", []string{"a", "b", "c"}, "", "a b"},
			{"one that was never granted", []string{"a", "b", "c"}, "c", ""},
		} {
			limit(t, db, tt.user...)
			next, err := iss.Refresh(t.Context(), "app", tokens.RefreshToken, tt.asked)
			if tt.want == "" {
				wantCode(t, tt.name, err, errorsx.ScopeNotAuthorized) // the refusal consumes nothing
				continue
			}
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			id, code := validate(t, iss, next.AccessToken)
			if next.Scope != tt.want || code != 0 || string(id.Scopes) != tt.want {
				t.Errorf("%s: got scope %q, and %+v, %v, want %q", tt.name, next.Scope, id, code, tt.want)
			}
			tokens = next
		}
	})
}
