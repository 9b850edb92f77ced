package issuer_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/partner"
	"github.com/authtier/authtier/issuer/session"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/throttle"
	"github.com/authtier/authtier/store"
)

// fromSomewhere returns a Basic credential with the address of its sender.
func fromSomewhere(username, secret string) middleware.Credential {
	c := middleware.Credential{Scheme: middleware.SchemeBasic, Username: username, Secret: secret}
	return c.WithAddr(netip.MustParseAddr("192.0.2.1"))
}

func opened(t *testing.T, db store.Store, cfg issuer.Config) *issuer.Issuer {
	t.Helper()
	iss, err := issuer.Open(t.Context(), testURL, db, &cfg)
	must(t, err)
	t.Cleanup(func() { iss.Close() })
	return iss
}

// TestOpenRunsByItself ends the context of Open. Long after that, it changes the store,
// which the issuer must notice.
func TestOpenRunsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		iss, err := issuer.Open(ctx, testURL, db, &issuer.Config{EncryptionKey: encryptionKey})
		must(t, err)
		defer iss.Close()
		cancel()
		time.Sleep(time.Hour)
		token := client(t, iss)
		if _, code := validate(t, iss.Validator(), token); code != 0 {
			t.Fatalf("an hour after the opening: got %v", code)
		}
		old := kidOf(t, token)
		next, err := iss.RotateSigningKey(t.Context())
		must(t, err)
		time.Sleep(6 * time.Minute)
		if got := kidOf(t, client(t, iss)); got != next || got == old {
			t.Errorf("six minutes after a rotation the key %s signs, want %s", got, next)
		}
		must(t, db.UpdateClient(t.Context(), "app", func(c *store.Client) error { c.Disabled = true; return nil }))
		time.Sleep(time.Second)
		if _, code := validate(t, iss.Validator(), token); code != errorsx.UnknownToken {
			t.Errorf("a second after the client was disabled: got %v", code)
		}
		if err := iss.Run(t.Context()); err == nil {
			t.Error("Run of an opened issuer: no error")
		}
	})
}

// TestClosedIssuerRefuses closes an issuer whose caches remember credentials.
func TestClosedIssuerRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore(t)
		iss := opened(t, db, issuer.Config{AllowEphemeralKeys: true, AllowStale: true})
		stale, err := middleware.NewCache(iss, 100, &middleware.CacheConfig{AllowStale: true})
		must(t, err)
		sessions, err := session.New(iss, db, nil)
		must(t, err)
		partners, err := partner.New(iss, db, nil)
		must(t, err)
		token := client(t, iss)
		good := map[string]middleware.Credential{
			"token":  {Scheme: middleware.SchemeBearer, Secret: token},
			"key":    {Scheme: middleware.SchemeAPIKey, Secret: "key1"},
			"secret": fromSomewhere("app", "app-secret"),
		}
		all := map[string]middleware.Validator{"the issuer": iss, "its validator": iss.Validator(), "a stale cache": stale}
		for kind, c := range good {
			for name, v := range all {
				_, err := v.Validate(t.Context(), c)
				wantCode(t, kind+" at "+name+", open", err, 0)
			}
		}
		endpoints := []http.Handler{registered(iss), registered(sessions), registered(partners)}
		requests := []*http.Request{
			httptest.NewRequest("POST", "/oauth2/token", nil), httptest.NewRequest("GET", "/.well-known/jwks.json", nil),
			httptest.NewRequest("GET", "/api/login", nil), httptest.NewRequest("GET", "/partner/", nil),
		}

		must(t, iss.Close())
		must(t, iss.Close())
		for kind, c := range good {
			for name, v := range all {
				_, err := v.Validate(t.Context(), c)
				wantCode(t, kind+" at "+name+", closed", err, errorsx.Internal)
			}
		}
		for n, r := range requests {
			r.SetBasicAuth("app", "app-secret")
			w := httptest.NewRecorder()
			endpoints[max(0, n-1)].ServeHTTP(w, r)
			if !strings.Contains(w.Body.String(), "AUTH-8") {
				t.Errorf("%s %s: got %d %s, want AUTH-8", r.Method, r.URL, w.Code, w.Body)
			}
		}
		_, mintErr := iss.Mint(t.Context(), issuer.Grant{Client: "app"})
		_, userErr := iss.User(t.Context(), "ada")
		_, createErr := iss.CreateAPIKey(t.Context(), store.APIKey{Client: "app"})
		for what, err := range map[string]error{
			"Mint": mintErr, "User": userErr, "CreateAPIKey": createErr, "RevokeToken": iss.RevokeToken(t.Context(), token),
			"RevokeClient": iss.RevokeClient(t.Context(), "app"), "RevokeAPIKey": iss.RevokeAPIKey(t.Context(), "k1"), "Run": iss.Run(t.Context()),
		} {
			if err == nil || what != "Run" && codeOf(err) != errorsx.Internal {
				t.Errorf("%s of a closed issuer: got %v", what, err)
			}
		}
	})
}

