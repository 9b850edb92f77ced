package issuer_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/throttle"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

const testURL = "https://id.example"

// testPassword is hashed with bcrypt at its lowest cost, which is fast.
const testPassword = "correct horse"

// newStore returns a store with client app, user ada and API key key1.
func newStore(t testing.TB) *memory.Store {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(testPassword), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	db := memory.New()
	err = errors.Join(
		db.CreateClient(t.Context(), store.Client{
			ID: "app", Secrets: []store.Secret{{ID: "s1", Digest: store.DigestOf("app-secret")}},
			Scopes: []string{"a", "b", "c"}, Default: []string{"a", "b"},
			Grants: []string{store.GrantClientCredentials, store.GrantPassword, store.GrantRefreshToken},
		}),
		db.CreateClient(t.Context(), store.Client{
			ID: "other", Secrets: []store.Secret{{ID: "s1", Digest: store.DigestOf("other-secret")}},
			Scopes: []string{"a", issuer.IntrospectScope}, Default: []string{"a"},
			Grants: []string{store.GrantClientCredentials, store.GrantRefreshToken},
		}),
		db.CreateUsers(t.Context(), store.User{Login: "ada", Password: string(hash)}),
		db.CreateAPIKeys(t.Context(), store.APIKey{ID: "k1", Client: "app", Digest: store.DigestOf("key1"), Scopes: []string{"a"}}),
	)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// newIssuer returns an issuer on db, or on a new store if db is nil.
func newIssuer(t testing.TB, db issuer.Store, cfg issuer.Config) *issuer.Issuer {
	t.Helper()
	if db == nil {
		db = newStore(t)
	}
	cfg.AllowEphemeralKeys = true
	iss, err := issuer.New(t.Context(), testURL, db, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	return iss
}

func mint(t testing.TB, iss *issuer.Issuer, g issuer.Grant) *issuer.Tokens {
	t.Helper()
	tokens, err := iss.Mint(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func codeOf(err error) errorsx.Code {
	if err == nil {
		return 0
	}
	return errorsx.From(err).Code
}

// validate returns the identity that a token proves, or the code of the refusal.
func validate(t testing.TB, v middleware.Validator, token string) (*middleware.Identity, errorsx.Code) {
	t.Helper()
	id, err := v.Validate(t.Context(), middleware.Credential{Scheme: middleware.SchemeBearer, Secret: token})
	return id, codeOf(err)
}

func wantCode(t testing.TB, what string, err error, want errorsx.Code) {
	t.Helper()
	if got := codeOf(err); got != want {
		t.Errorf("%s: got %v (%v), want %v", what, got, err, want)
	}
}

// formats are the two kinds of access tokens.
func formats(t *testing.T, test func(t *testing.T, cfg issuer.Config)) {
	t.Run("signed", func(t *testing.T) { test(t, issuer.Config{}) })
	t.Run("opaque", func(t *testing.T) { test(t, issuer.Config{OpaqueTokens: true}) })
}

func TestMint(t *testing.T) {
	formats(t, func(t *testing.T, cfg issuer.Config) {
		iss := newIssuer(t, nil, cfg)
		tokens := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Scope: "c a c", Refresh: true, TTL: 90*time.Second + time.Millisecond})
		if tokens.Scope != "c a" || tokens.ExpiresIn != 90 || tokens.TokenType != "bearer" || tokens.RefreshToken == "" {
			t.Errorf("got %+v", tokens)
		}
		id, code := validate(t, iss, tokens.AccessToken)
		if code != 0 || id.Client != "app" || id.User != "ada" || id.Scopes != "c a" || id.Issuer != testURL ||
			id.Audience != testURL || id.Methods != middleware.ByToken || id.TokenID == "" || id.Family == "" {
			t.Errorf("got %+v, %v", id, code)
		}
		client := mint(t, iss, issuer.Grant{Client: "app"})
		if id, code := validate(t, iss, client.AccessToken); code != 0 || id.User != "" || id.Scopes != "a b" || client.RefreshToken != "" {
			t.Errorf("a client's own token: got %+v, %v", id, code)
		}
		for what, g := range map[string]issuer.Grant{
			"unknown client": {Client: "nobody"}, "unknown user": {Client: "app", User: "nobody"},
		} {
			_, err := iss.Mint(t.Context(), g)
			wantCode(t, what, err, errorsx.CredentialsIncorrect)
		}
		for _, scope := range []string{"d", "a d", "A", " a", "a ", "a  b", "a\tb", `a"`, "é"} {
			_, err := iss.Mint(t.Context(), issuer.Grant{Client: "app", Scope: scope})
			wantCode(t, fmt.Sprintf("scope %q", scope), err, errorsx.ScopeNotAuthorized)
		}
		if s := fmt.Sprintf("%v %+v %#v", tokens, *tokens, *tokens); strings.Contains(s, tokens.RefreshToken) || strings.Contains(s, tokens.AccessToken) {
			t.Errorf("tokens print as %s", s)
		}
	})
}

// TestJ31OldKeysVerify changes the signing key under a running service.
func TestJ31OldKeysVerify(t *testing.T) {
	one, _ := issuer.GenerateKey("ES256")
	two, _ := issuer.GenerateKey("ES256")
	set := func(keys ...issuer.SigningKey) *issuer.KeySet {
		ks, err := issuer.NewKeySet(keys[0], keys[1:]...)
		if err != nil {
			t.Fatal(err)
		}
		return ks
	}
	db := newStore(t)
	old := mint(t, newIssuer(t, db, issuer.Config{Keys: set(one)}), issuer.Grant{Client: "app"}).AccessToken
	if _, code := validate(t, newIssuer(t, db, issuer.Config{Keys: set(two, one)}), old); code != 0 {
		t.Errorf("with the old key kept: %v", code)
	}
	if _, code := validate(t, newIssuer(t, db, issuer.Config{Keys: set(two)}), old); code != errorsx.BadSignature {
		t.Errorf("with the old key gone: got %v, want %v", code, errorsx.BadSignature)
	}
}

func TestC01T11Revocation(t *testing.T) {
	formats(t, func(t *testing.T, cfg issuer.Config) {
		for what, change := range map[string]func(id *middleware.Identity) store.Change{
			"token":  func(id *middleware.Identity) store.Change { return store.Change{Kind: store.KindToken, ID: id.TokenID} },
			"family": func(id *middleware.Identity) store.Change { return store.Change{Kind: store.KindFamily, ID: id.Family} },
			"client": func(id *middleware.Identity) store.Change { return store.Change{Kind: store.KindClient, ID: "app"} },
			"user":   func(id *middleware.Identity) store.Change { return store.Change{Kind: store.KindUser, ID: "ada"} },
		} {
			db := newStore(t)
			iss := newIssuer(t, db, cfg)
			bystander := mint(t, iss, issuer.Grant{Client: "other"})
			tokens := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Refresh: true})
			id, code := validate(t, iss, tokens.AccessToken)
			if code != 0 {
				t.Fatal(code)
			}
			if err := revokeBehind(t, iss, db, change(id)); err != nil {
				t.Fatal(err)
			}
			if _, code := validate(t, iss, tokens.AccessToken); code != errorsx.UnknownToken {
				t.Errorf("%s revoked, access token: got %v", what, code)
			}
			_, err := iss.Refresh(t.Context(), "app", tokens.RefreshToken, "")
			if want := errorsx.UnknownToken; what != "token" && codeOf(err) != want {
				t.Errorf("%s revoked, refresh token: got %v, want %v", what, err, want)
			}
			if _, code := validate(t, iss, bystander.AccessToken); code != 0 {
				t.Errorf("%s revoked, another client's token: got %v", what, code)
			}
			again := mint(t, iss, issuer.Grant{Client: "app", User: "ada"})
			if _, code := validate(t, iss, again.AccessToken); code != 0 {
				t.Errorf("%s revoked, a token made afterwards: got %v", what, code)
			}
			other := newIssuer(t, db, issuer.Config{OpaqueTokens: cfg.OpaqueTokens})
			if _, code := validate(t, other, tokens.AccessToken); code == 0 {
				t.Errorf("%s revoked: another issuer on the same store accepts the token", what)
			}
		}
	})
}

