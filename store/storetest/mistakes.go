package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

// testRevokeRefused revokes invalid changes. Each must be an error, and nothing of its call
// may be done.
func testRevokeRefused(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.PutTokens(ctx, refresh("r", "f")))
	_, cursor, err := s.Snapshot(ctx)
	must(t, err)

	good := store.Change{Kind: store.KindFamily, ID: "f", Until: start}
	for field, bad := range map[string][]store.Change{
		"Kind": {{ID: "x"}, {Kind: store.KindSigningKey + 1, ID: "x"}, {Kind: 255, ID: "x"}},
		"ID":   {{Kind: store.KindToken}, {Kind: store.KindAPIKey}, {Kind: store.KindClient}, {Kind: store.KindUser, Until: start}},
	} {
		for _, c := range bad {
			wantRefused(t, fmt.Sprintf("%+v", c), s.Revoke(ctx, c), field)
			wantRefused(t, fmt.Sprintf("%+v after a good one", c), s.Revoke(ctx, good, c), field)
		}
	}
	present(t, s, "r", true)
	wantChanges(t, s, cursor)
	if cs, _, err := s.Snapshot(ctx); err != nil || slices.ContainsFunc(cs, func(c store.Change) bool { return c.ID == "f" || c.ID == "" }) {
		t.Errorf("after refusals: in force are %+v, %v", cs, err)
	}
}

// testUpdateExpires moves the end of a key. An earlier end must be stored. A later one must
// be refused, even if it comes from a record that was read before.
func testUpdateExpires(t *testing.T, s store.Store) {
	ctx := t.Context()
	clients(t, s, "c")
	must(t, s.CreateAPIKeys(ctx, apiKey("k", "c")))
	before, err := s.APIKeyByID(ctx, "k")
	must(t, err)
	expire := func(at time.Time) error {
		return s.UpdateAPIKey(ctx, "k", func(k *store.APIKey) error { k.Expires = at; return nil })
	}
	wantEnd := func(what string, want time.Time) {
		t.Helper()
		if k, err := s.APIKey(ctx, digest("key k")); err != nil || !k.Expires.Equal(want) || k.Name != "" {
			t.Errorf("%s: got %+v, %v, want it to expire at %v", what, k, err, want)
		}
	}

	must(t, expire(start.Add(time.Hour)))
	wantEnd("an end where there was none", start.Add(time.Hour))
	must(t, expire(start))
	wantEnd("an earlier end", start)
	wantRefused(t, "a later end", expire(start.Add(time.Second)), "Expires")
	wantRefused(t, "no end", expire(time.Time{}), "Expires")
	wantRefused(t, "a record that was read before", s.UpdateAPIKey(ctx, "k", func(k *store.APIKey) error {
		*k = *before
		k.Name = "new name"
		return nil
	}), "Expires")
	wantEnd("after refusals", start)

	// An end in the past disables a key and keeps its record.
	past := time.Now().Add(-time.Hour).Truncate(time.Second)
	must(t, expire(past))
	wantEnd("an end in the past", past)
}

// testScopesOfClient gives keys scopes that their client does not have. All must be refused.
func testScopesOfClient(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.CreateClient(ctx, store.Client{ID: "c", Scopes: []string{"a", "b", "<<"}}))
	clients(t, s, "none")
	key := func(id, client string, scopes ...string) store.APIKey {
		k := apiKey(id, client)
		k.Scopes = scopes
		return k
	}
	scopes := func(scopes ...string) func(*store.APIKey) error {
		return func(k *store.APIKey) error { k.Scopes = scopes; return nil }
	}
	must(t, s.CreateAPIKeys(ctx, key("k", "c", "b", "a", "<<"), key("bare", "c"), key("of none", "none")))

	wantRefused(t, "a key of another scope", s.CreateAPIKeys(ctx, key("first", "c", "a"), key("new", "c", "a", "admin")), "admin")
	wantRefused(t, "a key of another client's scope", s.CreateAPIKeys(ctx, key("first", "c", "a"), key("new", "none", "a")), `"new"`)
	wantRefused(t, "an update to another scope", s.UpdateAPIKey(ctx, "bare", scopes("a", "admin")), "admin")
	wantRefused(t, "a successor of another scope", s.ReplaceAPIKey(ctx, "k", start, key("next", "c", "a", "admin")), "admin")
	if got, want := keyIDs(t, s, ""), []string{"bare", "k", "of none"}; !slices.Equal(got, want) {
		t.Errorf("after refusals: got %q, want %q", got, want)
	}
	must(t, s.UpdateAPIKey(ctx, "bare", scopes("b")))

	// If a client loses a scope, its keys keep it, and no other key can get it.
	must(t, s.UpdateClient(ctx, "c", func(c *store.Client) error { c.Scopes = []string{"a"}; return nil }))
	must(t, s.UpdateAPIKey(ctx, "k", func(k *store.APIKey) error { k.Scopes = []string{"b", "a"}; return nil }))
	must(t, s.ReplaceAPIKey(ctx, "k", start, key("next", "c", "b")))
	must(t, s.UpdateAPIKey(ctx, "bare", scopes()))
	wantRefused(t, "a scope that the client had", s.UpdateAPIKey(ctx, "bare", scopes("b")), `"b"`)
	wantRefused(t, "a key of a scope that the client had", s.CreateAPIKeys(ctx, key("new", "c", "b")), `"b"`)
	for id, want := range map[string][]string{"k": {"b", "a"}, "next": {"b"}, "bare": nil} {
		if k, err := s.APIKeyByID(ctx, id); err != nil || !slices.Equal(k.Scopes, want) {
			t.Errorf("%s: got %+v, %v, want the scopes %q", id, k, err, want)
		}
	}
}

