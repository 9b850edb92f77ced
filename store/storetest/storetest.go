// Package storetest checks implementations of [store.Store], anyone's own too:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) store.Store { return mystore.New() })
//	}
//
// [RunShared] checks those that several processes may share.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

// Run checks the stores that newStore returns, an empty one for each subtest.
// NewStore registers its own cleanup with t. Run under the race detector.
func Run(t *testing.T, newStore func(t *testing.T) store.Store) {
	for _, tt := range []struct {
		name string
		test func(*testing.T, store.Store)
	}{
		{"Missing", testMissing},
		{"Clients", testClients},
		{"Users", testUsers},
		{"APIKeys", testAPIKeys},
		{"APIKeyMoves", testAPIKeyMoves},
		{"ListAPIKeys", testListAPIKeys},
		{"ListSecrets", testListSecrets},
		{"Touch", testTouch},
		{"TouchGone", testTouchGone},
		{"ReplaceAPIKey", testReplaceAPIKey},
		{"ReplaceAPIKeyRefused", testReplaceAPIKeyRefused},
		{"ReplaceAPIKeyConcurrent", testReplaceAPIKeyConcurrent},
		{"ReplaceRevokedAPIKey", testReplaceRevokedAPIKey},
		{"AddSecret", testAddSecret},
		{"AddSecretConcurrent", testAddSecretConcurrent},
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
		{"Cancelled", testCancelled},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, newStore(t)) })
	}
}

// start is a time that every store can keep exactly, at no full minute, and far
// enough ahead that what the tests store does not expire under them.
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

func testMissing(t *testing.T, s store.Store) {
	ctx := t.Context()
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
	if ks, err := s.APIKeysOf(ctx, "x"); err != nil || len(ks) != 0 {
		t.Errorf("APIKeysOf: got %v, %v, want none", ks, err)
	}
	wantErr(t, "AddSecret", s.AddSecret(ctx, "x", store.Secret{ID: "s"}, time.Time{}), store.ErrNotFound)
	wantErr(t, "DeleteSecret", s.DeleteSecret(ctx, "x", "s"), store.ErrNotFound)
	wantErr(t, "ReplaceAPIKey", s.ReplaceAPIKey(ctx, "x", start, store.APIKey{ID: "y", Digest: digest("y")}), store.ErrNotFound)
	wantErr(t, "Renew", s.Renew(ctx, digest("x"), start, start), store.ErrNotFound)
	wantErr(t, "Rotate", s.Rotate(ctx, digest("x"), "c", start, 0), store.ErrNotFound)
	must(t, s.DeleteClient(ctx, "x"))
	must(t, s.DeleteUser(ctx, "x"))
}

func testClients(t *testing.T, s store.Store) {
	ctx := t.Context()
	in := store.Client{
		ID: "c", Scopes: []string{"a", "b"}, Default: []string{"a"}, Grants: []string{"password"},
		Secrets: []store.Secret{{Digest: digest("one"), Expires: start}, {Digest: digest("two")}},
	}
	must(t, s.PutClient(ctx, in))
	got, err := s.Client(ctx, "c")
	must(t, err)
	if got.ID != "c" || !slices.Equal(got.Scopes, in.Scopes) || !slices.Equal(got.Default, in.Default) ||
		!slices.Equal(got.Grants, in.Grants) || got.Disabled || len(got.Secrets) != 2 ||
		got.Secrets[0].Digest != digest("one") || !got.Secrets[0].Expires.Equal(start) || !got.Secrets[1].Expires.IsZero() {
		t.Errorf("got %+v, want %+v", got, in)
	}
	in.Scopes = nil
	must(t, s.PutClient(ctx, in))
	if got, err = s.Client(ctx, "c"); err != nil || len(got.Scopes) != 0 {
		t.Errorf("after replacing: got %+v, %v", got, err)
	}
	must(t, s.DeleteClient(ctx, "c"))
	_, err = s.Client(ctx, "c")
	wantErr(t, "deleted client", err, store.ErrNotFound)
}

func testUsers(t *testing.T, s store.Store) {
	ctx := t.Context()
	in := store.User{Login: "u", Password: "$hash$", First: "F", Last: "L", Lang: "ENU"}
	must(t, s.PutUser(ctx, in))
	got, err := s.User(ctx, "u")
	must(t, err)
	in.Version = got.Version
	if *got != in {
		t.Errorf("got %+v, want %+v", *got, in)
	}
	must(t, s.DeleteUser(ctx, "u"))
	_, err = s.User(ctx, "u")
	wantErr(t, "deleted user", err, store.ErrNotFound)
}