// TestRunFollows revokes in the store, as another node would.
func TestRunFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore(t)
		iss := newIssuer(t, db, issuer.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go iss.Run(ctx)
		token := mint(t, iss, issuer.Grant{Client: "app", User: "ada"}).AccessToken
		if err := db.UpdateUser(ctx, "ada", func(u *store.User) error { u.Disabled = true; return nil }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if _, code := validate(t, iss, token); code != errorsx.UnknownToken {
			t.Errorf("a second after the user was disabled: got %v", code)
		}
	})
}

func TestT11RecreatedUserDoesNotInherit(t *testing.T) {
	db := newStore(t)
	iss := newIssuer(t, db, issuer.Config{})
	tokens := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Refresh: true})
	user, err := db.User(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.DeleteUser(t.Context(), "ada"), db.CreateUsers(t.Context(), *user)); err != nil {
		t.Fatal(err)
	}
	_, err = iss.Refresh(t.Context(), "app", tokens.RefreshToken, "")
	wantCode(t, "refresh token of the user before", err, errorsx.UnknownToken)
}

func TestRefresh(t *testing.T) {
	formats(t, func(t *testing.T, cfg issuer.Config) {
		iss := newIssuer(t, nil, cfg)
		first := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Scope: "a b", Refresh: true})
		for what, tt := range map[string]struct {
			client, token, scope string
			want                 errorsx.Code
		}{
			"R06 another client":    {"other", first.RefreshToken, "", errorsx.UnknownToken},
			"T10 wider scope":       {"app", first.RefreshToken, "a c", errorsx.ScopeNotAuthorized},
			"malformed scope":       {"app", first.RefreshToken, " a", errorsx.ScopeNotAuthorized},
			"T02 access token":      {"app", first.AccessToken, "", errorsx.WrongTokenType},
			"T06 cut":               {"app", first.RefreshToken[:len(first.RefreshToken)-1], "", errorsx.UnknownToken},
			"T06 one letter's case": {"app", swapCase(first.RefreshToken), "", errorsx.UnknownToken},
			"T02 API key":           {"app", "key1", "", errorsx.UnknownToken},
		} {
			_, err := iss.Refresh(t.Context(), tt.client, tt.token, tt.scope)
			wantCode(t, what, err, tt.want)
		}
		second, err := iss.Refresh(t.Context(), "app", first.RefreshToken, "b")
		if err != nil {
			t.Fatalf("refusals have consumed the token: %v", err)
		}
		if second.Scope != "b" {
			t.Errorf("narrowed: got scope %q", second.Scope)
		}
		third, err := iss.Refresh(t.Context(), "app", second.RefreshToken, "")
		if err != nil || third.Scope != "a b" {
			t.Fatalf("after narrowing: got %+v, %v, want the granted scopes", third, err)
		}
		if _, code := validate(t, iss, first.AccessToken); code != 0 {
			t.Errorf("rotation has ended an access token: %v", code)
		}
		// Reuse ends the family, even with a scope that would be refused.
		_, err = iss.Refresh(t.Context(), "app", first.RefreshToken, "a c")
		wantCode(t, "R01 second use", err, errorsx.UnknownToken)
		_, err = iss.Refresh(t.Context(), "app", third.RefreshToken, "")
		wantCode(t, "R01 successor after a second use", err, errorsx.UnknownToken)
		for i, tokens := range []*issuer.Tokens{first, second, third} {
			if _, code := validate(t, iss, tokens.AccessToken); code != errorsx.UnknownToken {
				t.Errorf("R01 access token %d after a second use: got %v", i, code)
			}
		}
	})
}

