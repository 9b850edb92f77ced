package storetest

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

func testRehash(t *testing.T, s store.Store) {
	ctx := t.Context()
	weak, strong := hash('w'), hash('s')
	must(t, s.CreateUsers(ctx, store.User{Login: "u", Password: weak, First: "F"}))
	before, err := s.User(ctx, "u")
	must(t, err)
	_, cursor, err := s.Snapshot(ctx)
	must(t, err)

	// The same password in another hash must neither end sessions nor be a change.
	must(t, s.Rehash(ctx, "u", weak, strong))
	after, err := s.User(ctx, "u")
	must(t, err)
	if after.Password != strong || after.Version != before.Version || after.First != "F" {
		t.Errorf("rehashed: password %q, %v, want %q, at version %d", after.Password, after, strong, before.Version)
	}
	if cs, _, err := s.Since(ctx, cursor); err != nil || len(cs) != 0 {
		t.Errorf("rehashed: got changes %v, %v, want none", cs, err)
	}

	// A late Rehash must not bring back a password that was replaced.
	wantErr(t, "Rehash of a hash that was replaced", s.Rehash(ctx, "u", weak, hash('x')), store.ErrNotFound)
	wantErr(t, "Rehash of an unknown user", s.Rehash(ctx, "v", weak, hash('x')), store.ErrNotFound)

	must(t, s.SetPassword(ctx, "u", hash('n')))
	if u, err := s.User(ctx, "u"); err != nil || u.Version <= after.Version || u.Password != hash('n') {
		t.Errorf("a new password after Rehash: got %v, %v, want the version raised", u, err)
	}
}

func testSigningKeys(t *testing.T, s store.Store) {
	ctx := t.Context()
	if ks, err := s.SigningKeys(ctx, "set"); err != nil || len(ks) != 0 {
		t.Errorf("no keys: got %v, %v", ks, err)
	}
	_, cursor, err := s.Snapshot(ctx)
	must(t, err)

	old := store.SigningKey{Set: "set", ID: "old", Alg: "ES256", Sealed: []byte("\x00sealed"), Published: start, Signs: start}
	young := store.SigningKey{Set: "set", ID: "young", Alg: "EdDSA", Sealed: []byte("s"), Published: start.Add(time.Hour)}
	must(t, s.PutSigningKeys(ctx, young, store.SigningKey{Set: "other", ID: "old", Alg: "RS256", Sealed: []byte("s"), Published: start}))
	must(t, s.PutSigningKeys(ctx, old))
	young.Signs, old.Ends = start.Add(2*time.Hour), start.Add(3*time.Hour)
	must(t, s.PutSigningKeys(ctx, old, young))

	got, err := s.SigningKeys(ctx, "set")
	must(t, err)
	if !slices.EqualFunc(got, []store.SigningKey{old, young}, sameSigningKey) {
		t.Errorf("got %+v, want %+v", got, []store.SigningKey{old, young})
	}

	// Other nodes learn of all stored keys, in the order in which these were stored.
	cs, _, err := s.Since(ctx, cursor)
	must(t, err)
	var ids []string
	for _, c := range cs {
		if c.Kind != store.KindSigningKey {
			t.Errorf("change %+v, want a signing key's", c)
		}
		ids = append(ids, c.ID)
	}
	if want := []string{"young", "old", "old", "old", "young"}; !slices.Equal(ids, want) {
		t.Errorf("changes of %v, want %v", ids, want)
	}
}

// testSigningKeysEnd writes a key again that was read before its end was stored.
func testSigningKeysEnd(t *testing.T, s store.Store) {
	ctx := t.Context()
	k := store.SigningKey{Set: "set", ID: "k", Alg: "ES256", Sealed: []byte("s"), Published: start, Signs: start, Ends: start.Add(time.Hour)}
	must(t, s.PutSigningKeys(ctx, k))
	stale := k
	for _, ends := range []time.Time{{}, start.Add(2 * time.Hour), start.Add(time.Hour)} {
		stale.Ends = ends
		must(t, s.PutSigningKeys(ctx, stale))
		got, err := s.SigningKeys(ctx, "set")
		must(t, err)
		if len(got) != 1 || !sameSigningKey(got[0], k) {
			t.Errorf("written again with an end at %v: got %+v, want %+v", ends, got, k)
		}
	}
	// Only an earlier end replaces the stored one.
	k.Ends = start.Add(time.Minute)
	must(t, s.PutSigningKeys(ctx, k))
	if got, err := s.SigningKeys(ctx, "set"); err != nil || len(got) != 1 || !got[0].Ends.Equal(k.Ends) {
		t.Errorf("an earlier end: got %+v, %v", got, err)
	}
}

// testEpoch stores an end in 1970. It must not be confused with the zero time, never.
func testEpoch(t *testing.T, s store.Store) {
	ctx, epoch := t.Context(), time.Unix(0, 0)
	clients(t, s, "c")
	must(t, s.CreateAPIKeys(ctx, apiKey("k", "c")))
	must(t, s.UpdateAPIKey(ctx, "k", func(k *store.APIKey) error { k.Expires = epoch; return nil }))
	k, err := s.APIKey(ctx, digest("key k"))
	must(t, err)
	if k.Expires.IsZero() || k.Expires.After(epoch.Add(time.Second)) {
		t.Errorf("a key that expired in 1970: expires at %v", k.Expires)
	}
}