// testUntilZero replaces a key and secrets with a zero until, which must be refused.
func testUntilZero(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.CreateClient(ctx, store.Client{ID: "c", Secrets: []store.Secret{secretOf("s", start)}}))
	must(t, s.CreateAPIKeys(ctx, apiKey("k", "c")))
	_, cursor, err := s.Snapshot(ctx)
	must(t, err)

	wantRefused(t, "a key", s.ReplaceAPIKey(ctx, "k", time.Time{}, apiKey("next", "c")), "until")
	wantRefused(t, "secrets", s.ReplaceSecrets(ctx, "c", secretOf("next", start), time.Time{}), "until")
	if keys, secrets := keyIDs(t, s, "c"), secretIDs(t, s, "c"); !slices.Equal(keys, []string{"k"}) || !slices.Equal(secrets, []string{"s"}) {
		t.Errorf("after refusals: got the keys %q and the secrets %q", keys, secrets)
	}
	wantChanges(t, s, cursor)
}

// testCreateExpired creates keys and secrets that have expired. All must be refused.
func testCreateExpired(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.CreateClient(ctx, store.Client{ID: "c", Secrets: []store.Secret{secretOf("s", start)}}))
	must(t, s.CreateAPIKeys(ctx, apiKey("k", "c")))

	past := time.Now().Add(-time.Second)
	dead := apiKey("dead", "c")
	dead.Expires = past
	for what, err := range map[string]error{
		"a key":                s.CreateAPIKeys(ctx, apiKey("first", "c"), dead),
		"a successor":          s.ReplaceAPIKey(ctx, "k", start, dead),
		"a client's secret":    s.CreateClient(ctx, store.Client{ID: "d", Secrets: []store.Secret{secretOf("dead", past)}}),
		"a secret":             s.AddSecret(ctx, "c", secretOf("dead", past)),
		"a secret for another": s.ReplaceSecrets(ctx, "c", secretOf("dead", past), start),
	} {
		wantRefused(t, what, err, "Expires")
	}
	if keys, cs, secrets := keyIDs(t, s, ""), clientIDs(t, s), secretIDs(t, s, "c"); len(keys) != 1 || len(cs) != 1 || len(secrets) != 1 {
		t.Errorf("after refusals: got the keys %q, the clients %q and the secrets %q", keys, cs, secrets)
	}
}

// testCreateTooMany creates more records than one call may create.
func testCreateTooMany(t *testing.T, s store.Store) {
	const most = 10_000
	ctx := t.Context()
	clients(t, s, "c")
	users, keys := make([]store.User, most+1), make([]store.APIKey, most+1)
	for i := range users {
		id := fmt.Sprint(i)
		users[i], keys[i] = store.User{Login: id}, apiKey(id, "c")
	}
	wantRefused(t, "users", s.CreateUsers(ctx, users...), "10000")
	wantRefused(t, "keys", s.CreateAPIKeys(ctx, keys...), "10000")
	if len(logins(t, s)) != 0 || len(keyIDs(t, s, "")) != 0 {
		t.Error("some of too many were created")
	}
}

// testUsageRefused asks for invalid reports and makes invalid adjustments.
func testUsageRefused(t *testing.T, s store.Store) {
	ctx := t.Context()
	today := store.DayOf(time.Now())
	query := store.Query{API: "api", Issuer: "iss", From: today, To: today}
	for field, change := range map[string]func(*store.Query){
		"API": func(q *store.Query) { q.API = "" }, "Issuer": func(q *store.Query) { q.Issuer = "" },
		"From": func(q *store.Query) { q.From, q.To = 20250101, 20250131 }, "To": func(q *store.Query) { q.To = 0 },
	} {
		q := query
		change(&q)
		_, err := s.Report(ctx, q)
		wantRefused(t, "a report, "+field, err, field)
		_, err = s.Adjustments(ctx, q)
		wantRefused(t, "adjustments, "+field, err, field)
	}

	for field, change := range map[string]func(*store.Adjustment){
		"Key": func(a *store.Adjustment) { a.Key = "" }, "API": func(a *store.Adjustment) { a.API = "" },
		"Issuer": func(a *store.Adjustment) { a.Issuer = "" }, "Client": func(a *store.Adjustment) { a.Client = "" },
		"Product": func(a *store.Adjustment) { a.Product = "" }, "Reason": func(a *store.Adjustment) { a.Reason = "" },
		"Quantity": func(a *store.Adjustment) { a.Quantity = 0 }, "Day": func(a *store.Adjustment) { a.Day = 20250131 },
	} {
		a := store.Adjustment{Key: field, API: "api", Issuer: "iss", Client: "a", Product: "p", Day: today, Quantity: 1, Reason: "r"}
		change(&a)
		wantRefused(t, "an adjustment, "+field, s.Adjust(ctx, a), field)
	}

	wantRows(t, "after refusals", s, query)
	if as, err := s.Adjustments(ctx, everything); err != nil || len(as) != 0 {
		t.Errorf("after refusals: got %+v, %v, want no adjustment", as, err)
	}
}
