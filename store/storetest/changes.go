package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

func testChanges(t *testing.T, s store.Store) {
	ctx := t.Context()
	clients(t, s, "c")
	must(t, s.CreateUsers(ctx, store.User{Login: "u"}))
	_, cursor, err := s.Snapshot(ctx)
	must(t, err)

	if cs, next, err := s.Since(ctx, cursor); err != nil || len(cs) != 0 || next != cursor {
		t.Fatalf("nothing new: got %v, %v, %v", cs, next, err)
	}

	want := []store.Change{
		{Kind: store.KindToken, ID: "t", Until: start},
		{Kind: store.KindFamily, ID: "f", Until: start.Add(time.Hour)},
		{Kind: store.KindClient, ID: "c"},
		{Kind: store.KindUser, ID: "u"},
		{Kind: store.KindSession, ID: "s", Until: start},
		{Kind: store.KindAPIKey, ID: "k"},
	}

	must(t, s.Revoke(ctx, want[:2]...))
	must(t, s.Revoke(ctx, want[2:]...))
	// Storing and rotating tokens is not a change.
	must(t, s.PutTokens(ctx, refresh("r1", "f2")))
	must(t, s.RotateRefreshToken(ctx, digest("r1"), "c", start, 0, refresh("r2", "f2")))

	got, next, err := s.Since(ctx, cursor)
	must(t, err)
	c, err := s.Client(ctx, "c")
	must(t, err)
	u, err := s.User(ctx, "u")
	must(t, err)

	// The changes tell the versions, so that readers need not ask for them.
	want[2].Version, want[3].Version = c.Version, u.Version
	if !slices.EqualFunc(got, want, sameChange) {
		t.Errorf("changes in order, and none for tokens made: got %+v, want %+v", got, want)
	}
	if cs, _, err := s.Since(ctx, next); err != nil || len(cs) != 0 {
		t.Errorf("after the last: got %v, %v", cs, err)
	}
}

func sameChange(a, b store.Change) bool {
	return a.Kind == b.Kind && a.ID == b.ID && a.Version == b.Version && a.Until.Equal(b.Until)
}

func testForeignCursor(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.Revoke(ctx, store.Change{Kind: store.KindFamily, ID: "f"}))
	_, cursor, err := s.Snapshot(ctx)
	must(t, err)

	// A store that was put back to an earlier copy must refuse its later cursors.
	foreign := cursor
	foreign.Nonce[0]++
	_, _, err = s.Since(ctx, foreign)
	wantErr(t, "cursor of another history", err, store.ErrNotFound)
	ahead := cursor
	ahead.N++
	_, _, err = s.Since(ctx, ahead)
	wantErr(t, "cursor from the future", err, store.ErrNotFound)
	_, _, err = s.Since(ctx, store.Cursor{})
	wantErr(t, "zero cursor", err, store.ErrNotFound)
}

func testSnapshot(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.CreateUsers(ctx, store.User{Login: "u"}))
	must(t, s.Revoke(ctx,
		store.Change{Kind: store.KindToken, ID: "t", Until: time.Now().Add(time.Hour)},
		store.Change{Kind: store.KindUser, ID: "u"},
		store.Change{Kind: store.KindUser, ID: "u"}))
	u, err := s.User(ctx, "u")
	must(t, err)

	cs, cursor, err := s.Snapshot(ctx)
	must(t, err)
	token := slices.IndexFunc(cs, func(c store.Change) bool { return c.Kind == store.KindToken && c.ID == "t" })
	user := slices.IndexFunc(cs, func(c store.Change) bool {
		return c.Kind == store.KindUser && c.ID == "u" && c.Version == u.Version
	})
	if token < 0 || user < 0 {
		t.Errorf("snapshot %+v lacks the token, or the user at version %d", cs, u.Version)
	}

	// The cursor must continue where the snapshot ends, without a gap.
	must(t, s.Revoke(ctx, store.Change{Kind: store.KindFamily, ID: "f"}))
	if cs, _, err := s.Since(ctx, cursor); err != nil || len(cs) != 1 || cs[0].ID != "f" {
		t.Errorf("since the snapshot: got %+v, %v, want only the family", cs, err)
	}
}

// testRevokedUntil revokes one family until several times. The latest time counts.
func testRevokedUntil(t *testing.T, s store.Store) {
	ctx := t.Context()
	hour := func(n int) time.Time { return start.Add(time.Duration(n) * time.Hour) }

	for id, times := range map[string][]time.Time{
		"longer": {hour(1), hour(3)}, "shorter": {hour(3), hour(1)},
		"endless": {hour(1), {}}, "no longer endless": {{}, hour(1)},
	} {
		for _, until := range times {
			must(t, s.Revoke(ctx, store.Change{Kind: store.KindFamily, ID: id, Until: until}))
		}
	}

	// Only a revocation that was shortened by mistake would be swept here.
	must(t, s.Sweep(ctx, hour(3)))
	cs, _, err := s.Snapshot(ctx)
	must(t, err)

	got := map[string]time.Time{}
	for _, c := range cs {
		got[c.ID] = c.Until
	}
	for id, want := range map[string]time.Time{"longer": hour(3), "shorter": hour(3), "endless": {}, "no longer endless": {}} {
		if until, ok := got[id]; !ok || !until.Equal(want) {
			t.Errorf("%s: in force until %v, %t, want %v", id, until, ok, want)
		}
	}
}
