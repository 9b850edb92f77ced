package issuer_test

import (
	"crypto/elliptic"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

// twins returns other spellings of a token signed with ES256: the other valid
// signature, bits that base64 does not use, padding, and characters that a decoder may
// skip.
func twins(t *testing.T, token string) map[string]string {
	t.Helper()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	cut := strings.LastIndexByte(token, '.') + 1
	sig, err := base64.RawURLEncoding.DecodeString(token[cut:])
	if err != nil || len(sig) != 64 {
		t.Fatalf("no ES256 signature: %v", err)
	}
	s := new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(sig[32:]))
	all := map[string]string{
		"J12 (r, n-s)":   token[:cut] + base64.RawURLEncoding.EncodeToString(append(sig[:32:32], s.FillBytes(make([]byte, 32))...)),
		"J14 padded":     token + "==",
		"J14 a blank":    token + " ",
		"J14 line feed":  token + "\n",
		"J14 CR inside":  token[:cut+9] + "\r" + token[cut+9:],
		"J14 plus signs": token[:cut] + strings.NewReplacer("-", "+", "_", "/").Replace(token[cut:]) + "=",
	}
	last := strings.IndexByte(alphabet, token[len(token)-1])
	for bits := 1; bits < 16; bits++ {
		all[fmt.Sprint("J13 bits ", bits)] = token[:len(token)-1] + string(alphabet[last|bits])
	}
	return all
}

// TestC02J12TwinsOfTheRevoked revokes in every way. Afterwards it offers all spellings
// of the token to the issuer, and to a cache that has seen them before.
func TestC02J12TwinsOfTheRevoked(t *testing.T) {
	var db *memory.Store
	for what, revoke := range map[string]func(iss *issuer.Issuer, id *middleware.Identity, token string) error{
		"the token": func(iss *issuer.Issuer, _ *middleware.Identity, token string) error {
			return iss.RevokeToken(t.Context(), token)
		},
		"the twin": func(iss *issuer.Issuer, _ *middleware.Identity, token string) error {
			return iss.RevokeToken(t.Context(), twins(t, token)["J12 (r, n-s)"])
		},
		"the family": func(iss *issuer.Issuer, id *middleware.Identity, _ string) error {
			return revokeBehind(t, iss, db, store.Change{Kind: store.KindFamily, ID: id.Family})
		},
		"the client": func(iss *issuer.Issuer, _ *middleware.Identity, _ string) error {
			return iss.RevokeClient(t.Context(), "app")
		},
		"the user": func(iss *issuer.Issuer, _ *middleware.Identity, _ string) error {
			return iss.RevokeUser(t.Context(), "ada")
		},
	} {
		db = newStore(t)
		iss := newIssuer(t, db, issuer.Config{})
		cache, err := middleware.NewCache(iss, 100, nil)
		if err != nil {
			t.Fatal(err)
		}
		token := mint(t, iss, issuer.Grant{Client: "app", User: "ada"}).AccessToken
		id, code := validate(t, cache, token)
		if code != 0 {
			t.Fatal(code)
		}
		spellings := twins(t, token)
		for name, twin := range spellings {
			_, code := validate(t, cache, twin)
			if sameSignature := strings.HasPrefix(name, "J12"); sameSignature && code == errorsx.UnknownToken || !sameSignature && code != errorsx.UnknownToken {
				t.Errorf("C02 %s, before: got %v", name, code)
			}
		}
		if err := revoke(iss, id, token); err != nil {
			t.Fatal(err)
		}
		spellings["C02 as it was"] = token
		for name, twin := range spellings {
			for place, v := range map[string]middleware.Validator{"issuer": iss, "cache": cache} {
				if _, code := validate(t, v, twin); code != errorsx.UnknownToken && code != errorsx.BadSignature {
					t.Errorf("C02 %s revoked, %s at the %s: got %v, want it refused", what, name, place, code)
				}
			}
		}
	}
}

// TestC19RememberedByTheOldConfiguration replaces, narrows or ends a key or secret that
// a cache remembers. The cache must ask again.
func TestC19RememberedByTheOldConfiguration(t *testing.T) {
	fresh := store.Secret{ID: "new", Digest: store.DigestOf("new")}
	client := func(db store.Store, f func(c *store.Client)) error {
		return db.UpdateClient(t.Context(), "app", func(c *store.Client) error { f(c); return nil })
	}
	disable := func(c *store.Client) { c.Disabled = true }
	key := middleware.Credential{Scheme: middleware.SchemeAPIKey, Secret: "key1"}
	secret := middleware.Credential{Scheme: middleware.SchemeBasic, Username: "app", Secret: "app-secret"}
	for name, tt := range map[string]struct {
		c      middleware.Credential
		change func(db store.Store) error
		want   string // code, or scopes
	}{
		"secret replaced": {secret, func(db store.Store) error {
			return db.ReplaceSecrets(t.Context(), "app", fresh, time.Now())
		}, "AUTH-1"},
		"secret revoked": {secret, func(db store.Store) error { return db.DeleteSecret(t.Context(), "app", "s1") }, "AUTH-1"},
		"secret gets company": {secret, func(db store.Store) error {
			narrowed := client(db, func(c *store.Client) { c.Scopes, c.Default = []string{"a"}, nil })
			return errors.Join(db.AddSecret(t.Context(), "app", fresh), narrowed)
		}, "a"},
		"scopes of the client": {secret, func(db store.Store) error {
			return client(db, func(c *store.Client) { c.Scopes, c.Default = []string{"z"}, nil })
		}, "z"},
		"client disabled":        {secret, func(db store.Store) error { return client(db, disable) }, "AUTH-1"},
		"client deleted":         {key, func(db store.Store) error { return db.DeleteClient(t.Context(), "app") }, "AUTH-1"},
		"key of disabled client": {key, func(db store.Store) error { return client(db, disable) }, "AUTH-1"},
		"key replaced": {key, func(db store.Store) error {
			return db.ReplaceAPIKey(t.Context(), "k1", time.Now(), store.APIKey{ID: "k2", Client: "app", Digest: store.DigestOf("new")})
		}, "AUTH-1"},
		"scopes of the key": {key, func(db store.Store) error {
			return db.UpdateAPIKey(t.Context(), "k1", func(k *store.APIKey) error { k.Scopes = []string{"b"}; return nil })
		}, "b"},
		"key given an end": {key, func(db store.Store) error {
			return db.UpdateAPIKey(t.Context(), "k1", func(k *store.APIKey) error { k.Expires = time.Now(); return nil })
		}, "AUTH-1"},
		"key revoked": {key, func(db store.Store) error {
			return db.Revoke(t.Context(), store.Change{Kind: store.KindAPIKey, ID: "k1"})
		}, "AUTH-1"},
	} {
		db := newStore(t)
		iss := newIssuer(t, db, issuer.Config{})
		cache, err := middleware.NewCache(iss, 100, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := cache.Validate(t.Context(), tt.c); err != nil {
				t.Fatalf("C19 %s, before: %v", name, err)
			}
		}
		if cache.Stats().Hits == 0 {
			t.Fatalf("C19 %s: nothing was remembered", name)
		}
		if err := tt.change(db); err != nil {
			t.Fatal(err)
		}
		if err := hear(t, iss); err != nil { // reads the change, as Run does
			t.Fatal(err)
		}
		id, err := cache.Validate(t.Context(), tt.c)
		got := codeOf(err).String()
		if err == nil {
			got = string(id.Scopes)
		}
		if got != tt.want {
			t.Errorf("C19 %s: got %s, want %s", name, got, tt.want)
		}
	}
}
