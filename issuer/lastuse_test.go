package issuer_test

import (
	"bytes"
	"context"
	"log/slog"
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

// touched is a store that counts the uses that it is told, and can fail.
type touched struct {
	*memory.Store
	mu    sync.Mutex
	down  bool
	calls int
	uses  []store.Use
}

func (s *touched) Touch(ctx context.Context, uses ...store.Use) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls++; s.down {
		return errDown
	}
	s.uses = append(s.uses, uses...)
	return s.Store.Touch(ctx, uses...)
}

func (s *touched) fail(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

func (s *touched) told() (calls int, uses []store.Use) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls, slices.Clone(s.uses)
}

func TestLastUse(t *testing.T) {
	onHelds(t, func(t *testing.T, h held, db *memory.Store) {
		s := &touched{Store: db}
		iss := newIssuer(t, s, issuer.Config{})
		stop := running(t, iss)
		cache := cached(t, iss)
		secret, id := h.make(t, iss, db, time.Time{})
		time.Sleep(time.Second)
		last := func() time.Time {
			t.Helper()
			ids, _, used, err := h.list(t.Context(), db)
			must(t, err)
			return used[slices.Index(ids, id)]
		}
		use := func() {
			t.Helper()
			wantUse(t, "used", h.credential(secret), 0, cache, iss)
		}
		wantUse(t, "mistyped", h.credential(mistyped(secret)), errorsx.CredentialsIncorrect, cache, iss)
		time.Sleep(2 * time.Minute)
		if at := last(); !at.IsZero() {
			t.Errorf("refused: used at %v, want never", at)
		}
		use()
		if calls, _ := s.told(); calls != 0 {
			t.Error("the store was told in a request")
		}
		hour := time.Now().UTC().Truncate(time.Hour)
		for range 50 {
			time.Sleep(time.Minute)
			use()
		}
		if at := last(); !at.Equal(hour) {
			t.Errorf("used within the hour: at %v, want %v", at, hour)
		}
		if calls, uses := s.told(); calls != 1 || len(uses) != 1 {
			t.Errorf("an hour's uses: told %d times, %v, want one", calls, uses)
		}
		time.Sleep(2 * time.Hour)
		use()
		stop()
		synctest.Wait()
		if at, want := last(), hour.Add(2*time.Hour); !at.Equal(want) {
			t.Errorf("used before Run ended: at %v, want %v", at, want)
		}
	})
}

func TestLastUseWhileTheStoreIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := &touched{Store: newStore(t), down: true}
		iss := newIssuer(t, s, issuer.Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
		stop := running(t, iss)
		key := middleware.Credential{Scheme: middleware.SchemeAPIKey, Secret: "key1"}
		wantUse(t, "used", key, 0, iss)
		hour := time.Now().UTC().Truncate(time.Hour)
		time.Sleep(5*time.Minute + time.Second)
		s.fail(false)
		time.Sleep(2 * time.Minute)
		stop()
		synctest.Wait()
		if k, err := s.APIKeyByID(t.Context(), "k1"); err != nil || !k.LastUsed.Equal(hour) {
			t.Errorf("after the recovery: got %+v, %v, want it used at %v", k, err, hour)
		}
		if calls, _ := s.told(); calls != 6 {
			t.Errorf("told %d times, want once a minute until it succeeded", calls)
		}
		if bad, good := strings.Count(log.String(), "cannot be stored"), strings.Count(log.String(), "stored again"); bad != 1 || good != 1 {
			t.Errorf("logged %d failures and %d recoveries: %s", bad, good, log.String())
		}
	})
}

// unnamed is a store whose secrets of client app have no IDs, as old records may.
type unnamed struct{ *touched }

func (s unnamed) Client(ctx context.Context, id string) (*store.Client, error) {
	c, err := s.touched.Client(ctx, id)
	if err == nil && id == "app" {
		for n := range c.Secrets {
			c.Secrets[n].ID = ""
		}
	}
	return c, err
}

// TestUsesAreTold uses a credential without an ID, an expired secret and one of two
// secrets.
func TestUsesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &touched{Store: newStore(t)}
		must(t, s.CreateClient(t.Context(), store.Client{ID: "two", Secrets: []store.Secret{
			{ID: "one", Digest: store.DigestOf("one")}, {ID: "past", Digest: store.DigestOf("past"), Expires: time.Now().Add(time.Second)},
			{ID: "two", Digest: store.DigestOf("two")},
		}}))
		time.Sleep(time.Second)
		iss := newIssuer(t, unnamed{s}, issuer.Config{})
		stop := running(t, iss)
		for _, c := range []struct{ client, secret string }{{"app", "app-secret"}, {"two", "past"}, {"two", "two"}, {"two", "x"}, {"nobody", "x"}} {
			iss.Validate(t.Context(), middleware.Credential{Scheme: middleware.SchemeBasic, Username: c.client, Secret: c.secret})
		}
		stop()
		synctest.Wait()
		hour := time.Now().UTC().Truncate(time.Hour)
		if _, uses := s.told(); len(uses) != 1 || uses[0] != (store.Use{Client: "two", ID: "two", At: hour}) {
			t.Errorf("told %+v, want the secret two alone", uses)
		}
	})
}