func swapCase(s string) string {
	b := []byte(s)
	b[len(b)-10] ^= 0x20
	return string(b)
}

func TestR03RefreshReuseAllowed(t *testing.T) {
	iss := newIssuer(t, nil, issuer.Config{AllowRefreshReuse: true})
	first := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Refresh: true})
	for range 2 {
		again, err := iss.Refresh(t.Context(), "app", first.RefreshToken, "")
		if err != nil || again.RefreshToken != first.RefreshToken || again.AccessToken == first.AccessToken {
			t.Fatalf("got %+v, %v", again, err)
		}
	}
}

// running runs iss until the function that it returns is called.
func running(t *testing.T, iss *issuer.Issuer) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	go iss.Run(ctx)
	return cancel
}

func TestR07Lifetimes(t *testing.T) {
	formats(t, func(t *testing.T, cfg issuer.Config) {
		synctest.Test(t, func(t *testing.T) {
			cfg.AccessTTL, cfg.RefreshTTL, cfg.FamilyTTL = time.Minute, time.Hour, 3*time.Hour
			iss := newIssuer(t, nil, cfg)
			defer running(t, iss)()
			tokens := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Refresh: true})
			time.Sleep(time.Minute)
			if _, code := validate(t, iss, tokens.AccessToken); code != errorsx.TokenExpired {
				t.Errorf("access token after a minute: got %v", code)
			}
			var err error
			for range 3 { // each rotation renews the lifetime, until the family ends
				time.Sleep(50 * time.Minute)
				if tokens, err = iss.Refresh(t.Context(), "app", tokens.RefreshToken, ""); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(50 * time.Minute)
			_, err = iss.Refresh(t.Context(), "app", tokens.RefreshToken, "")
			wantCode(t, "after the family's end", err, errorsx.TokenExpired)
			idle := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Refresh: true})
			time.Sleep(time.Hour)
			_, err = iss.Refresh(t.Context(), "app", idle.RefreshToken, "")
			wantCode(t, "after an idle hour", err, errorsx.TokenExpired)
		})
	})
}

