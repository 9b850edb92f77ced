package issuer_test

import (
	"bytes"
	"context"
	stdecdsa "crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/session"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

// ownUsers is a users table outside the store. It has no versions.
type ownUsers struct{ password string }

func (u ownUsers) User(_ context.Context, login string) (*store.User, error) {
	if login != "ada" {
		return nil, store.ErrNotFound
	}
	return &store.User{Login: login, Password: u.password}, nil
}

// TestOwnUsers revokes a user that is not in the issuer's store.
func TestOwnUsers(t *testing.T) {
	hash, err := issuer.HashPassword(t.Context(), "pw")
	if err != nil {
		t.Fatal(err)
	}
	db := newStore(t)
	iss := newIssuer(t, db, issuer.Config{Users: ownUsers{hash}})
	sessions, err := session.New(iss, db, &session.Config{AllowWithoutCookie: true})
	if err != nil {
		t.Fatal(err)
	}
	login := func() string {
		r, w := httptest.NewRequest("GET", "/api/login", nil), httptest.NewRecorder()
		r.SetBasicAuth("ada", "pw")
		registered(sessions).ServeHTTP(w, r)
		return w.Body.String()
	}
	status := func(token string) (*httptest.ResponseRecorder, int) {
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Header.Set("X-Simplicite-Authorization", "Bearer "+token)
		sessions.Bearer()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
		return w, w.Code
	}
	before, opened := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Refresh: true}), login()
	if err := iss.RevokeUser(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	if _, code := validate(t, iss, before.AccessToken); code != errorsx.UnknownToken {
		t.Errorf("access token from before: got %v", code)
	}
	_, err = iss.Refresh(t.Context(), "app", before.RefreshToken, "")
	wantCode(t, "refresh token from before", err, errorsx.UnknownToken)
	if _, code := status(opened); code != 401 {
		t.Errorf("session from before: got %v", code)
	}
	after, reopened := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Refresh: true}), login()
	if _, code := validate(t, iss, after.AccessToken); code != 0 {
		t.Errorf("access token from after: got %v", code)
	}
	if _, err := iss.Refresh(t.Context(), "app", after.RefreshToken, ""); err != nil {
		t.Errorf("refresh token from after: %v", err)
	}
	if _, code := status(reopened); code != 200 {
		t.Errorf("session from after: got %v", code)
	}
}

// TestR08RevokeUsedRefreshToken revokes a refresh token that was rotated, as after the
// answer was lost.
func TestR08RevokeUsedRefreshToken(t *testing.T) {
	iss := newIssuer(t, nil, issuer.Config{})
	first := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Refresh: true})
	second, err := iss.Refresh(t.Context(), "app", first.RefreshToken, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := iss.RevokeToken(t.Context(), first.RefreshToken); err != nil {
		t.Fatal(err)
	}
	if _, code := validate(t, iss, second.AccessToken); code != errorsx.UnknownToken {
		t.Errorf("access token: got %v", code)
	}
	_, err = iss.Refresh(t.Context(), "app", second.RefreshToken, "")
	wantCode(t, "refresh token", err, errorsx.UnknownToken)
}

// TestRevokedWhileTheBodyArrives revokes a client between its authentication and its
// grant.
func TestRevokedWhileTheBodyArrives(t *testing.T) {
	iss := newIssuer(t, nil, issuer.Config{BehindAPIKey: true})
	for _, c := range []middleware.Credential{
		{Scheme: middleware.SchemeBasic, Username: "app", Secret: "app-secret"},
		{Scheme: middleware.SchemeAPIKey, Secret: "key1"},
		{Scheme: middleware.SchemeBearer},
	} {
		if c.Secret == "" {
			c.Secret = mint(t, iss, issuer.Grant{Client: "app"}).AccessToken
		}
		id, err := iss.Validate(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := iss.Mint(t.Context(), issuer.Grant{Client: "app", By: id}); err != nil {
			t.Fatal(err)
		}
		if err := iss.RevokeClient(t.Context(), "app"); err != nil {
			t.Fatal(err)
		}
		_, err = iss.Mint(t.Context(), issuer.Grant{Client: "app", By: id})
		wantCode(t, "minting by "+fmt.Sprint(c), err, errorsx.CredentialsIncorrect)
	}
	key, err := iss.Validate(t.Context(), middleware.Credential{Scheme: middleware.SchemeAPIKey, Secret: "key1"})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/", strings.NewReader(`{"grant_type":"client_credentials"}`))
	if err := iss.RevokeClient(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	iss.TokenHandler().ServeHTTP(w, r.WithContext(middleware.WithIdentity(t.Context(), *key)))
	if w.Code != 401 {
		t.Errorf("token endpoint behind the key: got %d %s", w.Code, w.Body)
	}
}

func TestParentExpiresWhileTheBodyArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := newIssuer(t, nil, issuer.Config{})
		id, _ := validate(t, iss, mint(t, iss, issuer.Grant{Client: "app", TTL: 5 * time.Second}).AccessToken)
		time.Sleep(5 * time.Second)
		_, err := iss.Mint(t.Context(), issuer.Grant{Client: "app", By: id})
		wantCode(t, "child of an expired token", err, errorsx.TokenExpired)
	})
}