// TestValidatorIsThrottled guesses a secret while the cache remembers the correct one.
func TestValidatorIsThrottled(t *testing.T) {
	iss := opened(t, newStore(t), issuer.Config{AllowEphemeralKeys: true, Throttle: newThrottle(t, throttle.Config{Failures: 2})})
	try := func(secret string) errorsx.Code {
		_, err := iss.Validator().Validate(t.Context(), fromSomewhere("app", secret))
		return codeOf(err)
	}
	if got := try("app-secret"); got != 0 {
		t.Fatal(got)
	}
	for range 3 {
		try("wrong")
	}
	if got := try("app-secret"); got != errorsx.TooManyRequests {
		t.Errorf("after three failures: got %v, want AUTH-13", got)
	}
}

// TestCreate creates each kind of record twice.
func TestCreate(t *testing.T) {
	ctx, db := t.Context(), newStore(t)
	iss := opened(t, db, issuer.Config{AllowEphemeralKeys: true})
	plain, err := iss.CreateClient(ctx, store.Client{ID: "new", Scopes: []string{"a"}})
	must(t, err)
	if id, err := iss.Validator().Validate(ctx, fromSomewhere("new", plain)); err != nil || id.Client != "new" {
		t.Errorf("the new client: got %+v, %v", id, err)
	}
	if again, err := iss.CreateClient(ctx, store.Client{ID: "new"}); again != "" || !errors.Is(err, store.ErrExists) {
		t.Errorf("a client twice: got %q, %v", again, err)
	}
	key, err := iss.CreateAPIKey(ctx, store.APIKey{Client: "new", Owner: "ada", Scopes: []string{"a"}, Name: "n"})
	must(t, err)
	id, err := iss.Validate(ctx, middleware.Credential{Scheme: middleware.SchemeAPIKey, Secret: key})
	if err != nil || id.Client != "new" || id.Scopes != "a" || !strings.HasPrefix(key, "authtier_key_"+id.APIKeyID+"_") {
		t.Errorf("the new key: got %+v, %v", id, err)
	}
	if record, err := db.APIKeyByID(ctx, id.APIKeyID); err != nil || record.Owner != "ada" || record.Name != "n" || time.Since(record.Created) > time.Minute {
		t.Errorf("stored: %+v, %v", record, err)
	}
	for what, k := range map[string]store.APIKey{
		"no client": {}, "an unknown client": {Client: "nobody"}, "an unknown owner": {Client: "app", Owner: "nobody"},
		"an ID": {Client: "app", ID: "mine"}, "a digest": {Client: "app", Digest: store.DigestOf("x")}, "a time": {Client: "app", Created: time.Now()},
		"a scope that the client has not": {Client: "app", Scopes: []string{"z"}},
	} {
		got, err := iss.CreateAPIKey(ctx, k)
		if got != "" || err == nil || strings.HasPrefix(what, "an unknown") && !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a key with %s: got %q, %v", what, got, err)
		}
	}
	if got, err := iss.CreateClient(ctx, store.Client{ID: "two", Secrets: []store.Secret{{ID: "s", Digest: store.DigestOf("s")}}}); got != "" || err == nil {
		t.Errorf("a client with a secret of its own: got %q, %v", got, err)
	}

	must(t, iss.CreateUser(ctx, store.User{Login: "eve"}, "first"))
	if err := iss.CreateUser(ctx, store.User{Login: "eve"}, "second"); !errors.Is(err, store.ErrExists) {
		t.Errorf("a user twice: got %v", err)
	}
	logsIn := func(password string) errorsx.Code {
		_, err := iss.AuthenticateUser(ctx, fromSomewhere("eve", password))
		return codeOf(err)
	}
	token := mint(t, iss, issuer.Grant{Client: "app", User: "eve"}).AccessToken
	must(t, iss.SetPassword(ctx, "eve", "third"))
	if a, b, c := logsIn("first"), logsIn("second"), logsIn("third"); a != errorsx.CredentialsIncorrect || b != errorsx.CredentialsIncorrect || c != 0 {
		t.Errorf("the passwords before, of the second creation and now: got %v, %v, %v", a, b, c)
	}
	if _, code := validate(t, iss.Validator(), token); code != errorsx.UnknownToken {
		t.Errorf("a token from before the new password: got %v", code)
	}
	if err := iss.SetPassword(ctx, "nobody", "x"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a password for nobody: got %v", err)
	}
	for what, err := range map[string]error{
		"no password": iss.CreateUser(ctx, store.User{Login: "x"}, ""), "a hash": iss.CreateUser(ctx, store.User{Login: "x", Password: "h"}, "pw"),
		"an empty new one": iss.SetPassword(ctx, "eve", ""),
	} {
		if err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
	own := opened(t, db, issuer.Config{AllowEphemeralKeys: true, Users: ownUsers{"h"}})
	if err := own.SetPassword(ctx, "eve", "x"); err == nil {
		t.Error("a password of a user in a table of one's own: set")
	}
}
