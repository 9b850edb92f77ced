package storetest

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

func apiKey(id, client string) store.APIKey {
	return store.APIKey{ID: id, Client: client, Digest: digest("key " + id)}
}

// keyIDs returns the IDs of a client's API keys, or of all API keys if client is empty,
// in the order of the listing.
func keyIDs(t *testing.T, s store.Store, client string) (ids []string) {
	t.Helper()
	ks, err := s.ListAPIKeys(t.Context(), client, "", 1000)
	must(t, err)
	for _, k := range ks {
		ids = append(ids, k.ID)
	}
	return ids
}

func sameAPIKey(a, b store.APIKey) bool {
	return a.ID == b.ID && a.Name == b.Name && a.Client == b.Client && a.Digest == b.Digest && a.Owner == b.Owner &&
		slices.Equal(a.Scopes, b.Scopes) && slices.Equal(a.Addrs, b.Addrs) &&
		a.Created.Equal(b.Created) && a.Expires.Equal(b.Expires) && a.LastUsed.Equal(b.LastUsed)
}

func testListAPIKeys(t *testing.T, s store.Store) {
	ctx := t.Context()
	clients(t, s, "C")
	must(t, s.CreateClient(ctx, store.Client{ID: "c", Scopes: []string{"x", "y"}}))
	in := store.APIKey{
		ID: "b", Name: "n", Client: "c", Digest: digest("b"), Scopes: []string{"x", "y"}, Owner: "o",
		Addrs: []netip.Prefix{netip.MustParsePrefix("::1/128")}, Created: start.Add(-time.Hour), Expires: start,
		LastUsed: start, // must be ignored
	}
	must(t, s.CreateAPIKeys(ctx, in))
	must(t, s.CreateAPIKeys(ctx, apiKey("é", "c"), apiKey("a", "c"), apiKey("B", "c"), apiKey("a2", "C"), apiKey("10", "c"), apiKey("9", "c")))

	// The order is bytewise, and letter case tells clients apart.
	if got, want := keyIDs(t, s, "c"), []string{"10", "9", "B", "a", "b", "é"}; !slices.Equal(got, want) {
		t.Errorf("keys of c: got %q, want %q", got, want)
	}
	if got := keyIDs(t, s, "C"); !slices.Equal(got, []string{"a2"}) {
		t.Errorf("keys of C: got %q, want only a2", got)
	}

	in.LastUsed = time.Time{}
	if got, err := s.APIKey(ctx, digest("b")); err != nil || !sameAPIKey(*got, in) {
		t.Errorf("by digest: got %+v, %v, want %+v", got, err, in)
	}
	// Listings do not return digests.
	in.Digest = store.Digest{}
	ks, err := s.ListAPIKeys(ctx, "c", "", 1000)
	must(t, err)
	if !sameAPIKey(ks[4], in) {
		t.Errorf("listed: got %+v, want %+v", ks[4], in)
	}
	if got, err := s.APIKeyByID(ctx, "b"); err != nil || !sameAPIKey(*got, in) {
		t.Errorf("by ID: got %+v, %v, want %+v", got, err, in)
	}

	// Listings must follow revocations and deletions.
	must(t, s.Revoke(ctx, store.Change{Kind: store.KindAPIKey, ID: "a"}))
	if got, want := keyIDs(t, s, "c"), []string{"10", "9", "B", "b", "é"}; !slices.Equal(got, want) {
		t.Errorf("after a was revoked: got %q, want %q", got, want)
	}
	must(t, s.DeleteClient(ctx, "c"))
	if got := keyIDs(t, s, "c"); len(got) != 0 {
		t.Errorf("keys of a client that was deleted: %q", got)
	}
}

