package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

// refresh returns a refresh token of client c, valid for an hour from start.
func refresh(secret, family string) store.Token {
	return store.Token{
		ID: "id-" + secret, Family: family, Client: "c", User: "u", Audience: "aud", Scopes: "a b",
		Digest: digest(secret), Refresh: true, ClientVersion: 3, UserVersion: 4,
		Issued: start, Expires: start.Add(time.Hour), FamilyEnds: start.Add(24 * time.Hour),
	}
}

// access returns an opaque access token with the same values.
func access(secret, family string) store.Token {
	t := refresh(secret, family)
	t.Refresh = false
	return t
}

func present(t *testing.T, s store.Store, secret string, want bool) {
	t.Helper()
	_, err := s.Token(t.Context(), digest(secret))
	switch {
	case want && err != nil:
		t.Errorf("token %s: got %v, want it there", secret, err)
	case !want && !errors.Is(err, store.ErrNotFound):
		t.Errorf("token %s: got %v, want it gone", secret, err)
	}
}

func testTokens(t *testing.T, s store.Store) {
	in := refresh("r", "f")
	must(t, s.PutTokens(t.Context(), in, access("a", "f")))

	got, err := s.Token(t.Context(), digest("r"))
	must(t, err)
	if !got.Issued.Equal(in.Issued) || !got.Expires.Equal(in.Expires) || !got.FamilyEnds.Equal(in.FamilyEnds) {
		t.Errorf("times: got %+v, want %+v", got, in)
	}
	in.Issued, in.Expires, in.FamilyEnds = got.Issued, got.Expires, got.FamilyEnds
	if *got != in {
		t.Errorf("got %+v, want %+v", *got, in)
	}

	present(t, s, "a", true)
	must(t, s.PutTokens(t.Context()))
}

func testRotate(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.PutTokens(ctx, refresh("r1", "f")))

	must(t, s.RotateRefreshToken(ctx, digest("r1"), "c", start, 0, refresh("r2", "f"), access("a2", "f")))
	old, err := s.Token(ctx, digest("r1"))
	must(t, err)
	if !old.Used {
		t.Error("the rotated token is not marked as used")
	}
	next, err := s.Token(ctx, digest("r2"))
	must(t, err)
	if next.Used {
		t.Error("the successor is marked as used")
	}
	present(t, s, "a2", true)
}

func testRotateReuse(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.PutTokens(ctx, refresh("r1", "f"), access("a1", "f"), refresh("other", "g")))
	must(t, s.RotateRefreshToken(ctx, digest("r1"), "c", start, 0, refresh("r2", "f")))

	_, cursor, err := s.Snapshot(ctx)
	must(t, err)

	// By this time the used token has expired. Using it is still reuse.
	late := start.Add(2 * time.Hour)
	wantErr(t, "second use", s.RotateRefreshToken(ctx, digest("r1"), "c", late, 0, refresh("r3", "f")), store.ErrReused)

	// The thief or the owner has the successor, so the whole family must go.
	for _, secret := range []string{"r2", "r3", "a1"} {
		present(t, s, secret, false)
	}
	present(t, s, "other", true)

	changes, _, err := s.Since(ctx, cursor)
	must(t, err)
	if len(changes) != 1 || changes[0].Kind != store.KindFamily || changes[0].ID != "f" || !changes[0].Until.Equal(start.Add(24*time.Hour)) {
		t.Errorf("changes after a second use: got %+v, want the family, until it ends", changes)
	}
}

func testRotateRefused(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.PutTokens(ctx, refresh("r", "f"), access("a", "f")))
	must(t, s.PutTokens(ctx, refresh("used", "g")))
	must(t, s.RotateRefreshToken(ctx, digest("used"), "c", start, 0, refresh("next", "g")))

	now := start.Add(time.Hour)

	// Another client's attempt is not a reuse, and must not end the family.
	wantErr(t, "another client", s.RotateRefreshToken(ctx, digest("r"), "d", start, 0, refresh("x", "f")), store.ErrNotFound)
	wantErr(t, "another client, used", s.RotateRefreshToken(ctx, digest("used"), "d", start, 0, refresh("x", "g")), store.ErrNotFound)
	wantErr(t, "access token", s.RotateRefreshToken(ctx, digest("a"), "c", start, 0, refresh("x", "f")), store.ErrNotFound)
	wantErr(t, "expired", s.RotateRefreshToken(ctx, digest("r"), "c", now, 0, refresh("x", "f")), store.ErrNotFound)

	present(t, s, "x", false)
	present(t, s, "next", true)
	if r, err := s.Token(ctx, digest("r")); err != nil || r.Used {
		t.Errorf("after refusals: got %+v, %v, want the token unused", r, err)
	}
}