// flaky is a store whose changes cannot be read for a while.
type flaky struct {
	*memory.Store
	down atomic.Bool
}

func (f *flaky) Since(ctx context.Context, c store.Cursor) ([]store.Change, store.Cursor, error) {
	if f.down.Load() {
		return nil, store.Cursor{}, errDown
	}
	return f.Store.Since(ctx, c)
}

func TestRunSurvivesTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f := &flaky{Store: newStore(t)}
		iss := newIssuer(t, f, issuer.Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- iss.Run(ctx) }()
		token := mint(t, iss, issuer.Grant{Client: "app", User: "ada"}).AccessToken
		f.down.Store(true)
		if err := f.Revoke(ctx, store.Change{Kind: store.KindUser, ID: "ada"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		f.down.Store(false)
		time.Sleep(time.Second)
		if _, code := validate(t, iss, token); code != errorsx.UnknownToken {
			t.Errorf("after the recovery: got %v", code)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
		if failed, again := strings.Count(log.String(), "cannot be read"), strings.Count(log.String(), "read again"); failed != 1 || again != 1 {
			t.Errorf("logged %d failures and %d recoveries: %s", failed, again, log.String())
		}
	})
}

// TestRevokeWithoutReading revokes in a store that can be written but not read.
func TestRevokeWithoutReading(t *testing.T) {
	f := &flaky{Store: newStore(t)}
	iss := newIssuer(t, f, issuer.Config{})
	token := mint(t, iss, issuer.Grant{Client: "app"}).AccessToken
	f.down.Store(true)
	if err := iss.RevokeToken(t.Context(), token); !errors.Is(err, errDown) {
		t.Errorf("got %v, want the store's failure", err)
	}
	if _, code := validate(t, iss, token); code != errorsx.UnknownToken {
		t.Errorf("the token is answered %v", code)
	}
	other := mint(t, iss, issuer.Grant{Client: "other"}).AccessToken
	if err := iss.RevokeClient(t.Context(), "other"); !errors.Is(err, errDown) {
		t.Errorf("got %v, want the store's failure", err)
	}
	if _, code := validate(t, iss, other); code != errorsx.Internal {
		t.Errorf("a token of a client whose version is not known is answered %v", code)
	}
	f.down.Store(false)
	must(t, hear(t, iss))
	if _, code := validate(t, iss, other); code != errorsx.UnknownToken {
		t.Errorf("once the version is known: got %v", code)
	}
	if _, code := validate(t, iss, mint(t, iss, issuer.Grant{Client: "other"}).AccessToken); code != 0 {
		t.Errorf("a token made afterwards: got %v", code)
	}
}

// forgetful is a store that sets a password and does not say so.
type forgetful struct{ *memory.Store }

func (f forgetful) SetPassword(ctx context.Context, login, hash string) error {
	if err := f.Store.SetPassword(ctx, login, hash); err != nil {
		return err
	}
	return errDown
}

// TestSetPasswordWithoutAnswer sets a password in a store that then cannot be read, and
// in one whose answer is lost. A cached token from before must not survive.
func TestSetPasswordWithoutAnswer(t *testing.T) {
	unread := &flaky{Store: newStore(t)}
	for name, db := range map[string]issuer.Store{"unread": unread, "unanswered": forgetful{newStore(t)}} {
		iss := newIssuer(t, db, issuer.Config{})
		cache, err := middleware.NewCache(iss, 100, nil)
		must(t, err)
		token := mint(t, iss, issuer.Grant{Client: "app", User: "ada"}).AccessToken
		if _, code := validate(t, cache, token); code != 0 {
			t.Fatalf("%s, before: got %v", name, code)
		}

		unread.down.Store(true)
		if err := iss.SetPassword(t.Context(), "ada", "new password"); !errors.Is(err, errDown) {
			t.Errorf("%s: got %v, want the store's failure", name, err)
		}
		if _, code := validate(t, cache, token); code != errorsx.Internal {
			t.Errorf("%s: the old token is answered %v, want AUTH-8", name, code)
		}

		unread.down.Store(false)
		must(t, hear(t, iss))
		if _, code := validate(t, cache, token); code != errorsx.UnknownToken {
			t.Errorf("%s, once the version is known: got %v, want AUTH-12", name, code)
		}
	}
}

