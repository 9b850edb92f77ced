// Package storetest checks implementations of [store.Store], including your own.
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) store.Store { return mystore.New() })
//	}
//
// [RunShared] checks stores that several processes may share.
package storetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

// Run checks the stores that newStore returns. newStore must return an empty store for
// each subtest, and registers its own cleanup with t. A store that has a Close method is
// also used after Close. Run the tests under the race detector.
func Run(t *testing.T, newStore func(t *testing.T) store.Store) {
	for _, tt := range []struct {
		name string
		test func(*testing.T, store.Store)
	}{
		{"Missing", testMissing},
		{"Clients", testClients},
		{"Users", testUsers},
		{"APIKeys", testAPIKeys},
		{"Owners", testOwners},
		{"Checked", testChecked},
		{"UntilZero", testUntilZero},
		{"CreateExpired", testCreateExpired},
		{"CreateTooMany", testCreateTooMany},
		{"ScopesOfClient", testScopesOfClient},
		{"UpdateExpires", testUpdateExpires},
		{"RevokeRefused", testRevokeRefused},
		{"CreateExists", testCreateExists},
		{"CreateRevokedKey", testCreateRevokedKey},
		{"CreateRevokedSecret", testCreateRevokedSecret},
		{"CreateTogether", testCreateTogether},
		{"CreateMany", testCreateMany},
		{"CreateConcurrent", testCreateConcurrent},
		{"Update", testUpdate},
		{"UpdateRefused", testUpdateRefused},
		{"UpdateOutside", testUpdateOutside},
		{"UpdateConflict", testUpdateConflict},
		{"UpdateConcurrent", testUpdateConcurrent},
		{"List", testList},
		{"AdminChanges", testAdminChanges},
		{"ListAPIKeys", testListAPIKeys},
		{"ListSecrets", testListSecrets},
		{"Touch", testTouch},
		{"TouchGone", testTouchGone},
		{"ReplaceAPIKey", testReplaceAPIKey},
		{"ReplaceAPIKeyRefused", testReplaceAPIKeyRefused},
		{"ReplaceAPIKeyConcurrent", testReplaceAPIKeyConcurrent},
		{"ReplaceRevokedAPIKey", testReplaceRevokedAPIKey},
		{"AddSecret", testAddSecret},
		{"ReplaceSecrets", testReplaceSecrets},
		{"ReplaceSecretsConcurrent", testReplaceSecretsConcurrent},
		{"DeleteSecret", testDeleteSecret},
		{"Versions", testVersions},
		{"Names", testNames},
		{"NoSharing", testNoSharing},
		{"Tokens", testTokens},
		{"Rotate", testRotate},
		{"RotateReuse", testRotateReuse},
		{"RotateRefused", testRotateRefused},
		{"RotateConcurrent", testRotateConcurrent},
		{"RotateGrace", testRotateGrace},
		{"RotateGraceRefused", testRotateGraceRefused},
		{"RotateGraceConcurrent", testRotateGraceConcurrent},
		{"RevokeToken", testRevokeToken},
		{"RevokeNamesake", testRevokeNamesake},
		{"RevokeFamily", testRevokeFamily},
		{"Sessions", testSessions},
		{"Rehash", testRehash},
		{"SigningKeys", testSigningKeys},
		{"SigningKeysEnd", testSigningKeysEnd},
		{"Epoch", testEpoch},
		{"VersionFloor", testVersionFloor},
		{"Sweep", testSweep},
		{"Changes", testChanges},
		{"ChangesConcurrent", testChangesConcurrent},
		{"ForeignCursor", testForeignCursor},
		{"Snapshot", testSnapshot},
		{"RevokedUntil", testRevokedUntil},
		{"Usage", testUsage},
		{"UsageRetold", testUsageRetold},
		{"UsageLarge", testUsageLarge},
		{"UsageConcurrent", testUsageConcurrent},
		{"UsageComplete", testUsageComplete},
		{"UsageByDay", testUsageByDay},
		{"UsageFolded", testUsageFolded},
		{"UsageAdjusted", testUsageAdjusted},
		{"UsageForgotten", testUsageForgotten},
		{"UsageRefused", testUsageRefused},
		{"Cancelled", testCancelled},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, newStore(t)) })
	}

	// A store in memory needs no Close method.
	if s, ok := newStore(t).(closer); ok {
		t.Run("Closed", func(t *testing.T) { testClosed(t, s) })
	}
}

