package issuer_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
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

var encryptionKey = encryptionKeyOf(7)

// encryptionKeyOf returns a different encryption key for each number.
func encryptionKeyOf(n byte) []byte { return append(bytes.Repeat([]byte{n}, 31), n+1) }

// node returns a new issuer on a store that others may use too.
func node(t *testing.T, db issuer.Store, cfg issuer.Config) *issuer.Issuer {
	t.Helper()
	cfg.EncryptionKey = encryptionKey
	return newIssuer(t, db, cfg)
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
		a, b := node(t, db, issuer.Config{MaxTTL: 2 * time.Hour}), node(t, db, issuer.Config{MaxTTL: 2 * time.Hour})
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
		var last string // a token of the old key
		for range 5*60 + 20 {
			time.Sleep(time.Second)
			if last = client(t, b); kidOf(t, last) != old {
				t.Fatal("the new key signs before caches of the key set can have it")
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
		time.Sleep(2*time.Hour + 2*time.Minute) // all of its tokens have expired
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

func TestC19RevokeSigningKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore(t)
		a, b := node(t, db, issuer.Config{SigningAlg: "HS256"}), node(t, db, issuer.Config{SigningAlg: "HS256"})
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
		if _, code := validate(t, b, young); code != 0 { // makes b read the keys, because the kid is unknown to it
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

// keyStore is a store that counts how often its keys are read, and can fail.
type keyStore struct {
	*memory.Store
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
	return k.Store.SigningKeys(ctx, set)
}

func (k *keyStore) PutSigningKeys(ctx context.Context, ks ...store.SigningKey) error {
	return k.Store.PutSigningKeys(ctx, ks...)
}

// madeUp returns a token with a key ID that does not exist and the payload of another
// token.
func madeUp(token string, n int) string {
	_, payload, _ := strings.Cut(token, ".")
	header := fmt.Appendf(nil, `{"alg":"ES256","kid":"junk%d","typ":"at+jwt"}`, n)
	return base64.RawURLEncoding.EncodeToString(header) + "." + payload
}

// TestJ05UnknownKeys sends tokens with key IDs that do not exist, which anyone can
// make.
func TestJ05UnknownKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore(t)
		c := &keyStore{Store: db}
		iss := node(t, c, issuer.Config{})
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

// TestS01UnknownKeyOfASlowStore sends tokens with an unknown key ID while the store is
// slow. Requests that wait for the key, or disconnect meanwhile, must not affect
// others.
func TestS01UnknownKeyOfASlowStore(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // only one place for signature checks
	synctest.Test(t, func(t *testing.T) {
		db := newStore(t)
		c := &keyStore{Store: db}
		iss := node(t, c, issuer.Config{AllowStale: true})
		token := client(t, iss)
		junk := func(n int) middleware.Credential {
			return middleware.Credential{Scheme: middleware.SchemeBearer, Secret: madeUp(token, n)}
		}
		cache, err := middleware.NewCache(iss, 100, &middleware.CacheConfig{AllowStale: true})
		if err != nil {
			t.Fatal(err)
		}
		c.takes = time.Second
		go cache.Validate(t.Context(), junk(0))
		time.Sleep(c.takes / 2)
		asked := time.Now()
		good := middleware.Credential{Scheme: middleware.SchemeBearer, Secret: client(t, iss)}
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

func TestS07StoredKeysRefuse(t *testing.T) {
	db := newStore(t)
	open := func(cfg issuer.Config) error {
		_, err := issuer.New(t.Context(), testURL, db, &cfg)
		return err
	}
	must(t, open(issuer.Config{EncryptionKey: encryptionKey}))
	for name, cfg := range map[string]issuer.Config{
		"no key": {KeySetName: "new"}, "a key of zeros": {EncryptionKey: make([]byte, 32), KeySetName: "new"},
		"a key of equal bytes": {EncryptionKey: bytes.Repeat([]byte{7}, 32), KeySetName: "new"},
		"a short key":          {EncryptionKey: encryptionKey[1:]}, "another key": {EncryptionKey: encryptionKeyOf(8)},
		"an unknown algorithm":                     {EncryptionKey: encryptionKey, KeySetName: "new", SigningAlg: "none"},
		"a negative lifetime":                      {EncryptionKey: encryptionKey, MaxTTL: -1},
		"an algorithm that no key can be made for": {EncryptionKey: encryptionKey, SigningAlg: "RS512"},
	} {
		if err := open(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
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
	if err := open(issuer.Config{EncryptionKey: encryptionKey}); err == nil {
		t.Error("a sealed key under another ID: opened")
	}
	fixed := newIssuer(t, nil, issuer.Config{})
	if _, err := fixed.RotateSigningKey(t.Context()); err == nil {
		t.Error("keys that never change: rotated")
	}
	if err := fixed.RevokeSigningKey(t.Context(), "x"); err == nil {
		t.Error("keys that never change: revoked")
	}
}

// lateKeys is a store that stores the first keys only when the test lets it.
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

// TestForeignKeysAreLeftOut starts a node with another encryption key beside others,
// while there is no signing key yet. It fails, and leaves no key behind.
func TestForeignKeysAreLeftOut(t *testing.T) {
	db := newStore(t)
	late := &lateKeys{Store: db, made: make(chan struct{}), put: make(chan struct{})}
	failed := make(chan error)
	go func() {
		_, err := issuer.New(t.Context(), testURL, late, &issuer.Config{EncryptionKey: encryptionKeyOf(9)})
		failed <- err
	}()
	<-late.made
	iss := node(t, db, issuer.Config{})
	late.put <- struct{}{}
	if err := <-failed; err == nil {
		t.Error("another key: accepted")
	}
	node(t, db, issuer.Config{})
	if got := published(t, iss); len(got) != 1 {
		t.Errorf("published: %v", got)
	}
}

// TestC19RevokeSigningKeyBesideForeignKeys revokes a key while the store has another
// one that no node can decrypt and that looks like the signer.
func TestC19RevokeSigningKeyBesideForeignKeys(t *testing.T) {
	db := newStore(t)
	a, b := node(t, db, issuer.Config{}), node(t, db, issuer.Config{})
	now := time.Now()
	err := db.PutSigningKeys(t.Context(), store.SigningKey{
		Set: "authtier", ID: "foreign", Alg: "ES256", Sealed: []byte("nonsense"), Published: now, Signs: now.Add(time.Millisecond),
	})
	if err != nil {
		t.Fatal(err)
	}
	leaked := mint(t, a, issuer.Grant{Client: "app"}).AccessToken
	if err := a.RevokeSigningKey(t.Context(), kidOf(t, leaked)); err != nil {
		t.Errorf("revoking: %v", err)
	}
	good := mint(t, a, issuer.Grant{Client: "app"}).AccessToken
	for name, iss := range map[string]*issuer.Issuer{"here": a, "on the other node": b} {
		bearer := func(token string) error {
			_, err := iss.Validate(t.Context(), middleware.Credential{Scheme: middleware.SchemeBearer, Secret: token})
			return err
		}
		if err := bearer(good); err != nil { // makes the other node read the keys
			t.Errorf("%s: a token of the new key: %v", name, err)
		}
		if err := bearer(leaked); !errors.Is(err, errorsx.BadSignature) {
			t.Errorf("%s: a token of the revoked key: got %v, want AUTH-10", name, err)
		}
		if got := published(t, iss); len(got) != 1 || got[0] != kidOf(t, good) {
			t.Errorf("%s: published: %v", name, got)
		}
	}
}