func testAPIKeys(t *testing.T, s store.Store) {
	ctx := t.Context()
	in := store.APIKey{ID: "k", Client: "c", Digest: digest("key"), Scopes: []string{"a"}, Expires: start}
	must(t, s.PutAPIKey(ctx, in))
	got, err := s.APIKey(ctx, digest("key"))
	must(t, err)
	if got.ID != "k" || got.Client != "c" || got.Digest != in.Digest || !slices.Equal(got.Scopes, in.Scopes) || !got.Expires.Equal(start) {
		t.Errorf("got %+v, want %+v", got, in)
	}
	in.Digest = digest("new key")
	must(t, s.PutAPIKey(ctx, in))
	_, err = s.APIKey(ctx, digest("key"))
	wantErr(t, "key replaced under its ID", err, store.ErrNotFound)
	must(t, s.Revoke(ctx, store.Change{Kind: store.KindAPIKey, ID: "k"}))
	_, err = s.APIKey(ctx, digest("new key"))
	wantErr(t, "revoked key", err, store.ErrNotFound)

	must(t, s.PutClient(ctx, store.Client{ID: "c"}))
	must(t, s.PutAPIKey(ctx, store.APIKey{ID: "of c", Client: "c", Digest: digest("of c")}))
	must(t, s.PutAPIKey(ctx, store.APIKey{ID: "of d", Client: "d", Digest: digest("of d")}))
	must(t, s.DeleteClient(ctx, "c"))
	must(t, s.PutClient(ctx, store.Client{ID: "c"}))
	_, err = s.APIKey(ctx, digest("of c"))
	wantErr(t, "key of a client that was deleted and created anew", err, store.ErrNotFound)
	_, err = s.APIKey(ctx, digest("of d"))
	must(t, err)
	if s.PutAPIKey(ctx, store.APIKey{Digest: digest("x")}) == nil {
		t.Error("an API key without an ID: accepted")
	}
}

// testAPIKeyMoves gives a key to another client.
func testAPIKeyMoves(t *testing.T, s store.Store) {
	ctx := t.Context()
	key := store.APIKey{ID: "k", Client: "c", Digest: digest("key")}
	must(t, s.PutAPIKey(ctx, key))
	key.Client = "d"
	must(t, s.PutAPIKey(ctx, key))
	must(t, s.DeleteClient(ctx, "c"))
	if got, err := s.APIKey(ctx, digest("key")); err != nil || got.Client != "d" {
		t.Errorf("moved away from a deleted client: got %+v, %v", got, err)
	}
	must(t, s.DeleteClient(ctx, "d"))
	_, err := s.APIKey(ctx, digest("key"))
	wantErr(t, "moved to a deleted client", err, store.ErrNotFound)
}

func testVersions(t *testing.T, s store.Store) {
	ctx := t.Context()
	client := func() uint64 {
		t.Helper()
		c, err := s.Client(ctx, "c")
		must(t, err)
		return c.Version
	}
	user := func() uint64 {
		t.Helper()
		u, err := s.User(ctx, "u")
		must(t, err)
		return u.Version
	}
	raised := func(what string, version func() uint64, before uint64) uint64 {
		t.Helper()
		after := version()
		if after <= before {
			t.Errorf("%s: version went from %d to %d, want it raised", what, before, after)
		}
		return after
	}
	must(t, s.PutClient(ctx, store.Client{ID: "c", Version: 99}))
	v := client()
	if v == 99 {
		t.Error("the caller chose the version")
	}
	must(t, s.PutClient(ctx, store.Client{ID: "c", Scopes: []string{"a"}}))
	if client() != v {
		t.Error("a new scope raised the version")
	}
	must(t, s.PutClient(ctx, store.Client{ID: "c", Disabled: true}))
	v = raised("disabled client", client, v)
	must(t, s.Revoke(ctx, store.Change{Kind: store.KindClient, ID: "c"}))
	v = raised("revoked client", client, v)
	must(t, s.DeleteClient(ctx, "c"))
	must(t, s.PutClient(ctx, store.Client{ID: "c"}))
	raised("client created anew", client, v)

	must(t, s.PutUser(ctx, store.User{Login: "u", Password: "one"}))
	v = user()
	must(t, s.PutUser(ctx, store.User{Login: "u", Password: "one", First: "F"}))
	if user() != v {
		t.Error("a new first name raised the version")
	}
	must(t, s.PutUser(ctx, store.User{Login: "u", Password: "two"}))
	v = raised("new password", user, v)
	must(t, s.PutUser(ctx, store.User{Login: "u", Password: "two", Disabled: true}))
	v = raised("disabled user", user, v)
	must(t, s.DeleteUser(ctx, "u"))
	must(t, s.PutUser(ctx, store.User{Login: "u", Password: "two"}))
	raised("user created anew", user, v)
}

