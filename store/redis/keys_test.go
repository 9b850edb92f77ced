package redis_test

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/services"
	"github.com/authtier/authtier/store/redis"
)

// TestReplaced stores tokens and sessions with the digests of others, which they replace.
// Revoking the replaced ones must not revoke their successors.
func TestReplaced(t *testing.T) {
	ctx := t.Context()
	h := open(t, services.SharedRedis(t).DSN(), redis.Config{Namespace: services.Name()})
	tok := token("a", "before")
	moved := tok
	moved.Family, moved.ID = "after", "id-after"
	for _, err := range []error{
		h.PutTokens(ctx, tok), h.PutTokens(ctx, moved),
		h.PutSession(ctx, session("before", tok.Digest, tok.Expires)),
		h.PutSession(ctx, session("after", tok.Digest, tok.Expires)),
		h.Revoke(ctx,
			store.Change{Kind: store.KindFamily, ID: "before"}, store.Change{Kind: store.KindToken, ID: tok.ID},
			store.Change{Kind: store.KindSession, ID: "before"}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if got, err := h.Token(ctx, tok.Digest); err != nil || got.Family != "after" {
		t.Errorf("token: got %+v, %v", got, err)
	}
	if got, err := h.Session(ctx, tok.Digest); err != nil || got.ID != "after" {
		t.Errorf("session: got %+v, %v", got, err)
	}
	if err := h.Revoke(ctx, store.Change{Kind: store.KindFamily, ID: "after"}); err != nil {
		t.Fatal(err)
	}
	if got, err := h.Token(ctx, tok.Digest); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("revoked token: got %+v, %v", got, err)
	}
}

// TestSharedID revokes two tokens with the same ID.
func TestSharedID(t *testing.T) {
	h := open(t, services.SharedRedis(t).DSN(), redis.Config{Namespace: services.Name()})
	one, two := token("one", "f"), token("two", "g")
	two.ID = one.ID
	if err := errors.Join(
		h.PutTokens(t.Context(), one, two, token("three", "f")),
		h.Revoke(t.Context(), store.Change{Kind: store.KindToken, ID: one.ID}),
	); err != nil {
		t.Fatal(err)
	}
	for secret, want := range map[string]error{"one": store.ErrNotFound, "two": store.ErrNotFound, "three": nil} {
		if _, err := h.Token(t.Context(), store.DigestOf(secret)); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", secret, err, want)
		}
	}
}

// TestNothingIsLeft stores more records than a sweep drops in one step, and revokes or
// sweeps all of them. Only the sequence and the tombstones may be left.
func TestNothingIsLeft(t *testing.T) {
	ctx, now := t.Context(), time.Now()
	s := services.SharedRedis(t)
	ns := services.Name()
	h := open(t, s.DSN(), redis.Config{Namespace: ns})
	const n = 450
	for i := range n {
		var tokens []store.Token
		for _, end := range []string{"swept", "revoked"} {
			tok := token(fmt.Sprint(end, i), fmt.Sprint(end, " family ", i))
			tokens = append(tokens, tok)
		}
		for _, err := range []error{
			h.PutTokens(ctx, tokens...),
			h.RotateRefreshToken(ctx, tokens[0].Digest, "c", now, 0, token(fmt.Sprint("next", i), tokens[0].Family)),
			h.PutSession(ctx, session(fmt.Sprint(i), tokens[0].Digest, now)),
			h.PutSigningKeys(ctx, store.SigningKey{Set: fmt.Sprint("set", i%2, ":"), ID: fmt.Sprint(":", i), Alg: "ES256", Sealed: []byte("x"), Published: now, Ends: now}),
			h.Revoke(ctx, store.Change{Kind: store.KindFamily, ID: tokens[1].Family, Until: now}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, err := range []error{
		h.CreateClient(ctx, store.Client{ID: "c", Secrets: []store.Secret{{ID: "s", Digest: store.DigestOf("s")}}}),
		h.CreateClient(ctx, store.Client{ID: "d"}),
		h.CreateUsers(ctx, store.User{Login: "u", LimitScopes: true}),
		h.CreateAPIKeys(ctx, owned("k", "c", "u"), owned("l", "d", "u"), owned("m", "d", "v"), owned("n", "d", "v")),
		h.Revoke(ctx, store.Change{Kind: store.KindAPIKey, ID: "m"}),
		h.UpdateAPIKey(ctx, "n", func(k *store.APIKey) error { k.Owner = ""; return nil }),
		h.DeleteClient(ctx, "c"), h.DeleteUser(ctx, "u"), h.DeleteClient(ctx, "d"),
		h.Sweep(ctx, now.Add(1000*time.Hour)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var left []string
	for key := range maps.Keys(dump(t, s, ns)) {
		left = append(left, strings.TrimPrefix(key, "{"+ns+"}:"))
	}
	slices.Sort(left)
	if want := []string{"changes", "format", "indexed", "tombstones:apikey", "tombstones:apikeyid", "tombstones:secrets:c", "versions"}; !slices.Equal(left, want) {
		t.Errorf("left are %q, want %q", left, want)
	}
}

// owned returns a key with all fields that the previous version does not know.
func owned(id, client, owner string) store.APIKey {
	k := apiKey(id, client)
	k.Name, k.Owner, k.Addrs = "name of "+id, owner, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	return k
}

// TestSequenceIsTrimmed makes more changes than are kept, and reads from every cursor that
// the store has returned.
func TestSequenceIsTrimmed(t *testing.T) {
	const changes, each = 6000, 50
	ctx := t.Context()
	h := open(t, services.SharedRedis(t).DSN(), redis.Config{Namespace: services.Name()})
	_, cursor, err := h.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cursors := []store.Cursor{cursor}
	for i := range changes / each {
		var cs []store.Change
		for k := range each {
			cs = append(cs, store.Change{Kind: store.KindAPIKey, ID: fmt.Sprint(i*each + k)})
		}
		if err := h.Revoke(ctx, cs...); err != nil {
			t.Fatal(err)
		}
		if _, cursor, err = h.Since(ctx, cursor); err != nil {
			t.Fatal(err)
		}
		cursors = append(cursors, cursor)
	}
	kept := 0
	for i, c := range cursors {
		got, head, err := h.Since(ctx, c)
		switch {
		case errors.Is(err, store.ErrNotFound) && kept == 0:
		case err != nil:
			t.Fatalf("cursor %d: %v", i, err)
		case len(got) != changes-i*each || head != cursor || len(got) > 0 && got[0].ID != fmt.Sprint(i*each):
			t.Fatalf("cursor %d: got %d changes to %v, want %d", i, len(got), head, changes-i*each)
		default:
			kept += each
		}
	}
	if kept < 4000 || kept > 4200 {
		t.Errorf("%d cursors are good, want some four thousand", kept)
	}
}
