package idp_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
)

// TestJ05RandomKids tests that invented kids cause one fetch per cooldown and do not
// delay tokens whose key is known.
func TestJ05RandomKids(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := publishes(jwkOf(t, "ES256", nil))
		v := remoteTokens(t, s, refreshed(time.Hour))
		c := newCache(t, v, 100, middleware.CacheConfig{})
		s.does(func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return response(200, jwks(jwkOf(t, "ES256", nil))), nil
		})
		signature := "." + b64(make([]byte, 64))
		junk := func(i int) string {
			return b64(members{"alg": "ES256", "typ": "at+jwt", "kid": fmt.Sprint("random", i)}) + "." + b64(payload(nil)) + signature
		}
		var wg sync.WaitGroup
		const each = 60
		for second := range 10 {
			for i := range each {
				wg.Go(func() {
					if code := ask(t, c, junk(second*each+i)); code != errorsx.BadSignature {
						t.Errorf("junk: got %v", code)
					}
				})
			}
			good := fresh(t, "ES256", "ES256", members{"jti": fmt.Sprint(second)})
			began := time.Now()
			if code := ask(t, c, good); code != 0 || time.Since(began) > 0 {
				t.Errorf("a good token: got %v after %v", code, time.Since(began))
			}
			time.Sleep(999 * time.Millisecond)
		}
		wg.Wait()
		before := heap()
		for i := range 9000 {
			if _, err := keyOf(v, fmt.Sprint("kid", i), "ES256"); !errors.Is(err, idp.ErrNoKey) {
				t.Fatal(err)
			}
		}
		if after := heap(); after > before+1<<20 {
			t.Errorf("the heap grew by %d bytes", after-before)
		}
		if got := s.fetches.Load(); got > 3 {
			t.Errorf("%d fetches, want the first, and one for each cooldown", got)
		}
		time.Sleep(10 * time.Second)
		got := s.fetches.Load()
		keyOf(v, "another", "ES256")
		if s.fetches.Load() != got+1 {
			t.Errorf("no fetch after the cooldown")
		}
	})
}

// TestJ31Rotation tests that the first token with a new key is accepted, and that a
// withdrawn key verifies no token after the next refresh, even in a cache.
func TestJ31Rotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := publishes(jwkOf(t, "ES256", nil))
		c := newCache(t, remoteTokens(t, s, refreshed(time.Minute)), 100, middleware.CacheConfig{TTL: 24 * time.Hour})
		old, new := fresh(t, "ES256", "ES256", nil), fresh(t, "EdDSA", "EdDSA", nil)
		check := func(when string, oldCode, newCode errorsx.Code) {
			t.Helper()
			if got := ask(t, c, old); got != oldCode {
				t.Errorf("%s: the old key's token got %v, want %v", when, got, oldCode)
			}
			if got := ask(t, c, new); got != newCode {
				t.Errorf("%s: the new key's token got %v, want %v", when, got, newCode)
			}
		}
		check("before", 0, errorsx.BadSignature)
		time.Sleep(10 * time.Second)
		s.says(200, jwks(jwkOf(t, "ES256", nil), jwkOf(t, "EdDSA", nil)))
		check("overlap", 0, 0)
		s.says(200, jwks(jwkOf(t, "EdDSA", nil)))
		check("withdrawn, not yet refreshed", 0, 0)
		time.Sleep(time.Minute + time.Second)
		check("refreshed", errorsx.BadSignature, 0)
		s.says(200, jwks(jwkOf(t, "ES256", members{"kid": "EdDSA"})))
		time.Sleep(time.Minute + time.Second)
		check("another key under the kid", errorsx.BadSignature, errorsx.BadSignature)
		s.says(200, jwks(jwkOf(t, "EdDSA", members{"kid": nil})))
		time.Sleep(time.Minute + time.Second)
		check("a key without kid, alone", errorsx.BadSignature, 0)
		s.says(200, jwks(jwkOf(t, "ES256", members{"kid": nil})))
		time.Sleep(time.Minute + time.Second)
		check("another one", 0, errorsx.BadSignature)
	})
}

// TestJ31RotationUnderLoad rotates keys all the time. No good token may be refused.
func TestJ31RotationUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := publishes(jwkOf(t, "ES256", nil))
		slow := func(body string) {
			s.does(func(*http.Request) (*http.Response, error) {
				time.Sleep(100 * time.Millisecond)
				return response(200, body), nil
			})
		}
		v := remoteTokens(t, s, refreshed(time.Minute))
		c := newCache(t, v, 1000, middleware.CacheConfig{})
		set := []members{jwkOf(t, "ES256", nil)}
		var wg sync.WaitGroup
		for i := range 20 {
			kid := fmt.Sprint("k", i)
			set = append(set, jwkOf(t, "ES256", members{"kid": kid}))
			slow(jwks(set...))
			for j := range 10 {
				wg.Go(func() {
					if code := ask(t, c, fresh(t, "ES256", kid, members{"jti": fmt.Sprint(i, j)})); code != 0 {
						t.Errorf("%s: refused with %v", kid, code)
					}
				})
			}
			time.Sleep(10050 * time.Millisecond)
		}
		wg.Wait()
	})
}

// TestJ31RotationDuringFetch tests that a fetch that began before the new key was
// published does not decide on that key.
func TestJ31RotationDuringFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := publishes(jwkOf(t, "ES256", nil))
		v := remoteTokens(t, s, refreshed(time.Minute))
		s.does(func(*http.Request) (*http.Response, error) {
			time.Sleep(500 * time.Millisecond)
			return response(200, jwks(jwkOf(t, "ES256", nil))), nil
		})
		time.Sleep(time.Minute + 100*time.Millisecond)
		s.says(200, jwks(jwkOf(t, "ES256", nil), jwkOf(t, "EdDSA", nil)))
		if _, err := keyOf(v, "EdDSA", "EdDSA"); err != nil || s.fetches.Load() != 3 {
			t.Errorf("got %v after %d fetches", err, s.fetches.Load())
		}
	})
}