func testReplaceAPIKey(t *testing.T, s store.Store) {
	ctx := t.Context()
	old, next := apiKey("old", "c"), apiKey("next", "c")
	next.Scopes, next.Created, next.Expires = []string{"a"}, start, start.Add(9*time.Hour)
	must(t, s.CreateClient(ctx, store.Client{ID: "c", Scopes: []string{"a"}}))
	must(t, s.CreateAPIKeys(ctx, old))

	_, cursor, err := s.Snapshot(ctx)
	must(t, err)

	// During the overlap both keys work, and only the old one is a change.
	must(t, s.ReplaceAPIKey(ctx, "old", start, next))
	old.Expires = start
	for _, want := range []store.APIKey{old, next} {
		if got, err := s.APIKey(ctx, want.Digest); err != nil || !sameAPIKey(*got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	wantChanged(t, s, cursor, store.KindAPIKey, "old")

	third := apiKey("third", "c")
	// A replaced key cannot get a later end.
	must(t, s.ReplaceAPIKey(ctx, "old", start.Add(time.Hour), third))
	if got, err := s.APIKeyByID(ctx, "old"); err != nil || !got.Expires.Equal(start) {
		t.Errorf("replaced again, until later: got %+v, %v, want it to expire at %v", got, err, start)
	}

	// Without an overlap, the old key is gone at once.
	must(t, s.ReplaceAPIKey(ctx, "next", time.Now(), apiKey("fourth", "c")))
	_, err = s.APIKey(ctx, next.Digest)
	wantErr(t, "replaced at once", err, store.ErrNotFound)
	if got, want := keyIDs(t, s, "c"), []string{"fourth", "old", "third"}; !slices.Equal(got, want) {
		t.Errorf("in the end: got %q, want %q", got, want)
	}
}

// wantChanged checks that the changes after a cursor are of that kind and have these IDs.
func wantChanged(t *testing.T, s store.Store, after store.Cursor, kind store.Kind, want ...string) {
	t.Helper()
	cs, _, err := s.Since(t.Context(), after)
	must(t, err)
	var ids []string
	for _, c := range cs {
		if c.Kind != kind {
			t.Errorf("a change %+v, want one of kind %d", c, kind)
		}
		ids = append(ids, c.ID)
	}
	if !slices.Equal(ids, want) {
		t.Errorf("changes of %q, want %q", ids, want)
	}
}

func testReplaceAPIKeyRefused(t *testing.T, s store.Store) {
	ctx := t.Context()
	clients(t, s, "c", "d")
	must(t, s.CreateAPIKeys(ctx, apiKey("k", "c"), apiKey("other", "c"), apiKey("gone", "d")))
	must(t, s.Revoke(ctx, store.Change{Kind: store.KindAPIKey, ID: "gone"}))
	_, cursor, err := s.Snapshot(ctx)
	must(t, err)

	taken := apiKey("next", "c")
	taken.Digest = digest("key other")
	wantErr(t, "unknown", s.ReplaceAPIKey(ctx, "x", start, apiKey("next", "c")), store.ErrNotFound)
	wantErr(t, "another client's", s.ReplaceAPIKey(ctx, "k", start, apiKey("next", "d")), store.ErrNotFound)

	revived := apiKey("next", "c")
	revived.Digest = digest("key gone")

	for what, tt := range map[string]struct {
		next store.APIKey
		want error
	}{
		"its own ID":             {store.APIKey{ID: "k", Client: "c", Digest: digest("x")}, store.ErrExists},
		"its own digest":         {store.APIKey{ID: "next", Client: "c", Digest: digest("key k")}, store.ErrExists},
		"another's digest":       {taken, store.ErrExists},
		"another's ID":           {store.APIKey{ID: "other", Client: "c", Digest: digest("x")}, store.ErrExists},
		"a revoked key's ID":     {store.APIKey{ID: "gone", Client: "c", Digest: digest("x")}, store.ErrRevoked},
		"a revoked key's digest": {revived, store.ErrRevoked},
	} {
		wantErr(t, what, s.ReplaceAPIKey(ctx, "k", time.Now(), tt.next), tt.want)
	}

	wantRefused(t, "no ID", s.ReplaceAPIKey(ctx, "k", time.Now(), store.APIKey{Client: "c", Digest: digest("x")}), "ID")

	// The key must stay as it was: a refused replacement must not end it.
	if got, want := keyIDs(t, s, "c"), []string{"k", "other"}; !slices.Equal(got, want) {
		t.Errorf("after refusals: got %q, want %q", got, want)
	}
	if k, err := s.APIKeyByID(ctx, "k"); err != nil || !k.Expires.IsZero() {
		t.Errorf("after refusals: got %+v, %v, want it as it was", k, err)
	}
	wantChanged(t, s, cursor, store.KindAPIKey)
}

func testReplaceAPIKeyConcurrent(t *testing.T, s store.Store) { testReplaceBetween(t, s, s) }

// testReplaceBetween replaces two keys through both handles at once. With overlap, all
// callers must get a successor. Without overlap, exactly one must.
func testReplaceBetween(t *testing.T, a, b store.Store) {
	const callers = 50
	ctx := t.Context()
	clients(t, a, "c", "d")
	must(t, a.CreateAPIKeys(ctx, apiKey("shared", "c")))
	must(t, b.CreateAPIKeys(ctx, apiKey("once", "d")))

	var won atomic.Int32
	together(callers, func(i int) {
		s := []store.Store{a, b}[i/2%2]
		if i%2 == 0 {
			until := start.Add(time.Duration(i) * time.Minute)
			if err := s.ReplaceAPIKey(ctx, "shared", until, apiKey(fmt.Sprint("next", i), "c")); err != nil {
				t.Errorf("caller %d: %v", i, err)
			}
			return
		}
		switch err := s.ReplaceAPIKey(ctx, "once", time.Now(), apiKey(fmt.Sprint("next", i), "d")); {
		case err == nil:
			won.Add(1)
		case !errors.Is(err, store.ErrNotFound):
			t.Errorf("caller %d: %v", i, err)
		}
	})

	if ids := keyIDs(t, a, "c"); len(ids) != 1+callers/2 {
		t.Errorf("replaced with overlap: %d keys, want %d", len(ids), 1+callers/2)
	}
	if k, err := b.APIKeyByID(ctx, "shared"); err != nil || !k.Expires.Equal(start) {
		t.Errorf("replaced with overlap: got %+v, %v, want it to expire at the earliest, %v", k, err, start)
	}
	if ids := keyIDs(t, b, "d"); won.Load() != 1 || len(ids) != 1 || ids[0] == "once" {
		t.Errorf("replaced at once: %d succeeded, and there are %q, want one successor", won.Load(), ids)
	}
}

// testReplaceRevokedAPIKey revokes keys while they are replaced. A successor may exist only
// if the key was replaced before it was revoked.
func testReplaceRevokedAPIKey(t *testing.T, s store.Store) {
	ctx := t.Context()
	clients(t, s, "c")
	for round := range 30 {
		id := fmt.Sprint("k", round)
		must(t, s.CreateAPIKeys(ctx, apiKey(id, "c")))
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := s.Revoke(ctx, store.Change{Kind: store.KindAPIKey, ID: id}); err != nil {
				t.Error(err)
			}
		})

		err := s.ReplaceAPIKey(ctx, id, start, apiKey("next "+id, "c"))
		wg.Wait()
		if err != nil {
			wantErr(t, "a key that is being revoked", err, store.ErrNotFound)
		}

		// Whether it was replaced first or not, the key must be gone now.
		_, gone := s.APIKey(ctx, digest("key "+id))
		wantErr(t, "a revoked key", gone, store.ErrNotFound)

		// No error must mean that a successor exists, and an error that none does.
		if _, missing := s.APIKeyByID(ctx, "next "+id); (err == nil) != (missing == nil) {
			t.Errorf("replacing it returned %v, and looking for the successor %v", err, missing)
		}
	}
}
