package issuer_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

var seal = sealOf(7)

// sealOf returns a seal for each number.
func sealOf(n byte) []byte { return append(bytes.Repeat([]byte{n}, 31), n+1) }

// node returns an issuer of its own on a store that others may use too.
func node(t *testing.T, db issuer.Store, cfg issuer.StoredKeysConfig) *issuer.Issuer {
	t.Helper()
	cfg.Seal = seal
	keys, err := issuer.OpenKeys(t.Context(), db.(store.SigningKeys), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return newIssuer(t, issuer.Config{Store: db, Keys: keys})
}

// kidOf returns the key that signed a token.
func kidOf(t *testing.T, token string) string {
	t.Helper()
	header, _, _ := strings.Cut(token, ".")
	b, err := base64.RawURLEncoding.DecodeString(header)
	if err != nil {
		t.Fatal(err)
	}
	var h struct{ Kid string }
	if err := json.Unmarshal(b, &h); err != nil {
		t.Fatal(err)
	}
	return h.Kid
}

// published returns the IDs in the key set that an issuer serves.
func published(t *testing.T, iss *issuer.Issuer) (ids []string) {
	t.Helper()
	w := httptest.NewRecorder()
	iss.KeysHandler().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	var set struct{ Keys []struct{ Kid string } }
	if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil {
		t.Fatal(err)
	}
	for _, k := range set.Keys {
		ids = append(ids, k.Kid)
	}
	slices.Sort(ids)
	return ids
}

func client(t *testing.T, iss *issuer.Issuer) string {
	t.Helper()
	return mint(t, iss, issuer.Grant{Client: "app"}).AccessToken
}

func TestJ31Rotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore(t)
		a, b := node(t, db, issuer.StoredKeysConfig{MaxTTL: 2 * time.Hour}), node(t, db, issuer.StoredKeysConfig{MaxTTL: 2 * time.Hour})
		defer running(t, a)()
		defer running(t, b)()
		old := kidOf(t, client(t, a))
		next, err := a.RotateSigningKey(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		both := []string{old, next}
		slices.Sort(both)
		for _, n := range []*issuer.Issuer{a, b} {
			if got := published(t, n); !slices.Equal(got, both) {
				t.Errorf("published after a second: %v, want %v", got, both)
			}
		}
		var last string // token of the old key
		for range 5*60 + 20 {
			time.Sleep(time.Second)
			if last = client(t, b); kidOf(t, last) != old {
				t.Fatal("the new key signs before those who keep the key set can have it")
			}
		}
		time.Sleep(20 * time.Second)
		for _, n := range []*issuer.Issuer{a, b} {
			young := client(t, n)
			if kidOf(t, young) != next {
				t.Error("the new key does not sign when its time has come")
			}
			for _, v := range []*issuer.Issuer{a, b} {
				for name, token := range map[string]string{"old": last, "new": young} {
					if _, code := validate(t, v, token); code != 0 {
						t.Errorf("token of the %s key: refused with %v", name, code)
					}
				}
			}
		}
		time.Sleep(2*time.Hour + 2*time.Minute) // nothing it signed is valid any more
		for _, n := range []*issuer.Issuer{a, b} {
			if got := published(t, n); !slices.Equal(got, []string{next}) {
				t.Errorf("published in the end: %v, want %v", got, next)
			}
		}
		if _, err := a.Mint(t.Context(), issuer.Grant{Client: "app", TTL: 3 * time.Hour}); err == nil {
			t.Error("a token that outlives its key: minted")
		}
	})
}

func TestC19Withdraw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore(t)
		a, b := node(t, db, issuer.StoredKeysConfig{Alg: "HS256"}), node(t, db, issuer.StoredKeysConfig{Alg: "HS256"})
		defer running(t, a)()
		defer running(t, b)()
		cache, err := middleware.NewCache(b, 16, nil)
		if err != nil {
			t.Fatal(err)
		}
		leaked := client(t, a)
		if _, code := validate(t, cache, leaked); code != 0 {
			t.Fatal(code)
		}
		if err := a.RevokeSigningKey(t.Context(), kidOf(t, leaked)); err != nil {
			t.Fatal(err)
		}
		if _, code := validate(t, a, leaked); code != errorsx.BadSignature {
			t.Errorf("on the node itself, at once: got %v", code)
		}
		young := client(t, a)
		if _, code := validate(t, b, young); code != 0 { // asks the store for a key that it does not know
			t.Errorf("a token of the new key on a node that has not heard of it: got %v", code)
		}
		time.Sleep(500 * time.Millisecond)
		for name, v := range map[string]middleware.Validator{"node": b, "cache": cache} {
			if _, code := validate(t, v, leaked); code != errorsx.BadSignature {
				t.Errorf("on the other %s, after half a second: got %v", name, code)
			}
		}
		if err := a.RevokeSigningKey(t.Context(), "unknown"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an unknown key: got %v", err)
		}
	})
}

