package issuer_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// TestMintGivesNoMoreThanByHas mints tokens with the identity of another token, of an
// API key and of a secret.
func TestMintGivesNoMoreThanByHas(t *testing.T) {
	formats(t, func(t *testing.T, cfg issuer.Config) {
		iss := newIssuer(t, nil, cfg)
		by := func(g issuer.Grant) *middleware.Identity {
			id, code := validate(t, iss, mint(t, iss, g).AccessToken)
			if code != 0 {
				t.Fatal(code)
			}
			return id
		}
		token, users := by(issuer.Grant{Client: "app", Scope: "b c"}), by(issuer.Grant{Client: "app", User: "ada", Scope: "b"})
		key, err := iss.Validate(t.Context(), helds["API key"].credential("key1")) // of scope a
		must(t, err)
		secret, err := iss.Validate(t.Context(), helds["secret"].credential("app-secret"))
		must(t, err)

		for name, tt := range map[string]struct {
			grant issuer.Grant
			scope string // "" for AUTH-7
		}{
			"a token, its scope":          {issuer.Grant{Client: "app", Scope: "c", By: token}, "c"},
			"a token, another scope":      {issuer.Grant{Client: "app", Scope: "a", By: token}, ""},
			"a token, the default":        {issuer.Grant{Client: "app", By: token}, "b"},
			"a user's, its scope":         {issuer.Grant{Client: "app", User: "ada", Scope: "b", By: users}, "b"},
			"a user's, another scope":     {issuer.Grant{Client: "app", User: "ada", Scope: "a", By: users}, ""},
			"a key, its scope":            {issuer.Grant{Client: "app", Scope: "a", By: key}, "a"},
			"a key, another scope":        {issuer.Grant{Client: "app", Scope: "b", By: key}, ""},
			"a key, the default":          {issuer.Grant{Client: "app", By: key}, "a"},
			"a secret, the default":       {issuer.Grant{Client: "app", By: secret}, "a b"},
			"a secret, every scope":       {issuer.Grant{Client: "app", Scope: "a b c", By: secret}, "a b c"},
			"a key for a user, its scope": {issuer.Grant{Client: "app", User: "ada", Scope: "a", By: key}, "a"},
		} {
			tokens, err := iss.Mint(t.Context(), tt.grant)
			if tt.scope == "" {
				wantCode(t, name, err, errorsx.ScopeNotAuthorized)
			} else if err != nil || tokens.Scope != tt.scope {
				t.Errorf("%s: got %v, %v, want scope %q", name, tokens, err, tt.scope)
			}
		}

		for name, g := range map[string]issuer.Grant{
			"a token for another client":   {Client: "other", By: token},
			"a key for another client":     {Client: "other", By: key},
			"a secret for another client":  {Client: "other", By: secret},
			"a client's token for a user":  {Client: "app", User: "ada", Scope: "b", By: token},
			"a user's token for no user":   {Client: "app", Scope: "b", By: users},
			"another issuer's":             {Client: "app", By: &middleware.Identity{Issuer: "https://other.example", Client: "app"}},
			"a session, without a client":  {Client: "app", By: &middleware.Identity{Issuer: testURL, User: "ada"}},
			"a refresh token by a token":   {Client: "app", Refresh: true, By: token},
			"a user's token for an unborn": {Client: "app", User: "eve", Scope: "b", By: users},
		} {
			if tokens, err := iss.Mint(t.Context(), g); err == nil {
				t.Errorf("%s: got %v", name, tokens)
			}
		}
	})
}