func testRotateConcurrent(t *testing.T, s store.Store) {
	const callers = 100
	ctx := t.Context()
	must(t, s.PutTokens(ctx, refresh("r", "f")))

	var won, reused atomic.Int32
	together(callers, func(i int) {
		switch err := s.RotateRefreshToken(ctx, digest("r"), "c", start, 0, refresh(fmt.Sprint("next", i), "f")); {
		case err == nil:
			won.Add(1)
		case errors.Is(err, store.ErrReused), errors.Is(err, store.ErrNotFound):
			reused.Add(1)
		default:
			t.Errorf("caller %d: %v", i, err)
		}
	})

	if won.Load() != 1 || reused.Load() != callers-1 {
		t.Errorf("%d callers succeeded and %d came too late, want 1 and %d", won.Load(), reused.Load(), callers-1)
	}

	// The second use has revoked the family, and thereby the successor of the first.
	for i := range callers {
		present(t, s, fmt.Sprint("next", i), false)
	}
}

func testRevokeToken(t *testing.T, s store.Store) {
	must(t, s.PutTokens(t.Context(), access("a1", "f"), access("a2", "f")))
	must(t, s.Revoke(t.Context(), store.Change{Kind: store.KindToken, ID: "id-a1", Until: start}))
	present(t, s, "a1", false)
	present(t, s, "a2", true)
	// Revoking deletes a token. Its ID and digest can be used again.
	must(t, s.PutTokens(t.Context(), access("a1", "f")))
	must(t, s.Revoke(t.Context(), store.Change{Kind: store.KindToken, ID: "id-a2", Until: start}))
	present(t, s, "a1", true)
}

// testRevokeNamesake checks that a token and a family with the same name are revoked
// separately.
func testRevokeNamesake(t *testing.T, s store.Store) {
	must(t, s.PutTokens(t.Context(), access("own", "id-own"), access("sibling", "id-own"), access("a", "f")))
	must(t, s.PutTokens(t.Context(), access("only", "id-only")))

	must(t, s.Revoke(t.Context(), store.Change{Kind: store.KindFamily, ID: "id-a", Until: start}))
	present(t, s, "a", true)
	must(t, s.Revoke(t.Context(), store.Change{Kind: store.KindToken, ID: "id-own", Until: start}))
	present(t, s, "own", false)
	present(t, s, "sibling", true)
	must(t, s.Revoke(t.Context(), store.Change{Kind: store.KindToken, ID: "id-only", Until: start}))
	present(t, s, "only", false)
	must(t, s.Revoke(t.Context(), store.Change{Kind: store.KindFamily, ID: "id-own", Until: start}))
	present(t, s, "sibling", false)
	must(t, s.Revoke(t.Context(), store.Change{Kind: store.KindToken, ID: "f", Until: start}))
	present(t, s, "a", true)
}

func testRevokeFamily(t *testing.T, s store.Store) {
	must(t, s.PutTokens(t.Context(), access("a1", "f"), refresh("r1", "f"), refresh("r2", "g")))
	must(t, s.Revoke(t.Context(), store.Change{Kind: store.KindFamily, ID: "f", Until: start}))
	present(t, s, "a1", false)
	present(t, s, "r1", false)
	present(t, s, "r2", true)
}

func testSessions(t *testing.T, s store.Store) {
	ctx := t.Context()
	in := store.Session{
		ID: "s1", Token: digest("t"), Cookie: digest("c"), User: "u", UserVersion: 7,
		Expires: start.Add(time.Minute), Ends: start.Add(3 * time.Minute),
	}
	must(t, s.PutSession(ctx, in))

	expires := func(what string, want time.Duration) {
		t.Helper()
		got, err := s.Session(ctx, digest("t"))
		must(t, err)
		if !got.Expires.Equal(start.Add(want)) {
			t.Errorf("%s: expires at start+%v, want +%v", what, got.Expires.Sub(start), want)
		}
	}

	got, err := s.Session(ctx, digest("t"))
	must(t, err)
	if got.ID != in.ID || got.Token != in.Token || got.Cookie != in.Cookie || got.User != in.User || got.UserVersion != 7 || !got.Ends.Equal(in.Ends) {
		t.Errorf("got %+v, want %+v", got, in)
	}

	// Renewing only lengthens a session, up to its end.
	must(t, s.Renew(ctx, digest("t"), start, start.Add(2*time.Minute)))
	expires("renewed", 2*time.Minute)
	must(t, s.Renew(ctx, digest("t"), start, start.Add(time.Minute)))
	expires("renewed with an earlier time", 2*time.Minute)
	must(t, s.Renew(ctx, digest("t"), start, start.Add(time.Hour)))
	expires("renewed beyond its end", 3*time.Minute)
	wantErr(t, "renewing an expired session", s.Renew(ctx, digest("t"), start.Add(3*time.Minute), start.Add(time.Hour)), store.ErrNotFound)

	// Renewing must not revive a session.
	must(t, s.Revoke(ctx, store.Change{Kind: store.KindSession, ID: "s1"}))
	_, err = s.Session(ctx, digest("t"))
	wantErr(t, "revoked session", err, store.ErrNotFound)
	wantErr(t, "renewing a revoked session", s.Renew(ctx, digest("t"), start, start.Add(time.Minute)), store.ErrNotFound)
}