// keyStore counts how often the keys are read, and may fail.
type keyStore struct {
	inner store.SigningKeys
	reads int
	takes time.Duration
	err   error
}

func (k *keyStore) SigningKeys(ctx context.Context, set string) ([]store.SigningKey, error) {
	k.reads++
	select {
	case <-time.After(k.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if k.err != nil {
		return nil, k.err
	}
	return k.inner.SigningKeys(ctx, set)
}

func (k *keyStore) PutSigningKeys(ctx context.Context, ks ...store.SigningKey) error {
	return k.inner.PutSigningKeys(ctx, ks...)
}

// madeUp returns a token with a key ID that nobody has and the payload of another.
func madeUp(token string, n int) string {
	_, payload, _ := strings.Cut(token, ".")
	header := fmt.Appendf(nil, `{"alg":"ES256","kid":"junk%d","typ":"at+jwt"}`, n)
	return base64.RawURLEncoding.EncodeToString(header) + "." + payload
}

// TestJ05UnknownKeys sends tokens with key IDs that nobody has, which anyone can.
func TestJ05UnknownKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore(t)
		c := &keyStore{inner: db}
		keys, err := issuer.OpenKeys(t.Context(), c, issuer.StoredKeysConfig{Seal: seal})
		if err != nil {
			t.Fatal(err)
		}
		iss := newIssuer(t, issuer.Config{Store: db, Keys: keys})
		token := client(t, iss)
		before := c.reads
		for i := range 100 {
			if _, code := validate(t, iss, madeUp(token, i)); code != errorsx.BadSignature {
				t.Fatalf("unknown key: got %v", code)
			}
		}
		if c.reads > before+1 {
			t.Errorf("a hundred unknown keys: the store was read %d times", c.reads-before)
		}
		time.Sleep(2 * time.Second)
		c.err = errDown
		if _, code := validate(t, iss, madeUp(token, 0)); code != errorsx.Internal {
			t.Errorf("an unknown key while the store is down: got %v, which is no refusal", code)
		}
	})
}

// TestS01UnknownKeyOfASlowStore: who waits for a key that may be there, and who
// hangs up meanwhile, are nobody else's business.
func TestS01UnknownKeyOfASlowStore(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2)) // one place for signatures
	synctest.Test(t, func(t *testing.T) {
		db := newStore(t)
		c := &keyStore{inner: db}
		keys, err := issuer.OpenKeys(t.Context(), c, issuer.StoredKeysConfig{Seal: seal})
		if err != nil {
			t.Fatal(err)
		}
		iss := newIssuer(t, issuer.Config{Store: db, Keys: keys, AllowStale: true})
		token := client(t, iss)
		junk := func(n int) middleware.Credential {
			return middleware.Credential{Scheme: errorsx.SchemeBearer, Secret: madeUp(token, n)}
		}
		cache, err := middleware.NewCache(iss, 100, &middleware.CacheConfig{AllowStale: true})
		if err != nil {
			t.Fatal(err)
		}
		c.takes = time.Second
		go cache.Validate(t.Context(), junk(0))
		time.Sleep(c.takes / 2)
		asked := time.Now()
		good := middleware.Credential{Scheme: errorsx.SchemeBearer, Secret: client(t, iss)}
		if _, err := cache.Validate(t.Context(), good); err != nil || time.Since(asked) > 0 {
			t.Errorf("a token of a known key beside made-up ones: %v after %v", err, time.Since(asked))
		}
		time.Sleep(time.Minute)

		ctx, hangUp := context.WithTimeout(t.Context(), c.takes/2)
		defer hangUp()
		go iss.Validate(ctx, junk(1000))
		synctest.Wait()
		if _, err := iss.Validate(t.Context(), junk(1001)); !errors.Is(err, errorsx.BadSignature) {
			t.Errorf("a made-up key after somebody hung up: %v", err)
		}
		time.Sleep(time.Minute)
	})
}