// testNames checks that names are kept and told apart byte by byte.
func testNames(t *testing.T, s store.Store) {
	ctx := t.Context()
	names := []string{
		"a", "A", "a ", " a", "a%", "a_", "a'--", `a"`, `a\`, "a\x00", "a\x00b", "a:b", "é", "e\u0301", "😀",
		"*", "{a}", strings.Repeat("x", 64<<10),
	}
	for i, n := range names {
		must(t, s.PutUser(ctx, store.User{Login: n, First: fmt.Sprint(i)}))
		must(t, s.PutClient(ctx, store.Client{ID: n, Scopes: []string{fmt.Sprint(i)}}))
	}
	for i, n := range names {
		u, err := s.User(ctx, n)
		if err != nil || u.Login != n || u.First != fmt.Sprint(i) {
			t.Errorf("user %.20q: got %+v, %v", n, u, err)
		}
		c, err := s.Client(ctx, n)
		if err != nil || c.ID != n || !slices.Equal(c.Scopes, []string{fmt.Sprint(i)}) {
			t.Errorf("client %.20q: got %+v, %v", n, c, err)
		}
	}
}

// testNoSharing checks that callers and store do not share slices.
func testNoSharing(t *testing.T, s store.Store) {
	ctx := t.Context()
	scopes := []string{"a"}
	must(t, s.PutClient(ctx, store.Client{ID: "c", Scopes: scopes, Default: []string{"a"}, Grants: []string{"a"}}))
	must(t, s.PutAPIKey(ctx, store.APIKey{ID: "k", Client: "c", Digest: digest("k"), Scopes: scopes}))
	scopes[0] = "admin"
	c, err := s.Client(ctx, "c")
	must(t, err)
	k, err := s.APIKey(ctx, digest("k"))
	must(t, err)
	if c.Scopes[0] != "a" || k.Scopes[0] != "a" {
		t.Error("the store kept the caller's slice")
	}
	_, _ = append(c.Scopes, "admin"), append(c.Default, "admin")
	if c.Default[0] != "a" || c.Grants[0] != "a" {
		t.Error("what is appended to one slice is in another")
	}
	c.Scopes[0], k.Scopes[0] = "admin", "admin"
	c, _ = s.Client(ctx, "c")
	k, _ = s.APIKey(ctx, digest("k"))
	if c.Scopes[0] != "a" || k.Scopes[0] != "a" {
		t.Error("the store gave its own slice away")
	}
}

func testCancelled(t *testing.T, s store.Store) {
	must(t, s.PutClient(t.Context(), store.Client{ID: "c", Secrets: []store.Secret{{ID: "s", Digest: digest("s")}}}))
	must(t, s.PutAPIKey(t.Context(), store.APIKey{ID: "k", Client: "c", Digest: digest("k")}))
	must(t, s.PutUser(t.Context(), store.User{Login: "u"}))
	must(t, s.PutTokens(t.Context(), refresh("r", "f")))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, errClient := s.Client(ctx, "c")
	_, errUser := s.User(ctx, "u")
	_, errToken := s.Token(ctx, digest("r"))
	_, errByID := s.APIKeyByID(ctx, "k")
	_, errKeys := s.APIKeysOf(ctx, "c")
	_, errSecrets := s.SecretsOf(ctx, "c")
	for what, err := range map[string]error{
		"Client": errClient, "User": errUser, "Token": errToken,
		"APIKeyByID": errByID, "APIKeysOf": errKeys, "SecretsOf": errSecrets,
		"ReplaceAPIKey": s.ReplaceAPIKey(ctx, "k", start, store.APIKey{ID: "k2", Client: "c", Digest: digest("k2")}),
		"AddSecret":     s.AddSecret(ctx, "c", store.Secret{ID: "s2", Digest: digest("s2")}, start),
		"DeleteSecret":  s.DeleteSecret(ctx, "c", "s"),
		"Touch":         s.Touch(ctx, store.Use{ID: "k", At: start}),
		"PutTokens":     s.PutTokens(ctx, refresh("r2", "f")),
		"Rotate":        s.Rotate(ctx, digest("r"), "c", start, 0, refresh("r3", "f")),
		"Revoke":        s.Revoke(ctx, store.Change{Kind: store.KindFamily, ID: "f"}),
	} {
		if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrReused) {
			t.Errorf("%s with a cancelled context: got %v, want its end", what, err)
		}
	}
	if r, err := s.Token(t.Context(), digest("r")); err != nil || r.Used {
		t.Errorf("after cancelled calls: got %+v, %v, want the token unused", r, err)
	}
	if ks := keyIDs(t, s, "c"); !slices.Equal(ks, []string{"k"}) {
		t.Errorf("after cancelled calls: API keys %v, want k alone", ks)
	}
	if ids := secretIDs(t, s, "c"); !slices.Equal(ids, []string{"s"}) {
		t.Errorf("after cancelled calls: secrets %v, want s alone", ids)
	}
}

// together runs f n times at once.
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