// TestRevocationsAreRemembered uses revocations that another program wrote to the
// store: without an end, with the end of the token, and with the present as the end.
func TestRevocationsAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore(t)
		iss := newIssuer(t, db, issuer.Config{AccessTTL: 24 * time.Hour})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go iss.Run(ctx)
		var tokens []string
		for _, until := range []time.Time{{}, time.Now().Add(24 * time.Hour), time.Now(), time.Now().Add(time.Minute)} {
			for _, kind := range []store.Kind{store.KindToken, store.KindFamily} {
				token := mint(t, iss, issuer.Grant{Client: "app"}).AccessToken
				id, _ := validate(t, iss, token)
				c := store.Change{Kind: kind, ID: id.TokenID, Until: until}
				if kind == store.KindFamily {
					c.ID = id.Family
				}
				must(t, revokeBehind(t, iss, db, c))
				tokens = append(tokens, token)
			}
		}
		for range 23 {
			time.Sleep(time.Hour)
			must(t, revokeBehind(t, iss, db, store.Change{Kind: store.KindToken, ID: "x", Until: time.Now().Add(time.Second)}))
			for i, token := range tokens {
				if _, code := validate(t, iss, token); code != errorsx.UnknownToken {
					t.Fatalf("token %d, revoked hours ago: got %v", i, code)
				}
			}
		}
	})
}

func TestKeyScopesNarrow(t *testing.T) {
	iss := newIssuer(t, nil, issuer.Config{BehindAPIKey: true})
	key, err := iss.Validate(t.Context(), middleware.Credential{Scheme: middleware.SchemeAPIKey, Secret: "key1"})
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{
		`{"grant_type":"client_credentials"}`:             `"scope":"a"`,
		`{"grant_type":"client_credentials","scope":"b"}`: `"code":"AUTH-7"`,
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		w := httptest.NewRecorder()
		iss.TokenHandler().ServeHTTP(w, r.WithContext(middleware.WithIdentity(t.Context(), *key)))
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: got %d %s", body, w.Code, w.Body)
		}
	}
}

func TestMintTTL(t *testing.T) {
	iss := newIssuer(t, nil, issuer.Config{})
	for _, ttl := range []time.Duration{-time.Hour, time.Millisecond, 400 * 24 * time.Hour} {
		if _, err := iss.Mint(t.Context(), issuer.Grant{Client: "app", TTL: ttl}); err == nil {
			t.Errorf("%v: accepted", ttl)
		}
	}
}

