package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

func testTouch(t *testing.T, s store.Store) {
	ctx := t.Context()
	hour := func(n int) time.Time { return start.Add(time.Duration(n) * time.Hour) }
	must(t, s.CreateClient(ctx, store.Client{ID: "c", Secrets: []store.Secret{secretOf("k", start), secretOf("s", start)}}))
	must(t, s.CreateClient(ctx, store.Client{ID: "d", Secrets: []store.Secret{secretOf("s", start)}}))
	must(t, s.CreateAPIKeys(ctx, apiKey("k", "c"), apiKey("k2", "c")))
	_, cursor, err := s.Snapshot(ctx)
	must(t, err)

	wantUsed := func(what string, key, secret time.Time) {
		t.Helper()
		k, err := s.APIKeyByID(ctx, "k")
		must(t, err)
		ks, err := s.ListAPIKeys(ctx, "c", "", 9)
		must(t, err)
		secrets, err := s.SecretsOf(ctx, "c")
		must(t, err)
		cs, err := s.ListClients(ctx, "", 9)
		must(t, err)
		if !k.LastUsed.Equal(key) || !ks[0].LastUsed.Equal(key) || !ks[1].LastUsed.IsZero() {
			t.Errorf("%s: the key was used at %v, listed %+v, want %v, and the other never", what, k.LastUsed, ks, key)
		}
		if !secrets[0].LastUsed.IsZero() || !secrets[1].LastUsed.Equal(secret) || !cs[0].Secrets[1].LastUsed.Equal(secret) {
			t.Errorf("%s: secrets %+v, with the client %+v, want the second used at %v, and the first never", what, secrets, cs[0].Secrets, secret)
		}
	}

	must(t, s.Touch(ctx, store.Use{ID: "k", At: hour(1)}, store.Use{Client: "c", ID: "s", At: hour(2)}))
	wantUsed("touched", hour(1), hour(2))
	must(t, s.Touch(ctx, store.Use{ID: "k", At: hour(0)}, store.Use{Client: "c", ID: "s", At: hour(1)}))
	wantUsed("touched with earlier times", hour(1), hour(2))
	must(t, s.Touch(ctx, store.Use{ID: "k", At: hour(5)}, store.Use{ID: "k", At: hour(4)}, store.Use{Client: "c", ID: "s", At: hour(5)}, store.Use{Client: "c", ID: "s", At: hour(4)}))
	wantUsed("touched twice in a call", hour(5), hour(5))
	must(t, s.Touch(ctx))
	if d, err := s.SecretsOf(ctx, "d"); err != nil || !d[0].LastUsed.IsZero() {
		t.Errorf("another client's secret of that ID: got %+v, %v, want it never used", d, err)
	}

	// Only the methods of Lister return the time of the last use.
	k, err := s.APIKey(ctx, digest("key k"))
	must(t, err)
	c, err := s.Client(ctx, "c")
	must(t, err)
	if !k.LastUsed.IsZero() || !c.Secrets[1].LastUsed.IsZero() {
		t.Errorf("read for a request: %+v and %+v, want no last use", k, c.Secrets)
	}
	if _, after, err := s.Snapshot(ctx); err != nil || after != cursor {
		t.Errorf("Touch moved the cursor: %v, %v", after, err)
	}

	// An update must not lose the last uses.
	must(t, s.UpdateClient(ctx, "c", func(c *store.Client) error { c.Scopes = []string{"more"}; return nil }))
	must(t, s.UpdateAPIKey(ctx, "k", func(k *store.APIKey) error { k.Scopes = []string{"more"}; return nil }))
	wantUsed("updated", hour(5), hour(5))
	touchTogether(t, s)
}

// touchTogether lets many callers touch the same keys and secrets in different orders.
// None may fail by a deadlock.
func touchTogether(t *testing.T, s store.Store) {
	t.Helper()
	ctx := t.Context()
	together(20, func(i int) {
		at := start.Add(time.Duration(100+i) * time.Hour)
		uses := []store.Use{{ID: "k", At: at}, {ID: "k2", At: at}, {Client: "c", ID: "s", At: at}, {Client: "d", ID: "s", At: at}}
		if i%2 == 0 {
			slices.Reverse(uses)
		}
		if err := s.Touch(ctx, uses...); err != nil {
			t.Errorf("caller %d: %v", i, err)
		}
	})

	want := start.Add(119 * time.Hour)
	ks, err := s.ListAPIKeys(ctx, "c", "", 9)
	must(t, err)
	for _, client := range []string{"c", "d"} {
		secrets, err := s.SecretsOf(ctx, client)
		must(t, err)
		if got := secrets[len(secrets)-1].LastUsed; !got.Equal(want) {
			t.Errorf("touched by many: the secret of %s was used at %v, want %v", client, got, want)
		}
	}
	if !ks[0].LastUsed.Equal(want) || !ks[1].LastUsed.Equal(want) {
		t.Errorf("touched by many: keys %+v, want %v", ks, want)
	}
}

// testTouchGone touches keys and secrets that do not exist, or no longer exist. A later one
// with the same name must be unused.
func testTouchGone(t *testing.T, s store.Store) {
	ctx := t.Context()
	key := func(round int) string { return fmt.Sprint("k", round) }
	gone := func() {
		t.Helper()
		must(t, s.Touch(ctx, store.Use{ID: key(1), At: start}, store.Use{ID: key(2), At: start}, store.Use{ID: key(3), At: start},
			store.Use{Client: "c", ID: "s", At: start}, store.Use{Client: "c", At: start}, store.Use{At: start}))
	}
	fresh := func(what string, round int) {
		t.Helper()
		must(t, s.AddSecret(ctx, "c", store.Secret{ID: "s", Digest: digest(what)}))
		must(t, s.CreateAPIKeys(ctx, apiKey(key(round), "c")))
		k, err := s.APIKeyByID(ctx, key(round))
		must(t, err)
		secrets, err := s.SecretsOf(ctx, "c")
		must(t, err)
		if !k.LastUsed.IsZero() || len(secrets) != 1 || !secrets[0].LastUsed.IsZero() {
			t.Errorf("%s: got %+v and %+v, want neither used", what, k, secrets)
		}
	}

	gone()
	if _, err := s.Client(ctx, "c"); err == nil {
		t.Error("Touch made a client")
	}
	clients(t, s, "c")
	fresh("touched before it existed", 1)
	gone()
	must(t, s.DeleteClient(ctx, "c"))
	gone()
	clients(t, s, "c")
	fresh("deleted with its client", 2)
	gone()
	must(t, s.Revoke(ctx, store.Change{Kind: store.KindAPIKey, ID: key(2)}))
	must(t, s.DeleteSecret(ctx, "c", "s"))
	gone()
	fresh("revoked", 3)
}