func TestRevokeToken(t *testing.T) {
	formats(t, func(t *testing.T, cfg issuer.Config) {
		iss := newIssuer(t, nil, cfg)
		first := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Refresh: true})
		second, err := iss.Refresh(t.Context(), "app", first.RefreshToken, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range []string{second.RefreshToken, second.AccessToken} { // another client revokes nothing
			if w := send(iss.RevokeHandler(), url.Values{"token": {token}}, "", "other", "other-secret"); w.Code != 200 {
				t.Errorf("another client: got %d %s", w.Code, w.Body)
			}
		}
		must(t, iss.RevokeToken(t.Context(), first.AccessToken))
		if _, code := validate(t, iss, first.AccessToken); code != errorsx.UnknownToken {
			t.Errorf("the revoked access token: got %v", code)
		}
		if _, code := validate(t, iss, second.AccessToken); code != 0 {
			t.Errorf("another access token of the family: got %v", code)
		}
		if err := iss.RevokeToken(t.Context(), second.RefreshToken); err != nil {
			t.Fatal(err)
		}
		if _, code := validate(t, iss, second.AccessToken); code != errorsx.UnknownToken {
			t.Errorf("access token after its refresh token was revoked: got %v", code)
		}
	})
}

func TestT08TokensOfOthers(t *testing.T) { // T08: one store, one key set, two audiences
	key, _ := issuer.GenerateKey("ES256")
	keys, err := issuer.NewKeySet(key)
	if err != nil {
		t.Fatal(err)
	}
	formats(t, func(t *testing.T, cfg issuer.Config) {
		db := newStore(t)
		if !cfg.OpaqueTokens {
			cfg.Keys = keys
		}
		cfg.Audience = "one"
		one := newIssuer(t, db, cfg)
		cfg.Audience = "two"
		two := newIssuer(t, db, cfg)
		tokens := mint(t, one, issuer.Grant{Client: "app", User: "ada", Refresh: true})
		if _, code := validate(t, two, tokens.AccessToken); code != errorsx.UnknownToken {
			t.Errorf("access token: got %v", code)
		}
		_, err := two.Refresh(t.Context(), "app", tokens.RefreshToken, "")
		wantCode(t, "refresh token", err, errorsx.UnknownToken)
		if _, code := validate(t, one, tokens.RefreshToken); code != errorsx.WrongTokenType { // T01
			t.Errorf("refresh token as access token: got %v", code)
		}
	})
}

// TestT07KindsOfTokens offers each kind of token where the other is issued, and tokens
// that look like one kind but are of the other. A token is read in one way only,
// without a second try.
func TestT07KindsOfTokens(t *testing.T) {
	signed, opaque := newIssuer(t, nil, issuer.Config{}), newIssuer(t, nil, issuer.Config{OpaqueTokens: true})
	jwt, random := mint(t, signed, issuer.Grant{Client: "app"}).AccessToken, mint(t, opaque, issuer.Grant{Client: "app"}).AccessToken
	own := mint(t, signed, issuer.Grant{Client: "app", User: "ada", Refresh: true})
	for name, tt := range map[string]struct {
		v     *issuer.Issuer
		token string
		want  errorsx.Code
	}{
		"signed where they are signed":      {signed, jwt, 0},
		"opaque where they are opaque":      {opaque, random, 0},
		"signed where they are opaque":      {opaque, jwt, errorsx.UnknownToken},
		"opaque where they are signed":      {signed, random, errorsx.UnknownToken},
		"opaque with dots":                  {opaque, random + ".a.b", errorsx.UnknownToken},
		"opaque in front of a signed one":   {signed, random + "." + jwt, errorsx.UnknownToken},
		"opaque as a header":                {signed, random + jwt[strings.IndexByte(jwt, '.'):], errorsx.UnknownToken},
		"signed without its dots":           {opaque, strings.ReplaceAll(jwt, ".", ""), errorsx.UnknownToken},
		"signed behind the opaque prefix":   {signed, "authtier_at_" + jwt, errorsx.UnknownToken},
		"refresh token where one is signed": {signed, own.RefreshToken, errorsx.WrongTokenType},
	} {
		if _, code := validate(t, tt.v, tt.token); code != tt.want {
			t.Errorf("T07 %s: got %v, want %v", name, code, tt.want)
		}
	}
}