// TestEndpointsAreWhereTheMetadataSays mounts an issuer whose URL has a path.
func TestEndpointsAreWhereTheMetadataSays(t *testing.T) {
	iss, err := issuer.New(t.Context(), "https://id.example/tenant", newStore(t), &issuer.Config{AllowEphemeralKeys: true, Base: "/auth"})
	if err != nil {
		t.Fatal(err)
	}
	h := registered(iss)
	for method, paths := range map[string][]string{
		"GET":  {"/.well-known/oauth-authorization-server/tenant", "/tenant/.well-known/jwks.json", "/tenant/.well-known/openid-configuration"},
		"POST": {"/tenant/auth/token", "/tenant/auth/introspect", "/tenant/auth/revoke"},
	} {
		for _, p := range paths {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(method, p, nil))
			if w.Code == 404 {
				t.Errorf("%s %s: got 404", method, p)
			}
			isMetadata := strings.Contains(p, "oauth-authorization-server") || strings.Contains(p, "openid-configuration")
			if isMetadata && !strings.Contains(w.Body.String(), `"token_endpoint":"https://id.example/tenant/auth/token","jwks_uri":"https://id.example/tenant/.well-known/jwks.json"`) {
				t.Errorf("metadata %s", w.Body)
			}
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/.well-known/openid-configuration/tenant", nil)) // only RFC 8414 has this place
	if w.Code != 404 {
		t.Errorf("the OpenID metadata before the issuer's path: got %d", w.Code)
	}
	for _, base := range []string{"auth", "/auth/", "/", "/a//b", "/{x}"} {
		if _, err := issuer.New(t.Context(), testURL, newStore(t), &issuer.Config{AllowEphemeralKeys: true, Base: base}); err == nil {
			t.Errorf("base %q: accepted", base)
		}
	}
}

// TestD09NothingPrintsSecrets prints all types that hold keys and hashes.
func TestD09NothingPrintsSecrets(t *testing.T) {
	secret := []byte("0123456789abcdef0123456789abcdef")
	keys, err := issuer.NewKeySet(issuer.SigningKey{ID: "k", Alg: "HS256", Private: secret})
	if err != nil {
		t.Fatal(err)
	}
	verify, err := idp.StaticKeys(idp.Key{ID: "k", Alg: "HS256", Public: secret})
	if err != nil {
		t.Fatal(err)
	}
	cfg := idp.Own(testURL, "a")
	cfg.Keys = verify
	tokens, err := idp.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	asJSON := slog.New(slog.NewJSONHandler(&log, nil))
	printed := []any{keys, tokens, store.User{Login: "u", Password: "0123456789abcdef"}, newIssuer(t, nil, issuer.Config{Keys: keys})}
	for _, v := range printed {
		logger.Info("x", "v", v)
		fmt.Fprintf(&log, "%v %+v %s", v, v, v)
	}
	ecdsa, err := issuer.GenerateKey("ES256")
	must(t, err)
	for _, v := range []any{
		issuer.SigningKey{ID: "k", Alg: "HS256", Private: secret}, ecdsa, idp.Key{ID: "k", Alg: "HS256", Public: secret},
		idp.IntrospectionConfig{ClientID: "c", ClientSecret: string(secret)}, issuer.Config{EncryptionKey: secret},
		issuer.ImportedKey{ID: "k", Key: string(secret)}, issuer.ImportedSecret{ID: "k", Secret: string(secret)},
	} {
		inside := struct{ V any }{v}
		for _, v := range []any{v, inside, []any{v}} {
			logger.Info("x", "v", v)
			asJSON.Info("x", "v", v)
			encoded, err := json.Marshal(v)
			must(t, err)
			fmt.Fprintf(&log, "%v %+v %s %#v %s", v, v, v, v, encoded)
		}
	}
	scalar, err := ecdsa.Private.(*stdecdsa.PrivateKey).Bytes()
	must(t, err)
	leaks := []string{"0123456789abcdef", "48 49 50 51", "0x30, 0x31", "MDEyMzQ1Njc4OWFiY2RlZ", new(big.Int).SetBytes(scalar).String()}
	for _, leak := range leaks {
		if strings.Contains(log.String(), leak) {
			t.Errorf("printed %q in %s", leak, log.String())
		}
	}
}

// TestOverloadDoesNotLast refuses once because of overload, and decides afterwards.
func TestOverloadDoesNotLast(t *testing.T) {
	iss := newIssuer(t, nil, issuer.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	iss.AuthenticateUser(ctx, login("nobody", "x"))
	_, err := iss.AuthenticateUser(t.Context(), login("nobody", "x"))
	wantCode(t, "unknown user", err, errorsx.CredentialsIncorrect)
}

// panicking is a store that panics.
type panicking struct{ *memory.Store }

func (panicking) Client(context.Context, string) (*store.Client, error) { panic("s3cret") }

func TestS05StorePanics(t *testing.T) {
	iss := newIssuer(t, panicking{newStore(t)}, issuer.Config{})
	r := httptest.NewRequest("POST", "/", strings.NewReader(`{"client_id":"a","client_secret":"b"}`))
	w := httptest.NewRecorder()
	inRFC(iss.TokenHandler()).ServeHTTP(w, r)
	if w.Code != 500 || !strings.Contains(w.Body.String(), `"error":"server_error"`) || strings.Contains(w.Body.String(), "s3cret") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// TestRevokedIDsAreBounded lets a client revoke more tokens, one by one, than the
// issuer remembers for it.
func TestRevokedIDsAreBounded(t *testing.T) {
	iss := newIssuer(t, nil, issuer.Config{})
	before, _ := validate(t, iss, mint(t, iss, issuer.Grant{Client: "app"}).AccessToken)
	var first, last string
	for n := range 10_001 {
		last = mint(t, iss, issuer.Grant{Client: "app", User: "ada"}).AccessToken
		if n == 0 {
			first = last
		}
		if err := iss.RevokeToken(t.Context(), last); err != nil {
			t.Fatal(err)
		}
	}
	after, _ := validate(t, iss, mint(t, iss, issuer.Grant{Client: "app"}).AccessToken)
	if after.ClientVersion != before.ClientVersion+1 {
		t.Errorf("the client's version went from %d to %d, want it raised once", before.ClientVersion, after.ClientVersion)
	}
	for name, token := range map[string]string{"first": first, "last": last} {
		if _, code := validate(t, iss, token); code != errorsx.UnknownToken {
			t.Errorf("the %s one: got %v", name, code)
		}
	}
	other := mint(t, iss, issuer.Grant{Client: "other"}).AccessToken
	if _, code := validate(t, iss, other); code != 0 {
		t.Errorf("another client's: got %v", code)
	}
}