// TestDecoratorWidensNoKey tests that a decorator that replaces the claims or drops
// the scopes of a key's identity does not free it of the key's limit.
func TestDecoratorWidensNoKey(t *testing.T) {
	db := newStore(t)
	iss := newIssuer(t, db, issuer.Config{BehindAPIKey: true})
	must(t, db.UpdateClient(t.Context(), "app", func(c *store.Client) error {
		c.Scopes, c.Default = []string{"b"}, []string{"b"}
		return nil
	}))
	for name, change := range map[string]func(*middleware.Identity){
		"other claims": func(id *middleware.Identity) { *id = id.WithClaims(`{"tenant":"x"}`) },
		"no scopes":    func(id *middleware.Identity) { id.Scopes = "" },
		"a new one":    func(id *middleware.Identity) { *id = middleware.Identity{Issuer: id.Issuer, Client: id.Client} },
	} {
		v := middleware.Around(iss, func(ctx context.Context, c middleware.Credential, next middleware.Validator) (*middleware.Identity, error) {
			id, err := next.Validate(ctx, c)
			if err == nil {
				change(id)
			}
			return id, err
		})
		h := middleware.APIKey(v, nil)(iss.TokenHandler())
		w := send(h, url.Values{"grant_type": {"client_credentials"}, "scope": {"b"}}, "key1", "", "") // of scope a
		if !strings.Contains(w.Body.String(), `"code":"AUTH-7"`) {
			t.Errorf("%s: got %d %s, want AUTH-7", name, w.Code, w.Body)
		}
	}
}

// TestMintKnowsWhatWasRevoked mints tokens with a credential that was revoked after it
// was accepted.
func TestMintKnowsWhatWasRevoked(t *testing.T) {
	formats(t, func(t *testing.T, cfg issuer.Config) {
		iss := newIssuer(t, nil, cfg)
		ofClient, ofUser := issuer.Grant{Client: "app", Scope: "b"}, issuer.Grant{Client: "app", User: "ada", Scope: "b"}
		revocations := map[string]func(token string, id *middleware.Identity) error{
			"the token":  func(token string, _ *middleware.Identity) error { return iss.RevokeToken(t.Context(), token) },
			"the client": func(string, *middleware.Identity) error { return iss.RevokeClient(t.Context(), "app") },
		}
		for name, revoke := range revocations {
			for _, g := range []issuer.Grant{ofClient, ofUser} {
				token := mint(t, iss, g).AccessToken
				id, _ := validate(t, iss, token)
				g.By = id
				if _, err := iss.Mint(t.Context(), g); err != nil {
					t.Errorf("%s, before it is revoked: %v", name, err)
				}
				must(t, revoke(token, id))
				_, err := iss.Mint(t.Context(), g)
				wantCode(t, name+" is revoked", err, errorsx.CredentialsIncorrect)
			}
		}
	})
}

// TestKeyScopesAreTheClientsOfNow removes scopes from a client. A key of the client
// loses them too, and must not turn into a key without scopes.
func TestKeyScopesAreTheClientsOfNow(t *testing.T) {
	db := newStore(t)
	iss := newIssuer(t, db, issuer.Config{BehindAPIKey: true})
	must(t, db.CreateAPIKeys(t.Context(),
		store.APIKey{ID: "two", Client: "app", Digest: store.DigestOf("two"), Scopes: []string{"b", "c"}},
		store.APIKey{ID: "none", Client: "app", Digest: store.DigestOf("none")}))
	must(t, db.UpdateClient(t.Context(), "app", func(c *store.Client) error {
		c.Scopes, c.Default = []string{"b"}, []string{"b"}
		return nil
	}))

	h := middleware.APIKey(iss, nil)(iss.TokenHandler())
	for secret, want := range map[string]struct {
		scopes middleware.Scopes
		answer string
	}{
		"two":  {"b", `"scope":"b"`},
		"key1": {"", `"code":"AUTH-7"`}, // of scope a
		"none": {"", `"scope":"b"`},     // does not limit
	} {
		id, err := iss.Validate(t.Context(), helds["API key"].credential(secret))
		if err != nil || id.Scopes != want.scopes {
			t.Errorf("%s: got %+v, %v, want scopes %q", secret, id, err, want.scopes)
		}
		if w := send(h, url.Values{"grant_type": {"client_credentials"}}, secret, "", ""); !strings.Contains(w.Body.String(), want.answer) {
			t.Errorf("%s at the token endpoint: got %d %s, want %s", secret, w.Code, w.Body, want.answer)
		}
		_, err = iss.Mint(t.Context(), issuer.Grant{Client: "app", By: id})
		if refused := strings.Contains(want.answer, "AUTH-7"); (codeOf(err) == errorsx.ScopeNotAuthorized) != refused {
			t.Errorf("%s, minting: got %v", secret, err)
		}
	}
}
