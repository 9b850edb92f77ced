package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

// testCreateExists creates records that exist. They must not change.
func testCreateExists(t *testing.T, s store.Store) {
	ctx := t.Context()
	client := store.Client{ID: "c", Secrets: []store.Secret{secretOf("s", start)}, Scopes: []string{"a"}}
	user := store.User{Login: "u", Password: hash('a'), First: "F"}
	key := apiKey("k", "c")
	must(t, s.CreateClient(ctx, client))
	must(t, s.CreateUsers(ctx, user))
	must(t, s.CreateAPIKeys(ctx, key))

	wantErr(t, "a client again", s.CreateClient(ctx, client), store.ErrExists)
	wantErr(t, "another client of that ID", s.CreateClient(ctx, store.Client{ID: "c"}), store.ErrExists)
	wantErr(t, "another user of that login", s.CreateUsers(ctx, store.User{Login: "u"}), store.ErrExists)
	wantErr(t, "an API key again", s.CreateAPIKeys(ctx, key), store.ErrExists)
	other := store.APIKey{ID: "k", Client: "c", Digest: digest("other")}
	wantErr(t, "another API key of that ID", s.CreateAPIKeys(ctx, other), store.ErrExists)
	other = store.APIKey{ID: "other", Client: "c", Digest: key.Digest}
	wantErr(t, "another API key of that digest", s.CreateAPIKeys(ctx, other), store.ErrExists)

	// The refused calls must not have written in part.
	if c, err := s.Client(ctx, "c"); err != nil || len(c.Secrets) != 1 || !slices.Equal(c.Scopes, client.Scopes) {
		t.Errorf("client: got %+v, %v, want it as it was", c, err)
	}
	if u, err := s.User(ctx, "u"); err != nil || u.Password != user.Password || u.First != "F" {
		t.Errorf("user: got %+v, %v, want it as it was", u, err)
	}
	if k, err := s.APIKey(ctx, key.Digest); err != nil || !sameAPIKey(*k, key) {
		t.Errorf("API key: got %+v, %v, want it as it was", k, err)
	}
}

// wantDead checks that an API key can never be created again, neither with its ID nor
// with its digest.
func wantDead(t *testing.T, what string, s store.Store, k store.APIKey) {
	t.Helper()
	byID, byDigest := k, k
	byID.Digest, byDigest.ID = digest("a new key, not "+k.ID), "not "+k.ID
	for how, again := range map[string]store.APIKey{"": k, " by its ID": byID, " by its digest": byDigest} {
		wantErr(t, what+how, s.CreateAPIKeys(t.Context(), again), store.ErrRevoked)
	}
	_, err := s.APIKey(t.Context(), k.Digest)
	wantErr(t, what+", looked for", err, store.ErrNotFound)
}

func testCreateRevokedKey(t *testing.T, s store.Store) {
	ctx := t.Context()
	clients(t, s, "c", "d")
	owned := apiKey("owned", "c")
	owned.Owner = "o"
	must(t, s.CreateAPIKeys(ctx, apiKey("revoked", "c"), apiKey("replaced", "c"), owned, apiKey("of d", "d"), apiKey("ending", "c")))

	// Each way in which a key ends must leave its tombstones.
	must(t, s.Revoke(ctx, store.Change{Kind: store.KindAPIKey, ID: "revoked"}))
	wantDead(t, "a revoked key", s, apiKey("revoked", "c"))
	wantDead(t, "a revoked key, for another client", s, apiKey("revoked", "d"))
	must(t, s.ReplaceAPIKey(ctx, "replaced", time.Now(), apiKey("next", "c")))
	wantDead(t, "a replaced key", s, apiKey("replaced", "c"))
	must(t, s.Revoke(ctx, store.Change{Kind: store.KindUser, ID: "o"}))
	wantDead(t, "a key whose owner was revoked", s, owned)
	must(t, s.DeleteClient(ctx, "d"))
	clients(t, s, "d")
	wantDead(t, "a key whose client was deleted", s, apiKey("of d", "d"))

	// A key in its overlap still exists. An unknown key can be revoked in advance.
	must(t, s.ReplaceAPIKey(ctx, "ending", start, apiKey("heir", "c")))
	wantErr(t, "a key that is about to end", s.CreateAPIKeys(ctx, apiKey("ending", "c")), store.ErrExists)
	must(t, s.Revoke(ctx, store.Change{Kind: store.KindAPIKey, ID: "unknown"}))
	err := s.CreateAPIKeys(ctx, apiKey("unknown", "c"))
	wantErr(t, "a key that was revoked before it was created", err, store.ErrRevoked)

	// Tombstones must never be swept.
	must(t, s.Sweep(ctx, start.Add(10_000*time.Hour)))
	wantDead(t, "a revoked key, years later", s, apiKey("revoked", "c"))
	if got, want := keyIDs(t, s, ""), []string{"ending", "heir", "next"}; !slices.Equal(got, want) {
		t.Errorf("in the end: got %q, want %q", got, want)
	}
}

