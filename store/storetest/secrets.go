package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

func secretOf(id string, expires time.Time) store.Secret {
	return store.Secret{ID: id, Digest: digest("secret " + id), Expires: expires}
}

// secretIDs returns the IDs of a client's secrets, in the order of the listing.
func secretIDs(t *testing.T, s store.Store, client string) (ids []string) {
	t.Helper()
	secrets, err := s.SecretsOf(t.Context(), client)
	must(t, err)
	for _, secret := range secrets {
		ids = append(ids, secret.ID)
	}
	return ids
}

func sameSecret(a, b store.Secret) bool {
	return a.ID == b.ID && a.Digest == b.Digest && a.Created.Equal(b.Created) && a.Expires.Equal(b.Expires) && a.LastUsed.Equal(b.LastUsed)
}

func testListSecrets(t *testing.T, s store.Store) {
	ctx := t.Context()
	in := []store.Secret{
		{ID: "z", Digest: digest("z"), Created: start.Add(-time.Hour), Expires: start}, secretOf("y", start), {ID: `"/é<`, Digest: digest("a")},
	}
	stored := slices.Clone(in)
	// CreateClient must ignore LastUsed.
	stored[0].LastUsed = start
	must(t, s.CreateClient(ctx, store.Client{ID: "c", Secrets: stored}))
	must(t, s.CreateClient(ctx, store.Client{ID: "d", Secrets: []store.Secret{secretOf("d", start)}}))
	clients(t, s, "e")

	c, err := s.Client(ctx, "c")
	must(t, err)
	if !slices.EqualFunc(c.Secrets, in, sameSecret) {
		t.Errorf("with the client: %+v, want %+v", c.Secrets, in)
	}

	got, err := s.SecretsOf(ctx, "c")
	must(t, err)
	if !slices.EqualFunc(got, withoutDigests(in), sameSecret) {
		t.Errorf("listed %+v, want %+v", got, withoutDigests(in))
	}

	if got := secretIDs(t, s, "d"); !slices.Equal(got, []string{"d"}) {
		t.Errorf("secrets of d: %q", got)
	}
	if got := secretIDs(t, s, "e"); len(got) != 0 {
		t.Errorf("a client without secrets: %q", got)
	}
}

func withoutDigests(secrets []store.Secret) []store.Secret {
	secrets = slices.Clone(secrets)
	for n := range secrets {
		secrets[n].Digest = store.Digest{}
	}
	return secrets
}

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

// testAddSecret adds secrets. The other secrets must stay until they expire.
func testAddSecret(t *testing.T, s store.Store) {
	ctx := t.Context()
	in := []store.Secret{secretOf("endless", time.Time{}), secretOf("later", start)}
	must(t, s.CreateClient(ctx, store.Client{ID: "c", Scopes: []string{"a"}, Secrets: in}))
	before, err := s.Client(ctx, "c")
	must(t, err)
	_, cursor, err := s.Snapshot(ctx)
	must(t, err)

	added := store.Secret{ID: "new", Digest: digest("new"), Created: start, Expires: start.Add(9 * time.Hour)}
	must(t, s.AddSecret(ctx, "c", added))
	want := append(slices.Clone(in), added)
	c, err := s.Client(ctx, "c")
	must(t, err)
	if !slices.EqualFunc(c.Secrets, want, sameSecret) || c.Version != before.Version || !slices.Equal(c.Scopes, before.Scopes) {
		t.Errorf("got %+v, want it at version %d with %+v", c, before.Version, want)
	}
	wantChanges(t, s, cursor, store.Change{Kind: store.KindClient, ID: "c", Version: before.Version})

	wantErr(t, "the ID of another", s.AddSecret(ctx, "c", store.Secret{ID: "new", Digest: digest("x")}), store.ErrExists)
	wantErr(t, "the digest of another", s.AddSecret(ctx, "c", store.Secret{ID: "x", Digest: digest("new")}), store.ErrExists)
	wantRefused(t, "no ID", s.AddSecret(ctx, "c", store.Secret{Digest: digest("x")}), "ID")
	if got, want := secretIDs(t, s, "c"), []string{"endless", "later", "new"}; !slices.Equal(got, want) {
		t.Errorf("after refusals: got %q, want %q", got, want)
	}

	// The other secrets expire soon. On a slow machine, they are dropped at once.
	soon := time.Now().Add(50 * time.Millisecond)
	must(t, s.ReplaceSecrets(ctx, "c", secretOf("last", start), soon))
	time.Sleep(time.Until(soon) + time.Millisecond)
	must(t, s.AddSecret(ctx, "c", secretOf("more", time.Time{})))
	c, err = s.Client(ctx, "c")
	must(t, err)
	if want := []store.Secret{secretOf("last", start), secretOf("more", time.Time{})}; !slices.EqualFunc(c.Secrets, want, sameSecret) {
		t.Errorf("after others have expired: got %+v, want %+v", c.Secrets, want)
	}
	wantErr(t, "one that was dropped", s.AddSecret(ctx, "c", secretOf("later", start)), store.ErrRevoked)
}