// testVersionFloor revokes clients and users at versions that are higher or lower than
// the stored ones.
func testVersionFloor(t *testing.T, s store.Store) {
	ctx := t.Context()
	clients(t, s, "c")
	must(t, s.CreateUsers(ctx, store.User{Login: "u"}))
	_, cursor, err := s.Snapshot(ctx)
	must(t, err)

	// A higher version must be exceeded, and the changes must tell the result.
	must(t, s.Revoke(ctx, store.Change{Kind: store.KindClient, ID: "c", Version: 40}, store.Change{Kind: store.KindUser, ID: "u", Version: 50}))
	c, err := s.Client(ctx, "c")
	must(t, err)
	u, err := s.User(ctx, "u")
	must(t, err)
	cs, _, err := s.Since(ctx, cursor)
	must(t, err)
	if c.Version <= 40 || u.Version <= 50 || len(cs) != 2 || cs[0].Version != c.Version || cs[1].Version != u.Version {
		t.Errorf("raised beyond 40 and 50: got %d, %d, and the changes %+v", c.Version, u.Version, cs)
	}

	// A lower one must not set the version back.
	must(t, s.Revoke(ctx, store.Change{Kind: store.KindUser, ID: "u", Version: 3}))
	if after, err := s.User(ctx, "u"); err != nil || after.Version <= u.Version {
		t.Errorf("raised with a floor that is below: got %v, %v, want more than %d", after, err, u.Version)
	}
}

func sameSigningKey(a, b store.SigningKey) bool {
	return a.Set == b.Set && a.ID == b.ID && a.Alg == b.Alg && bytes.Equal(a.Sealed, b.Sealed) &&
		a.Published.Equal(b.Published) && a.Signs.Equal(b.Signs) && a.Ends.Equal(b.Ends)
}

// testSweep stores records that end at several times before and after start, and sweeps
// as of start. Records that ended less than an hour before must stay.
func testSweep(t *testing.T, s store.Store) {
	ctx := t.Context()
	put := func(secret string, refresh bool, expires, ends time.Duration) {
		t.Helper()
		token := access(secret, "family of "+secret)
		token.Refresh, token.Expires, token.FamilyEnds = refresh, start.Add(expires), start.Add(ends)
		must(t, s.PutTokens(ctx, token))
	}

	// A used refresh token must stay until its family ends, so that reuse is noticed.
	put("live", false, time.Minute, time.Hour)
	put("within the margin", false, -30*time.Minute, -30*time.Minute)
	put("over", false, -90*time.Minute, time.Hour)
	put("over, its reuse to be noticed", true, -90*time.Minute, time.Hour)
	put("over with its family", true, -90*time.Minute, -90*time.Minute)
	put("revoked", false, time.Minute, time.Hour)
	must(t, s.Revoke(ctx, store.Change{Kind: store.KindFamily, ID: "family of revoked", Until: start.Add(-90 * time.Minute)}))

	for id, ends := range map[string]time.Duration{"live": -30 * time.Minute, "over": -90 * time.Minute} {
		must(t, s.PutSession(ctx, store.Session{ID: id, Token: digest("session " + id), User: "u", Expires: start.Add(ends), Ends: start.Add(ends)}))
		must(t, s.PutSigningKeys(ctx, store.SigningKey{Set: "set", ID: id, Alg: "ES256", Sealed: []byte("s"), Published: start, Ends: start.Add(ends)}))
		must(t, s.Revoke(ctx, store.Change{Kind: store.KindToken, ID: id, Until: start.Add(ends)}))
	}

	// Records without an end must never be swept.
	must(t, s.PutSigningKeys(ctx, store.SigningKey{Set: "set", ID: "endless", Alg: "ES256", Sealed: []byte("s"), Published: start}))
	must(t, s.Revoke(ctx, store.Change{Kind: store.KindFamily, ID: "endless"}, store.Change{Kind: store.KindUser, ID: "endless"}))

	_, before, err := s.Snapshot(ctx)
	must(t, err)

	must(t, s.Sweep(ctx, start))
	for secret, want := range map[string]bool{
		"live": true, "within the margin": true, "over": false, "over, its reuse to be noticed": true, "over with its family": false,
		"revoked": false,
	} {
		present(t, s, secret, want)
	}

	_, err = s.Session(ctx, digest("session live"))
	must(t, err)
	_, err = s.Session(ctx, digest("session over"))
	wantErr(t, "session that is over", err, store.ErrNotFound)

	ks, err := s.SigningKeys(ctx, "set")
	must(t, err)
	for _, k := range ks {
		if k.ID == "over" {
			t.Error("a signing key that is over: still there")
		}
	}
	if len(ks) != 2 {
		t.Errorf("signing keys: got %+v, want the live one and the endless one", ks)
	}

	cs, cursor, err := s.Snapshot(ctx)
	must(t, err)
	inForce := map[string]bool{}
	for _, c := range cs {
		inForce[c.ID] = true
	}
	if !inForce["live"] || !inForce["endless"] || inForce["over"] || len(cs) != 3 {
		t.Errorf("in force after the sweep: %+v", cs)
	}
	if cursor != before {
		t.Error("a sweep moved the cursor")
	}

	// There is nothing left to sweep.
	must(t, s.Sweep(ctx, start))
}