func testCreateRevokedSecret(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.CreateClient(ctx, store.Client{ID: "c", Secrets: []store.Secret{
		secretOf("deleted", start), secretOf("dropped", start), secretOf("last", start),
	}}))
	wantDead := func(what, id string) {
		t.Helper()
		again := secretOf(id, start)
		wantErr(t, what, s.AddSecret(ctx, "c", again), store.ErrRevoked)
		again.ID = "another ID"
		wantErr(t, what+", by another ID", s.AddSecret(ctx, "c", again), store.ErrRevoked)
	}

	// A secret ends by itself, through another one, or with its client.
	must(t, s.DeleteSecret(ctx, "c", "deleted"))
	wantDead("a deleted secret", "deleted")
	must(t, s.DeleteSecret(ctx, "c", "last"))
	must(t, s.ReplaceSecrets(ctx, "c", secretOf("alone", start), time.Now()))
	wantDead("a secret that another one ended", "dropped")

	must(t, s.DeleteClient(ctx, "c"))
	for _, id := range []string{"deleted", "dropped", "alone"} {
		err := s.CreateClient(ctx, store.Client{ID: "c", Secrets: []store.Secret{secretOf("new", start), secretOf(id, start)}})
		wantErr(t, "a client with the secret "+id, err, store.ErrRevoked)
	}
	if got := clientIDs(t, s); len(got) != 0 {
		t.Errorf("after refusals: clients %q, want none", got)
	}
	must(t, s.CreateClient(ctx, store.Client{ID: "c", Secrets: []store.Secret{secretOf("new", start)}}))
	wantDead("a secret of a client that was deleted", "alone")
	// The tombstone is that of a client: another client may have the secret.
	must(t, s.CreateClient(ctx, store.Client{ID: "d", Secrets: []store.Secret{secretOf("alone", start)}}))
}

// testCreateTogether creates batches in which one record cannot be stored. Then no record
// of the batch may be stored.
func testCreateTogether(t *testing.T, s store.Store) {
	ctx := t.Context()
	clients(t, s, "c")
	must(t, s.CreateUsers(ctx, store.User{Login: "taken"}))
	must(t, s.CreateAPIKeys(ctx, apiKey("taken", "c"), apiKey("gone", "c")))
	must(t, s.Revoke(ctx, store.Change{Kind: store.KindAPIKey, ID: "gone"}))

	user := func(login string) store.User { return store.User{Login: login} }
	sameDigest := apiKey("twin", "c")
	sameDigest.Digest = digest("key 1")
	for what, tt := range map[string]struct {
		err   error
		want  error
		names string
	}{
		"a user who exists":      {s.CreateUsers(ctx, user("1"), user("taken"), user("2")), store.ErrExists, "taken"},
		"a user twice":           {s.CreateUsers(ctx, user("1"), user("2"), user("2")), store.ErrExists, "2"},
		"a key that exists":      {s.CreateAPIKeys(ctx, apiKey("1", "c"), apiKey("taken", "c"), apiKey("2", "c")), store.ErrExists, "taken"},
		"a key twice":            {s.CreateAPIKeys(ctx, apiKey("1", "c"), apiKey("2", "c"), apiKey("2", "c")), store.ErrExists, "2"},
		"a digest twice":         {s.CreateAPIKeys(ctx, apiKey("1", "c"), sameDigest), store.ErrExists, "twin"},
		"a key that was revoked": {s.CreateAPIKeys(ctx, apiKey("1", "c"), apiKey("gone", "c")), store.ErrRevoked, "gone"},
		"a key of no client":     {s.CreateAPIKeys(ctx, apiKey("1", "c"), apiKey("lost", "nobody")), store.ErrNotFound, "lost"},
	} {
		wantErr(t, what, tt.err, tt.want)

		// In a large batch, only the name tells the operator which record is at fault.
		if tt.err != nil && !strings.Contains(tt.err.Error(), fmt.Sprintf("%q", tt.names)) {
			t.Errorf("%s: got %v, want an error that names %q", what, tt.err, tt.names)
		}
	}

	if got := logins(t, s); !slices.Equal(got, []string{"taken"}) {
		t.Errorf("users: got %q, want those of before", got)
	}
	if got := keyIDs(t, s, ""); !slices.Equal(got, []string{"taken"}) {
		t.Errorf("keys: got %q, want those of before", got)
	}
}