// testReplaceSecrets adds secrets that let the others expire sooner.
func testReplaceSecrets(t *testing.T, s store.Store) {
	ctx := t.Context()
	soon := start.Add(time.Minute)
	in := store.Client{ID: "c", Scopes: []string{"a"}, Secrets: []store.Secret{
		secretOf("endless", time.Time{}), secretOf("soon", soon), secretOf("later", start.Add(3*time.Hour)),
	}}
	must(t, s.CreateClient(ctx, in))
	must(t, s.CreateClient(ctx, store.Client{ID: "d", Secrets: in.Secrets}))
	before, err := s.Client(ctx, "c")
	must(t, err)
	_, cursor, err := s.Snapshot(ctx)
	must(t, err)

	added := store.Secret{ID: "new", Digest: digest("new"), Created: start, Expires: start.Add(9 * time.Hour)}
	must(t, s.ReplaceSecrets(ctx, "c", added, start.Add(time.Hour)))
	want := []store.Secret{secretOf("endless", start.Add(time.Hour)), secretOf("soon", soon), secretOf("later", start.Add(time.Hour)), added}
	c, err := s.Client(ctx, "c")
	must(t, err)
	if !slices.EqualFunc(c.Secrets, want, sameSecret) || c.Version != before.Version || !slices.Equal(c.Scopes, in.Scopes) {
		t.Errorf("got %+v, want it at version %d with %+v", c, before.Version, want)
	}
	wantChanges(t, s, cursor, store.Change{Kind: store.KindClient, ID: "c", Version: before.Version})
	if d, err := s.Client(ctx, "d"); err != nil || !slices.EqualFunc(d.Secrets, in.Secrets, sameSecret) {
		t.Errorf("another client: got %+v, %v, want it as it was", d, err)
	}

	now := time.Now()
	wantErr(t, "the ID of another", s.ReplaceSecrets(ctx, "c", store.Secret{ID: "new", Digest: digest("x")}, now), store.ErrExists)
	wantErr(t, "the digest of another", s.ReplaceSecrets(ctx, "c", store.Secret{ID: "x", Digest: digest("new")}, now), store.ErrExists)
	wantRefused(t, "no ID", s.ReplaceSecrets(ctx, "c", store.Secret{Digest: digest("x")}, start), "ID")
	wantRefused(t, "no digest", s.ReplaceSecrets(ctx, "c", store.Secret{ID: "x"}, start), "Digest")
	if got, want := secretIDs(t, s, "c"), []string{"endless", "soon", "later", "new"}; !slices.Equal(got, want) {
		t.Errorf("after refusals: got %q, want %q", got, want)
	}

	must(t, s.ReplaceSecrets(ctx, "c", secretOf("alone", time.Time{}), time.Now()))
	if got := secretIDs(t, s, "c"); !slices.Equal(got, []string{"alone"}) {
		t.Errorf("with an end to all others: got %q", got)
	}
	wantErr(t, "one that was dropped", s.ReplaceSecrets(ctx, "c", secretOf("soon", time.Time{}), time.Now()), store.ErrRevoked)
}

func testReplaceSecretsConcurrent(t *testing.T, s store.Store) { testReplaceSecretsBetween(t, s, s) }

// testReplaceSecretsBetween adds secrets through both handles at once. None may be lost,
// and each must let the earlier ones expire.
func testReplaceSecretsBetween(t *testing.T, a, b store.Store) {
	const callers = 50
	ctx := t.Context()
	clients(t, a, "c")

	together(callers, func(i int) {
		s := []store.Store{a, b}[i%2]
		until := start.Add(time.Duration(100-i) * time.Hour)
		if err := s.ReplaceSecrets(ctx, "c", secretOf(fmt.Sprint(i), time.Time{}), until); err != nil {
			t.Errorf("caller %d: %v", i, err)
		}
	})

	c, err := b.Client(ctx, "c")
	must(t, err)
	endless := 0
	for _, secret := range c.Secrets {
		if secret.Expires.IsZero() {
			endless++
		}
	}

	if len(c.Secrets) != callers || endless != 1 {
		t.Errorf("%d secrets, %d of them without an end, want %d and the last", len(c.Secrets), endless, callers)
	}
}

func testDeleteSecret(t *testing.T, s store.Store) {
	ctx := t.Context()
	for _, id := range []string{"c", "d"} {
		must(t, s.CreateClient(ctx, store.Client{ID: id, Secrets: []store.Secret{secretOf("a", start), secretOf("m", start), secretOf("b", start)}}))
	}

	before, err := s.Client(ctx, "c")
	must(t, err)
	_, cursor, err := s.Snapshot(ctx)
	must(t, err)

	must(t, s.DeleteSecret(ctx, "c", "a"))
	wantErr(t, "again", s.DeleteSecret(ctx, "c", "a"), store.ErrNotFound)
	wantErr(t, "no ID", s.DeleteSecret(ctx, "c", ""), store.ErrNotFound)
	wantChanged(t, s, cursor, store.KindClient, "c")

	after, err := s.Client(ctx, "c")
	must(t, err)
	if got := secretIDs(t, s, "c"); !slices.Equal(got, []string{"m", "b"}) || after.Version != before.Version {
		t.Errorf("got %q at version %d, want the others at version %d", got, after.Version, before.Version)
	}
	if got := secretIDs(t, s, "d"); len(got) != 3 {
		t.Errorf("another client: got %q, want all three", got)
	}

	must(t, s.DeleteSecret(ctx, "c", "b"))
	wantErr(t, "adding it again", s.ReplaceSecrets(ctx, "c", secretOf("b", start), time.Now()), store.ErrRevoked)
	must(t, s.AddSecret(ctx, "c", store.Secret{ID: "b", Digest: digest("another")}))
	if got := secretIDs(t, s, "c"); !slices.Equal(got, []string{"m", "b"}) {
		t.Errorf("deleted, and another one with its ID: got %q", got)
	}
}
