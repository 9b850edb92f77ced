package storetest

import (
	"errors"
	"fmt"
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

// keyIDs returns the IDs of a client's API keys, in the order of the listing.
func keyIDs(t *testing.T, s store.Store, client string) (ids []string) {
	t.Helper()
	ks, err := s.APIKeysOf(t.Context(), client)
	must(t, err)
	for _, k := range ks {
		ids = append(ids, k.ID)
	}
	return ids
}

func sameAPIKey(a, b store.APIKey) bool {
	return a.ID == b.ID && a.Client == b.Client && a.Digest == b.Digest && slices.Equal(a.Scopes, b.Scopes) &&
		a.Created.Equal(b.Created) && a.Expires.Equal(b.Expires) && a.LastUsed.Equal(b.LastUsed)
}

func testListAPIKeys(t *testing.T, s store.Store) {
	ctx := t.Context()
	in := store.APIKey{
		ID: "b", Client: "c", Digest: digest("b"), Scopes: []string{"x", "y"},
		Created: start.Add(-time.Hour), Expires: start, LastUsed: start, // which is not for Put to say
	}
	must(t, s.PutAPIKey(ctx, in))
	for _, k := range []store.APIKey{apiKey("é", "c"), apiKey("a", "c"), apiKey("B", "c"), apiKey("a2", "C"), apiKey("10", "c"), apiKey("9", "c")} {
		must(t, s.PutAPIKey(ctx, k))
	}
	if got, want := keyIDs(t, s, "c"), []string{"10", "9", "B", "a", "b", "é"}; !slices.Equal(got, want) {
		t.Errorf("keys of c: got %q, want %q", got, want)
	}
	if got := keyIDs(t, s, "C"); !slices.Equal(got, []string{"a2"}) {
		t.Errorf("keys of C: got %q, want a2 alone", got)
	}
	in.LastUsed = time.Time{}
	ks, err := s.APIKeysOf(ctx, "c")
	must(t, err)
	if !sameAPIKey(ks[4], in) {
		t.Errorf("listed: got %+v, want %+v", ks[4], in)
	}
	if got, err := s.APIKeyByID(ctx, "b"); err != nil || !sameAPIKey(*got, in) {
		t.Errorf("by ID: got %+v, %v, want %+v", got, err, in)
	}
	if got, err := s.APIKey(ctx, digest("b")); err != nil || !sameAPIKey(*got, in) {
		t.Errorf("by digest: got %+v, %v, want %+v", got, err, in)
	}
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
	must(t, s.PutAPIKey(ctx, old))
	_, cursor, err := s.Snapshot(ctx)
	must(t, err)
	must(t, s.ReplaceAPIKey(ctx, "old", start, next))
	old.Expires = start
	for _, want := range []store.APIKey{old, next} {
		if got, err := s.APIKey(ctx, want.Digest); err != nil || !sameAPIKey(*got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	wantChanged(t, s, cursor, store.KindAPIKey, "old", "next")

	third := apiKey("third", "c")
	must(t, s.ReplaceAPIKey(ctx, "old", start.Add(time.Hour), third))
	if got, err := s.APIKeyByID(ctx, "old"); err != nil || !got.Expires.Equal(start) {
		t.Errorf("replaced again, until later: got %+v, %v, want it to expire at %v", got, err, start)
	}
	must(t, s.ReplaceAPIKey(ctx, "next", time.Now(), apiKey("fourth", "c")))
	_, err = s.APIKey(ctx, next.Digest)
	wantErr(t, "replaced at once", err, store.ErrNotFound)
	if got, want := keyIDs(t, s, "c"), []string{"fourth", "old", "third"}; !slices.Equal(got, want) {
		t.Errorf("in the end: got %q, want %q", got, want)
	}
}

// wantChanged checks that the changes after a cursor are of those IDs.
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
	must(t, s.PutAPIKey(ctx, apiKey("k", "c")))
	must(t, s.PutAPIKey(ctx, apiKey("other", "c")))
	_, cursor, err := s.Snapshot(ctx)
	must(t, err)
	taken := apiKey("next", "c")
	taken.Digest = digest("key other")
	wantErr(t, "unknown", s.ReplaceAPIKey(ctx, "x", start, apiKey("next", "c")), store.ErrNotFound)
	wantErr(t, "another client's", s.ReplaceAPIKey(ctx, "k", start, apiKey("next", "d")), store.ErrNotFound)
	for what, next := range map[string]store.APIKey{
		"no ID": {Client: "c", Digest: digest("x")}, "its own ID": {ID: "k", Client: "c", Digest: digest("x")},
		"its own digest": {ID: "next", Client: "c", Digest: digest("key k")}, "another's digest": taken,
	} {
		if err := s.ReplaceAPIKey(ctx, "k", time.Now(), next); err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: got %v, want an error", what, err)
		}
	}
	if got, want := keyIDs(t, s, "c"), []string{"k", "other"}; !slices.Equal(got, want) {
		t.Errorf("after refusals: got %q, want %q", got, want)
	}
	if k, err := s.APIKeyByID(ctx, "k"); err != nil || !k.Expires.IsZero() {
		t.Errorf("after refusals: got %+v, %v, want it as it was", k, err)
	}
	wantChanged(t, s, cursor, store.KindAPIKey)
}

func testReplaceAPIKeyConcurrent(t *testing.T, s store.Store) { testReplaceBetween(t, s, s) }

// testReplaceBetween replaces two keys through both handles at once: with overlap
// all who do have a successor, and without it one.
func testReplaceBetween(t *testing.T, a, b store.Store) {
	const callers = 50
	ctx := t.Context()
	must(t, a.PutAPIKey(ctx, apiKey("shared", "c")))
	must(t, b.PutAPIKey(ctx, apiKey("once", "d")))
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
		switch err := s.ReplaceAPIKey(ctx, "once", time.Time{}, apiKey(fmt.Sprint("next", i), "d")); {
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

// testReplaceRevokedAPIKey revokes keys while they are replaced: a successor is
// there only where the key was first.
func testReplaceRevokedAPIKey(t *testing.T, s store.Store) {
	ctx := t.Context()
	for round := range 30 {
		id := fmt.Sprint("k", round)
		must(t, s.PutAPIKey(ctx, apiKey(id, "c")))
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
		_, gone := s.APIKey(ctx, digest("key "+id))
		wantErr(t, "a revoked key", gone, store.ErrNotFound)
		if _, missing := s.APIKeyByID(ctx, "next "+id); (err == nil) != (missing == nil) {
			t.Errorf("replacing it returned %v, and looking for the successor %v", err, missing)
		}
	}
}