func TestS07OpenKeysRefuses(t *testing.T) {
	db := newStore(t)
	if _, err := issuer.OpenKeys(t.Context(), db, issuer.StoredKeysConfig{Seal: seal}); err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]issuer.StoredKeysConfig{
		"no seal": {}, "a seal of zeros": {Seal: make([]byte, 32), Set: "new"}, "a seal of equal bytes": {Seal: bytes.Repeat([]byte{7}, 32), Set: "new"},
		"a short seal": {Seal: seal[1:]}, "another seal": {Seal: sealOf(8)},
		"an unknown algorithm": {Seal: seal, Set: "new", Alg: "none"}, "a negative lifetime": {Seal: seal, MaxTTL: -1},
		"an algorithm that no key can be made for": {Seal: seal, Alg: "RS512"},
	} {
		if _, err := issuer.OpenKeys(t.Context(), db, cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := issuer.OpenKeys(t.Context(), nil, issuer.StoredKeysConfig{Seal: seal}); err == nil {
		t.Error("no store: accepted")
	}
	ks, err := db.SigningKeys(t.Context(), "authtier")
	if err != nil || len(ks) != 1 {
		t.Fatal(ks, err)
	}
	forged := ks[0]
	forged.ID = "another ID"
	if err := db.PutSigningKeys(t.Context(), forged); err != nil {
		t.Fatal(err)
	}
	if _, err := issuer.OpenKeys(t.Context(), db, issuer.StoredKeysConfig{Seal: seal}); err == nil {
		t.Error("a sealed key under another ID: opened")
	}
	fixed := newIssuer(t, issuer.Config{})
	if _, err := fixed.RotateSigningKey(t.Context()); err == nil {
		t.Error("keys that never change: rotated")
	}
	if err := fixed.RevokeSigningKey(t.Context(), "x"); err == nil {
		t.Error("keys that never change: withdrawn")
	}
}

func TestS07Seals(t *testing.T) {
	file := filepath.Join(t.TempDir(), "seal")
	text := base64.StdEncoding.EncodeToString(seal) + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := issuer.ReadSeal(file); err != nil || !bytes.Equal(got, seal) {
		t.Errorf("got %x, %v", got, err)
	}
	for _, text := range []string{"", "c2hvcnQ=", text[:20], strings.Repeat("!", 44)} {
		if _, err := issuer.ParseSeal(text); err == nil || text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%q: got %v", text, err)
		}
	}
	if _, err := issuer.ReadSeal(file + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: got %v", err)
	}
}

// lateKeys are stored when somebody says so, the first ones.
type lateKeys struct {
	*memory.Store
	once      sync.Once
	made, put chan struct{}
}

func (l *lateKeys) PutSigningKeys(ctx context.Context, ks ...store.SigningKey) error {
	l.once.Do(func() {
		l.made <- struct{}{}
		<-l.put
	})
	return l.Store.PutSigningKeys(ctx, ks...)
}

// TestForeignKeysAreLeftOut starts a node with another seal beside others, while
// there is no key yet: it fails, and leaves nothing behind.
func TestForeignKeysAreLeftOut(t *testing.T) {
	db := newStore(t)
	late := &lateKeys{Store: db, made: make(chan struct{}), put: make(chan struct{})}
	failed := make(chan error)
	go func() {
		_, err := issuer.OpenKeys(t.Context(), late, issuer.StoredKeysConfig{Seal: sealOf(9)})
		failed <- err
	}()
	<-late.made
	iss := node(t, db, issuer.StoredKeysConfig{})
	late.put <- struct{}{}
	if err := <-failed; err == nil {
		t.Error("another seal: accepted")
	}
	node(t, db, issuer.StoredKeysConfig{})
	if got := published(t, iss); len(got) != 1 {
		t.Errorf("published: %v", got)
	}
}

// TestC19WithdrawBesideForeignKeys withdraws a key while the store has another one
// that no node can open, and that seems to sign.
func TestC19WithdrawBesideForeignKeys(t *testing.T) {
	db := newStore(t)
	a, b := node(t, db, issuer.StoredKeysConfig{}), node(t, db, issuer.StoredKeysConfig{})
	now := time.Now()
	err := db.PutSigningKeys(t.Context(), store.SigningKey{
		Set: "authtier", ID: "foreign", Alg: "ES256", Sealed: []byte("nonsense"), Published: now, Signs: now.Add(time.Millisecond),
	})
	if err != nil {
		t.Fatal(err)
	}
	leaked := mint(t, a, issuer.Grant{Client: "app"}).AccessToken
	if err := a.RevokeSigningKey(t.Context(), kidOf(t, leaked)); err != nil {
		t.Errorf("withdrawing: %v", err)
	}
	good := mint(t, a, issuer.Grant{Client: "app"}).AccessToken
	for name, iss := range map[string]*issuer.Issuer{"here": a, "on the other node": b} {
		bearer := func(token string) error {
			_, err := iss.Validate(t.Context(), middleware.Credential{Scheme: errorsx.SchemeBearer, Secret: token})
			return err
		}
		if err := bearer(good); err != nil { // the other node reads the keys for it
			t.Errorf("%s: a token of the new key: %v", name, err)
		}
		if err := bearer(leaked); !errors.Is(err, errorsx.BadSignature) {
			t.Errorf("%s: a token of the withdrawn key: got %v, want AUTH-10", name, err)
		}
		if got := published(t, iss); len(got) != 1 || got[0] != kidOf(t, good) {
			t.Errorf("%s: published: %v", name, got)
		}
	}
}
