package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

// grace is the period in which the tests may use a token again.
const grace = 30 * time.Second

// testRotateGrace uses tokens a second time, within their grace and after it.
func testRotateGrace(t *testing.T, s store.Store) {
	ctx := t.Context()
	usedAt := func(secret string, want time.Time) {
		t.Helper()
		got, err := s.Token(ctx, digest(secret))
		must(t, err)
		if !got.Used || !got.UsedAt.Equal(want) {
			t.Errorf("token %s: used %v at %v, want at %v", secret, got.Used, got.UsedAt, want)
		}
	}

	must(t, s.PutTokens(ctx, refresh("r1", "f"), access("a1", "f"), refresh("other", "g")))
	must(t, s.RotateRefreshToken(ctx, digest("r1"), "c", start, 0, refresh("r2", "f"), access("a2", "f")))
	usedAt("r1", start)
	_, cursor, err := s.Snapshot(ctx)
	must(t, err)

	// The caller decides about the grace, also for a token that was first used without one.
	for i, now := range []time.Time{start, start.Add(20 * time.Second), start.Add(grace - time.Microsecond), start.Add(-time.Second)} {
		r, a := fmt.Sprint("r3-", i), fmt.Sprint("a3-", i)
		if err := s.RotateRefreshToken(ctx, digest("r1"), "c", now, grace, refresh(r, "f"), access(a, "f")); err != nil {
			t.Errorf("use at start+%v: %v", now.Sub(start), err)
		}
		present(t, s, r, true)
		present(t, s, a, true)
		usedAt("r1", start)
	}

	// All successors have the same rights, and can be rotated.
	for _, secret := range []string{"r2", "r3-0", "r3-1"} {
		must(t, s.RotateRefreshToken(ctx, digest(secret), "c", start, grace, refresh("next of "+secret, "f")))
	}

	if cs, _, err := s.Since(ctx, cursor); err != nil || len(cs) != 0 {
		t.Errorf("changes in the grace: got %v, %v, want none", cs, err)
	}
	// A use after the grace is reuse, and revokes the whole family.
	wantErr(t, "use when the grace ends", s.RotateRefreshToken(ctx, digest("r1"), "c", start.Add(grace), grace, refresh("r4", "f")), store.ErrReused)
	for _, secret := range []string{"r1", "a1", "r2", "a2", "r3-0", "a3-1", "r3-2", "next of r2", "next of r3-1", "r4"} {
		present(t, s, secret, false)
	}
	present(t, s, "other", true)
	changes, _, err := s.Since(ctx, cursor)
	must(t, err)
	if len(changes) != 1 || changes[0].Kind != store.KindFamily || changes[0].ID != "f" {
		t.Errorf("changes after the grace: got %+v, want the family", changes)
	}

	used := refresh("kept", "h")
	used.Used, used.UsedAt = true, start.Add(-time.Second)
	must(t, s.PutTokens(ctx, used))
	usedAt("kept", used.UsedAt)
	must(t, s.RotateRefreshToken(ctx, digest("kept"), "c", start, grace))
	// Without the time of its first use, a token has no grace.
	used = refresh("unknown", "i")
	used.Used = true
	must(t, s.PutTokens(ctx, used, refresh("sibling", "i")))
	wantErr(t, "first use unknown", s.RotateRefreshToken(ctx, digest("unknown"), "c", start, grace), store.ErrReused)
	present(t, s, "sibling", false)
}

// testRotateGraceRefused makes uses within the grace that must be refused all the same.
func testRotateGraceRefused(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.PutTokens(ctx, refresh("r", "f"), refresh("gone", "g"), refresh("once", "h")))
	// The tokens expire a second later, within their grace.
	last := start.Add(time.Hour - time.Second)
	for _, secret := range []string{"r", "gone", "once"} {
		family := map[string]string{"r": "f", "gone": "g", "once": "h"}[secret]
		must(t, s.RotateRefreshToken(ctx, digest(secret), "c", last, grace, refresh("next of "+secret, family)))
	}

	wantErr(t, "another client", s.RotateRefreshToken(ctx, digest("r"), "d", last, grace, refresh("x", "f")), store.ErrNotFound)
	wantErr(t, "expired", s.RotateRefreshToken(ctx, digest("r"), "c", last.Add(time.Second), grace, refresh("x", "f")), store.ErrNotFound)
	present(t, s, "x", false)
	present(t, s, "next of r", true)

	must(t, s.Revoke(ctx, store.Change{Kind: store.KindFamily, ID: "g", Until: start.Add(24 * time.Hour)}))
	wantErr(t, "revoked", s.RotateRefreshToken(ctx, digest("gone"), "c", last, grace, refresh("x", "g")), store.ErrNotFound)
	present(t, s, "x", false)

	wantErr(t, "no grace", s.RotateRefreshToken(ctx, digest("once"), "c", last, 0, refresh("x", "h")), store.ErrReused)
	present(t, s, "next of once", false)
	present(t, s, "x", false)
}

// testRotateGraceConcurrent uses a token many times at once within its grace. All callers
// must succeed, and all must agree on the time of the first use.
func testRotateGraceConcurrent(t *testing.T, s store.Store) {
	const callers = 50
	ctx := t.Context()
	must(t, s.PutTokens(ctx, refresh("r", "f")))

	var first [callers]time.Time
	together(callers, func(i int) {
		now := start.Add(time.Duration(i) * time.Millisecond)
		if err := s.RotateRefreshToken(ctx, digest("r"), "c", now, grace, refresh(fmt.Sprint("next", i), "f")); err != nil {
			t.Errorf("caller %d: %v", i, err)
		} else if old, err := s.Token(ctx, digest("r")); err != nil {
			t.Errorf("caller %d: %v", i, err)
		} else {
			first[i] = old.UsedAt
		}
	})

	old, err := s.Token(ctx, digest("r"))
	must(t, err)
	if n := old.UsedAt.Sub(start) / time.Millisecond; n < 0 || n >= callers || !old.Used {
		t.Errorf("used %v at %v, which is not the time of any caller", old.Used, old.UsedAt)
	}
	for i := range callers {
		if !first[i].Equal(old.UsedAt) {
			t.Errorf("after caller %d the first use was at %v, and in the end at %v", i, first[i], old.UsedAt)
		}
		present(t, s, fmt.Sprint("next", i), true)
	}

	wantErr(t, "after the grace", s.RotateRefreshToken(ctx, digest("r"), "c", start.Add(time.Minute), grace), store.ErrReused)
	for i := range callers {
		present(t, s, fmt.Sprint("next", i), false)
	}
}
