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

	// Secrets that would end later end at that time. The others keep their ends.
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

	// Secrets that end now must be gone at once, for ever.
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

	// The secret is gone for ever. Its ID may be used again.
	must(t, s.DeleteSecret(ctx, "c", "b"))
	wantErr(t, "adding it again", s.ReplaceSecrets(ctx, "c", secretOf("b", start), time.Now()), store.ErrRevoked)
	must(t, s.AddSecret(ctx, "c", store.Secret{ID: "b", Digest: digest("another")}))
	if got := secretIDs(t, s, "c"); !slices.Equal(got, []string{"m", "b"}) {
		t.Errorf("deleted, and another one with its ID: got %q", got)
	}
}