// start is a time that every store can keep exactly. It is not a full minute. It is far
// enough in the future that records do not expire during the tests.
var start = time.Now().UTC().Truncate(time.Minute).Add(1000*time.Hour + 17*time.Second)

func digest(s string) store.Digest { return store.DigestOf(s) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

// wantRefused checks that an error names a field, and is not one with which callers
// compare.
func wantRefused(t *testing.T, what string, err error, field string) {
	t.Helper()
	for _, answer := range []error{store.ErrNotFound, store.ErrExists, store.ErrRevoked, store.ErrConflict, store.ErrReused} {
		if errors.Is(err, answer) {
			t.Errorf("%s: got %v, want an error about %s", what, err, field)
		}
	}
	if err == nil || !strings.Contains(err.Error(), field) {
		t.Errorf("%s: got %v, want an error that names %s", what, err, field)
	}
}

// hash returns the hash of a password, a different one for each letter.
func hash(letter byte) string { return "$2b$04$" + strings.Repeat(string(letter), 53) }

// clients creates clients without secrets.
func clients(t *testing.T, s store.Store, ids ...string) {
	t.Helper()
	for _, id := range ids {
		must(t, s.CreateClient(t.Context(), store.Client{ID: id}))
	}
}

func testMissing(t *testing.T, s store.Store) {
	ctx := t.Context()

	// Reading a record that does not exist is an error. Listing none is not.
	_, err := s.Client(ctx, "x")
	wantErr(t, "Client", err, store.ErrNotFound)
	_, err = s.User(ctx, "x")
	wantErr(t, "User", err, store.ErrNotFound)
	_, err = s.APIKey(ctx, digest("x"))
	wantErr(t, "APIKey", err, store.ErrNotFound)
	_, err = s.Token(ctx, digest("x"))
	wantErr(t, "Token", err, store.ErrNotFound)
	_, err = s.Session(ctx, digest("x"))
	wantErr(t, "Session", err, store.ErrNotFound)
	_, err = s.APIKeyByID(ctx, "x")
	wantErr(t, "APIKeyByID", err, store.ErrNotFound)
	_, err = s.SecretsOf(ctx, "x")
	wantErr(t, "SecretsOf", err, store.ErrNotFound)
	for what, ids := range map[string][]string{
		"ListAPIKeys": keyIDs(t, s, "x"), "ListAPIKeys of all": keyIDs(t, s, ""), "ListClients": clientIDs(t, s), "ListUsers": logins(t, s),
	} {
		if len(ids) != 0 {
			t.Errorf("%s: got %q, want none", what, ids)
		}
	}

	// A change of a missing record must not create it.
	wantErr(t, "UpdateClient", s.UpdateClient(ctx, "x", func(*store.Client) error { return nil }), store.ErrNotFound)
	wantErr(t, "UpdateUser", s.UpdateUser(ctx, "x", func(*store.User) error { return nil }), store.ErrNotFound)
	wantErr(t, "UpdateAPIKey", s.UpdateAPIKey(ctx, "x", func(*store.APIKey) error { return nil }), store.ErrNotFound)
	wantErr(t, "SetPassword", s.SetPassword(ctx, "x", hash('a')), store.ErrNotFound)
	wantErr(t, "Rehash", s.Rehash(ctx, "x", hash('a'), hash('b')), store.ErrNotFound)
	wantErr(t, "CreateAPIKeys", s.CreateAPIKeys(ctx, apiKey("y", "x")), store.ErrNotFound)
	wantErr(t, "AddSecret", s.AddSecret(ctx, "x", secretOf("s", time.Time{})), store.ErrNotFound)
	wantErr(t, "ReplaceSecrets", s.ReplaceSecrets(ctx, "x", secretOf("s", time.Time{}), start), store.ErrNotFound)
	wantErr(t, "DeleteSecret", s.DeleteSecret(ctx, "x", "s"), store.ErrNotFound)
	wantErr(t, "ReplaceAPIKey", s.ReplaceAPIKey(ctx, "x", start, apiKey("y", "c")), store.ErrNotFound)
	wantErr(t, "Renew", s.Renew(ctx, digest("x"), start, start), store.ErrNotFound)
	wantErr(t, "Rotate", s.RotateRefreshToken(ctx, digest("x"), "c", start, 0), store.ErrNotFound)
	// Deleting what does not exist, and creating nothing, are not errors.
	must(t, s.DeleteClient(ctx, "x"))
	must(t, s.DeleteUser(ctx, "x"))
	must(t, s.CreateUsers(ctx))
	must(t, s.CreateAPIKeys(ctx))
}

func testCancelled(t *testing.T, s store.Store) {
	must(t, s.CreateClient(t.Context(), store.Client{ID: "c", Secrets: []store.Secret{{ID: "s", Digest: digest("s")}}}))
	must(t, s.CreateAPIKeys(t.Context(), store.APIKey{ID: "k", Client: "c", Digest: digest("k")}))
	must(t, s.CreateUsers(t.Context(), store.User{Login: "u"}))
	must(t, s.PutTokens(t.Context(), refresh("r", "f")))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	_, errClient := s.Client(ctx, "c")
	_, errUser := s.User(ctx, "u")
	_, errToken := s.Token(ctx, digest("r"))
	_, errByID := s.APIKeyByID(ctx, "k")
	_, errKeys := s.ListAPIKeys(ctx, "c", "", 9)
	_, errClients := s.ListClients(ctx, "", 9)
	_, errUsers := s.ListUsers(ctx, "", 9)
	_, errSecrets := s.SecretsOf(ctx, "c")
	for what, err := range map[string]error{
		"Client": errClient, "User": errUser, "Token": errToken,
		"APIKeyByID": errByID, "SecretsOf": errSecrets,
		"ListAPIKeys": errKeys, "ListClients": errClients, "ListUsers": errUsers,
		"CreateClient":   s.CreateClient(ctx, store.Client{ID: "c2"}),
		"CreateUsers":    s.CreateUsers(ctx, store.User{Login: "u2"}),
		"CreateAPIKeys":  s.CreateAPIKeys(ctx, apiKey("k2", "c")),
		"UpdateClient":   s.UpdateClient(ctx, "c", func(c *store.Client) error { c.Disabled = true; return nil }),
		"UpdateUser":     s.UpdateUser(ctx, "u", func(u *store.User) error { u.Disabled = true; return nil }),
		"UpdateAPIKey":   s.UpdateAPIKey(ctx, "k", func(k *store.APIKey) error { k.Name = "n"; return nil }),
		"SetPassword":    s.SetPassword(ctx, "u", hash('a')),
		"ReplaceAPIKey":  s.ReplaceAPIKey(ctx, "k", start, store.APIKey{ID: "k2", Client: "c", Digest: digest("k2")}),
		"AddSecret":      s.AddSecret(ctx, "c", store.Secret{ID: "s2", Digest: digest("s2")}),
		"ReplaceSecrets": s.ReplaceSecrets(ctx, "c", store.Secret{ID: "s2", Digest: digest("s2")}, start),
		"DeleteSecret":   s.DeleteSecret(ctx, "c", "s"),
		"Touch":          s.Touch(ctx, store.Use{ID: "k", At: start}),
		"PutTokens":      s.PutTokens(ctx, refresh("r2", "f")),
		"Rotate":         s.RotateRefreshToken(ctx, digest("r"), "c", start, 0, refresh("r3", "f")),
		"Revoke":         s.Revoke(ctx, store.Change{Kind: store.KindFamily, ID: "f"}),
	} {
		if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrReused) {
			t.Errorf("%s with a cancelled context: got %v, want its end", what, err)
		}
	}

	// None of the writes may have had an effect.
	if r, err := s.Token(t.Context(), digest("r")); err != nil || r.Used {
		t.Errorf("after cancelled calls: got %+v, %v, want the token unused", r, err)
	}
	if ks := keyIDs(t, s, "c"); !slices.Equal(ks, []string{"k"}) {
		t.Errorf("after cancelled calls: API keys %v, want only k", ks)
	}
	if ids := secretIDs(t, s, "c"); !slices.Equal(ids, []string{"s"}) {
		t.Errorf("after cancelled calls: secrets %v, want only s", ids)
	}
	if cs, us := clientIDs(t, s), logins(t, s); !slices.Equal(cs, []string{"c"}) || !slices.Equal(us, []string{"u"}) {
		t.Errorf("after cancelled calls: clients %v and users %v, want only c and u", cs, us)
	}
}

// together runs f n times concurrently.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-gate
			f(i)
		})
	}
	close(gate)
	wg.Wait()
}