// testCreateMany creates more records in one call than one statement can hold.
func testCreateMany(t *testing.T, s store.Store) {
	const many = 3000
	ctx := t.Context()
	clients(t, s, "c", "d")
	ks, us := make([]store.APIKey, many), make([]store.User, many)
	for i := range many {
		ks[i] = apiKey(fmt.Sprintf("%05d", i), []string{"c", "d"}[i%2])
		us[i] = store.User{Login: fmt.Sprintf("%05d", i)}
	}
	must(t, s.CreateAPIKeys(ctx, ks...))
	must(t, s.CreateUsers(ctx, us...))

	for i, login := range logins(t, s) {
		if login != us[i].Login {
			t.Fatalf("user %d: got %q, want %q", i, login, us[i].Login)
		}
	}
	if got := len(logins(t, s)); got != many {
		t.Errorf("%d users, want %d", got, many)
	}
	for _, client := range []string{"c", "d"} {
		if got := len(all(t, func(after string, limit int) ([]store.APIKey, error) {
			return s.ListAPIKeys(ctx, client, after, limit)
		}, func(k store.APIKey) string { return k.ID })); got != many/2 {
			t.Errorf("%d keys of %s, want %d", got, client, many/2)
		}
	}

	// The IDs of this batch are all new, but not all of its digests.
	ks = append(slices.Clone(ks), apiKey("new", "c"))
	for i := range ks {
		ks[i].ID += "x"
	}
	// The digest of the first key exists.
	err := s.CreateAPIKeys(ctx, ks[many-1:]...)
	wantErr(t, "a batch with one that exists", err, store.ErrExists)
	_, err = s.APIKeyByID(ctx, "newx")
	wantErr(t, "one of a batch with one that exists", err, store.ErrNotFound)
}

func testCreateConcurrent(t *testing.T, s store.Store) { testCreateBetween(t, s, s) }

// testCreateBetween creates the same records through both handles at once. Exactly one
// caller must succeed.
func testCreateBetween(t *testing.T, a, b store.Store) {
	const callers, rounds = 8, 5
	ctx := t.Context()
	clients(t, a, "of the keys")
	for round := range rounds {
		id := fmt.Sprint("r", round)
		for what, create := range map[string]func(s store.Store, i int) error{
			"clients": func(s store.Store, i int) error {
				return s.CreateClient(ctx, store.Client{ID: id, Scopes: []string{fmt.Sprint(i)}})
			},
			"users": func(s store.Store, i int) error {
				return s.CreateUsers(ctx, store.User{Login: fmt.Sprint(id, "-", i)}, store.User{Login: id})
			},
			"keys of an ID": func(s store.Store, i int) error {
				return s.CreateAPIKeys(ctx, store.APIKey{ID: id, Client: "of the keys", Digest: digest(fmt.Sprint(id, i))})
			},
			"keys of a digest": func(s store.Store, i int) error {
				return s.CreateAPIKeys(ctx, store.APIKey{ID: fmt.Sprint(id, "-", i), Client: "of the keys", Digest: digest(id)})
			},
		} {

			var created atomic.Int32
			together(callers, func(i int) {
				switch err := create([]store.Store{a, b}[i%2], i); {
				case err == nil:
					created.Add(1)
				case !errors.Is(err, store.ErrExists):
					t.Errorf("%s, caller %d: %v", what, i, err)
				}
			})

			if created.Load() != 1 {
				t.Errorf("%s: %d callers created it, want 1", what, created.Load())
			}
		}
	}

	// Calls that failed must have stored nothing, not even their other user.
	if got := len(clientIDs(t, b)); got != rounds+1 {
		t.Errorf("%d clients, want %d", got, rounds+1)
	}
	if got := len(logins(t, b)); got != 2*rounds {
		t.Errorf("%d users, want %d", got, 2*rounds)
	}
	if got := len(keyIDs(t, b, "")); got != 2*rounds {
		t.Errorf("%d keys, want %d", got, 2*rounds)
	}
}

// testCreateWhileRevoking creates keys again while they are revoked, or while their client
// is deleted. They must stay revoked.
func testCreateWhileRevoking(t *testing.T, a, b store.Store) {
	ctx := t.Context()
	for round := range 20 {
		client, k := fmt.Sprint("c", round), apiKey(fmt.Sprint("k", round), fmt.Sprint("c", round))
		clients(t, a, client)
		must(t, a.CreateAPIKeys(ctx, k))

		together(4, func(i int) {
			s := []store.Store{a, b}[i/2]

			// Which error comes depends on the order. Success would revive the key.
			if i%2 == 0 {
				err := s.CreateAPIKeys(ctx, k)
				if !errors.Is(err, store.ErrExists) && !errors.Is(err, store.ErrRevoked) && !errors.Is(err, store.ErrNotFound) {
					t.Errorf("creating a key that is being revoked: got %v", err)
				}
				return
			}
			var err error
			if i == 1 && round%2 == 0 {
				err = s.DeleteClient(ctx, client)
			} else {
				err = s.Revoke(ctx, store.Change{Kind: store.KindAPIKey, ID: k.ID})
			}
			if err != nil {
				t.Errorf("revoking: %v", err)
			}
		})

		for _, s := range []store.Store{a, b} {
			_, err := s.APIKey(ctx, k.Digest)
			wantErr(t, "a key that was revoked while it was created", err, store.ErrNotFound)
		}
	}
}
