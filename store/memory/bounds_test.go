package memory_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

// TestFeedIsTrimmed makes more changes than are kept, and reads from every cursor that
// the store has returned.
func TestFeedIsTrimmed(t *testing.T) {
	s := memory.New()
	_, cursor, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const changes = 10_000
	cursors := []store.Cursor{cursor}
	for i := range changes {
		if err := s.Revoke(t.Context(), store.Change{Kind: store.KindToken, ID: fmt.Sprint(i), Until: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		if _, cursor, err = s.Since(t.Context(), cursor); err != nil {
			t.Fatal(err)
		}
		cursors = append(cursors, cursor)
	}

	kept := 0
	for i, c := range cursors {
		got, head, err := s.Since(t.Context(), c)
		switch {
		case errors.Is(err, store.ErrNotFound) && kept == 0:
		case err != nil:
			t.Fatalf("cursor %d: %v", i, err)
		case len(got) != changes-i || head != cursor || i < changes && got[0].ID != fmt.Sprint(i):
			t.Fatalf("cursor %d: got %d changes to %v, want %d", i, len(got), head, changes-i)
		default:
			kept++
		}
	}
	if kept < 1000 || kept > 5000 {
		t.Errorf("%d cursors are good, want some thousand", kept)
	}
}

// TestExpiredTokensAreDropped stores tokens until the store sweeps by itself.
func TestExpiredTokensAreDropped(t *testing.T) {
	s, now := memory.New(), time.Now()
	put := func(id string, refresh bool, expires, ends time.Duration) {
		t.Helper()
		err := s.PutTokens(t.Context(), store.Token{
			ID: id, Client: "c", Digest: store.DigestOf(id), Refresh: refresh, Issued: now, Expires: now.Add(expires), FamilyEnds: now.Add(ends),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	put("live", false, time.Hour, time.Hour)
	put("dead", false, -2*time.Hour, time.Hour)
	put("dead, its family alive", true, -2*time.Hour, time.Hour) // must stay, so that reuse is noticed
	put("dead with its family", true, -3*time.Hour, -2*time.Hour)
	for i := range 5000 {
		put(fmt.Sprint(i), false, time.Hour, time.Hour)
	}
	for id, want := range map[string]bool{"live": true, "dead": false, "dead, its family alive": true, "dead with its family": false, "17": true} {
		if _, err := s.Token(t.Context(), store.DigestOf(id)); (err == nil) != want {
			t.Errorf("%s: got %v", id, err)
		}
	}
}