// configured are the arguments of New.
type configured struct {
	url string
	db  issuer.Store
	issuer.Config
}

func TestS07Config(t *testing.T) {
	db := memory.New()
	key, err := issuer.GenerateKey("ES256")
	must(t, err)
	keys, err := issuer.NewKeySet(key)
	must(t, err)
	throttle := newThrottle(t, throttle.Config{})
	good := configured{testURL, db, issuer.Config{AllowEphemeralKeys: true}}
	for name, change := range map[string]func(*configured){
		"no issuer":     func(c *configured) { c.url = "" },
		"http":          func(c *configured) { c.url = "http://id.example" },
		"last slash":    func(c *configured) { c.url = testURL + "/" },
		"query":         func(c *configured) { c.url = testURL + "?x" },
		"fragment":      func(c *configured) { c.url = testURL + "#x" },
		"user":          func(c *configured) { c.url = "https://u@id.example" },
		"two slashes":   func(c *configured) { c.url = testURL + "/a//b" },
		"a wildcard":    func(c *configured) { c.url = testURL + "/{a}" },
		"dots":          func(c *configured) { c.url = testURL + "/a/../b" },
		"no store":      func(c *configured) { c.db = nil },
		"a nil store":   func(c *configured) { c.db = (*memory.Store)(nil) },
		"audience":      func(c *configured) { c.Audience = "a b" },
		"prefix":        func(c *configured) { c.Prefix = "A_b" },
		"base":          func(c *configured) { c.Base = "auth" },
		"base with end": func(c *configured) { c.Base = "/auth/" },
		"negative":      func(c *configured) { c.AccessTTL = -time.Hour },
		"half a second": func(c *configured) { c.AccessTTL = time.Second / 2 },
		"short family":  func(c *configured) { c.FamilyTTL = time.Hour },
		"long access":   func(c *configured) { c.AccessTTL = 367 * 24 * time.Hour },
		"past grace":    func(c *configured) { c.AllowRefreshGrace = -time.Second },
		"long grace":    func(c *configured) { c.AllowRefreshGrace = time.Minute + 1 },
		"no keys":       func(c *configured) { c.AllowEphemeralKeys = false },
		"empty keys":    func(c *configured) { c.Keys = &issuer.KeySet{} },
		"needless grace": func(c *configured) {
			c.AllowRefreshGrace, c.AllowRefreshReuse = time.Second, true
		},
		"two kinds of keys":         func(c *configured) { c.Keys, c.EncryptionKey = keys, encryptionKey },
		"two encryption keys":       func(c *configured) { c.KeyVariable, c.EncryptionKey = "KEY", encryptionKey },
		"keys for opaque tokens":    func(c *configured) { c.EncryptionKey, c.OpaqueTokens = encryptionKey, true },
		"an empty encryption key":   func(c *configured) { c.EncryptionKey = []byte{} },
		"a readable file, and none": func(c *configured) { c.AllowReadableKeyFile = true },
		"a set that is not stored":  func(c *configured) { c.KeySetName = "set" },
		"an algorithm alone":        func(c *configured) { c.SigningAlg = "ES256" },
		"a longest lifetime alone":  func(c *configured) { c.MaxTTL = time.Hour },
		"a throttle, and none":      func(c *configured) { c.Throttle, c.AllowUnthrottled = throttle, true },
		"a store without keys":      func(c *configured) { c.EncryptionKey, c.db = encryptionKey, minimal{db, db} },
	} {
		c := good
		change(&c)
		if _, err := issuer.New(t.Context(), c.url, c.db, &c.Config); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := issuer.New(t.Context(), testURL, db, nil); err == nil || !strings.Contains(err.Error(), "KeyFile") {
		t.Errorf("no configuration: got %v, want what to set", err)
	}
	for _, url := range []string{"http://127.0.0.1:8080", "http://[::1]:1", "http://localhost", "https://id.example/tenant"} {
		if _, err := issuer.New(t.Context(), url, db, &good.Config); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := issuer.New(ended, testURL, db, &good.Config); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: got %v", err)
	}

	_, err = issuer.New(t.Context(), "x", nil, &issuer.Config{Base: "x", MaxTTL: 1})
	for _, fault := range []string{"URL", "store", "Base", "MaxTTL", "KeyFile"} {
		if err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("several faults: got %v, want %s among them", err, fault)
		}
	}
}
