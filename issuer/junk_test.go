package issuer_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/internal/secret"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// counting is a store that counts how often it is asked for credentials.
type counting struct {
	store.Store
	tokens, keys, clients atomic.Int64
}

func (c *counting) Token(ctx context.Context, d store.Digest) (*store.Token, error) {
	c.tokens.Add(1)
	return c.Store.Token(ctx, d)
}

func (c *counting) APIKey(ctx context.Context, d store.Digest) (*store.APIKey, error) {
	c.keys.Add(1)
	return c.Store.APIKey(ctx, d)
}

func (c *counting) Client(ctx context.Context, id string) (*store.Client, error) {
	c.clients.Add(1)
	return c.Store.Client(ctx, id)
}

func (c *counting) asked() string {
	return fmt.Sprintf("%d tokens, %d keys, %d clients", c.tokens.Load(), c.keys.Load(), c.clients.Load())
}

func (c *counting) reset() { c.tokens.Store(0); c.keys.Store(0); c.clients.Store(0) }

// status sends a key and a token through h and returns the status.
func status(h http.Handler, key, token string) int {
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-API-KEY", key)
	r.Header.Set("Authorization", "Bearer "+token)
	h.ServeHTTP(w, r)
	return w.Code
}

// TestC04JunkUnderLoad sends as many mistyped tokens and keys as valid ones, all of
// them different. The store is asked about none of the mistyped ones, and once about
// each valid one. The clock stands still meanwhile.
func TestC04JunkUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const workers, each, hot = 4, 250, 100
		db := &counting{Store: newStore(t)}
		iss := newIssuer(t, db, issuer.Config{OpaqueTokens: true})
		cache, err := middleware.NewCache(iss, 1000, nil)
		if err != nil {
			t.Fatal(err)
		}
		h := middleware.Chain(middleware.APIKey(cache, nil), middleware.Bearer(cache, nil))(
			http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		var good []string
		for range hot {
			good = append(good, mint(t, iss, issuer.Grant{Client: "app"}).AccessToken)
		}
		db.reset()
		for _, token := range good {
			status(h, "key1", token)
		}
		if got, want := db.asked(), fmt.Sprintf("%d tokens, 1 keys, 1 clients", hot); got != want {
			t.Errorf("for the first requests the store was asked for %s, want %s", got, want)
		}
		db.reset()
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for i := range each {
					key, _ := newAPIKey("app", nil, time.Time{})
					if a, b, c := status(h, "key1", good[i%hot]), status(h, "key1", mistyped(secret.Generate("authtier_at"))),
						status(h, mistyped(key), good[i%hot]); a != 200 || b != 404 || c != 401 {
						t.Errorf("good credentials got %d, a mistyped token %d, a mistyped key %d", a, b, c)
					}
				}
			})
		}
		wg.Wait()
		if got, want := db.asked(), "0 tokens, 0 keys, 0 clients"; got != want {
			t.Errorf("under load the store was asked for %s", got)
		}
	})
}

// TestRefusedJunkReachesTheStoreOnce sends a well-formed token that does not exist. The
// store is asked once, and not again while the cache remembers the refusal.
func TestRefusedJunkReachesTheStoreOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &counting{Store: newStore(t)}
		cache, err := middleware.NewCache(newIssuer(t, db, issuer.Config{OpaqueTokens: true}), 1000, nil)
		if err != nil {
			t.Fatal(err)
		}
		h := middleware.Bearer(cache, nil)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		junk := secret.Generate("authtier_at")
		for range 100 {
			if got := status(h, "", junk); got != 404 {
				t.Errorf("got %d", got)
			}
		}
		if got, want := db.asked(), "1 tokens, 0 keys, 0 clients"; got != want {
			t.Errorf("the store was asked for %s, want %s", got, want)
		}
	})
}
