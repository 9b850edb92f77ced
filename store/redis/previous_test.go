package redis_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/services"
	"github.com/authtier/authtier/store/redis"
)

// A previous writes as a node of the previous version does. It uses the scripts of that
// version.
type previous struct {
	t  *testing.T
	db *goredis.Client
	ns string
}

func (p previous) run(name string, args ...any) {
	p.t.Helper()
	var source strings.Builder
	for _, file := range []string{"common", name} {
		b, err := os.ReadFile("testdata/previous/" + file + ".lua")
		if err != nil {
			p.t.Fatal(err)
		}
		source.WriteString(string(b))
	}
	all := []any{"EVAL", source.String(), 1, "{" + p.ns + "}:format", fmt.Sprint("seed ", time.Now().UnixNano())}
	if reply := do(p.t, p.db, append(all, args...)...); reply != "ok" {
		p.t.Fatalf("%s: %v", name, reply)
	}
}

func (p previous) putClient(id string, secrets ...string) {
	p.t.Helper()
	list := []map[string]string{}
	for _, secret := range secrets {
		list = append(list, map[string]string{"id": secret, "digest": fmt.Sprintf("%x", store.DigestOf(secret)), "expires": ""})
	}
	kept, err := json.Marshal(list)
	if err != nil {
		p.t.Fatal(err)
	}
	p.run("putclient", id, "0", 10, "disabled", "0", "secrets", string(kept), "scopes", "null", "default", "null", "grants", "null", "[]")
}

func (p previous) putUser(login, first string) {
	p.t.Helper()
	p.run("putuser", login, "0", hash("p"), 10, "password", hash("p"), "first", first, "last", "", "lang", "", "disabled", "0")
}

func (p previous) putAPIKey(id, client string) {
	p.t.Helper()
	d := fmt.Sprintf("%x", apiKey(id, client).Digest)
	p.run("putapikey", id, client, d, 10, "id", id, "client", client, "scopes", "null", "created", "", "expires", "")
}

// revoke revokes n API keys that do not exist, and then the keys with the given IDs.
func (p previous) revoke(n int, ids ...string) {
	p.t.Helper()
	for i := range n {
		ids = slices.Insert(ids, 0, fmt.Sprint("none", i))
	}
	args := []any{len(ids)}
	for _, id := range ids {
		args = append(args, int(store.KindAPIKey), id, "", 0)
	}
	p.run("revoke", args...)
}

// wantLists checks all lists, reading pages of two records.
func wantLists(t *testing.T, what string, h *redis.Store, clients, users, keys, keysOfC []string) {
	t.Helper()
	ctx := t.Context()
	for name, tt := range map[string]struct {
		page func(after string) (names []string, err error)
		want []string
	}{
		"clients": {func(after string) (names []string, err error) {
			cs, err := h.ListClients(ctx, after, 2)
			for _, c := range cs {
				names = append(names, c.ID)
			}
			return names, err
		}, clients},
		"users": {func(after string) (names []string, err error) {
			us, err := h.ListUsers(ctx, after, 2)
			for _, u := range us {
				names = append(names, u.Login)
			}
			return names, err
		}, users},
		"keys":      {func(after string) ([]string, error) { return keyPage(h, t, "", after) }, keys},
		"keys of c": {func(after string) ([]string, error) { return keyPage(h, t, "c", after) }, keysOfC},
	} {
		var got []string
		for after := ""; ; after = got[len(got)-1] {
			names, err := tt.page(after)
			if err != nil {
				t.Fatalf("%s: %s: %v", what, name, err)
			}
			if len(names) == 0 {
				break
			}
			got = append(got, names...)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %s: got %q, want %q", what, name, got, tt.want)
		}
	}
}

func keyPage(h *redis.Store, t *testing.T, client, after string) (ids []string, err error) {
	ks, err := h.ListAPIKeys(t.Context(), client, after, 2)
	for _, k := range ks {
		ids = append(ids, k.ID)
	}
	return ids, err
}

// TestPreviousVersionIsListed lists records that the previous version wrote: before this
// version was started, at the same time, and while more changes were made than are kept.
func TestPreviousVersionIsListed(t *testing.T) {
	ctx, s, ns := t.Context(), services.SharedRedis(t), services.Name()
	old := previous{t, raw(t, s), ns}
	for _, name := range []string{"c", "B", "é"} {
		old.putClient(name)
		old.putUser(name, "F")
		old.putAPIKey("key "+name, "c")
	}
	old.putAPIKey("a", "without a client")
	h := open(t, s.DSN(), redis.Config{Namespace: ns})
	if err := h.PutTokens(ctx, token("one", "f")); err != nil {
		t.Fatal(err)
	}
	names, keys := []string{"B", "c", "é"}, []string{"key B", "key c", "key é"}
	wantLists(t, "written before", h, names, names, append([]string{"a"}, keys...), keys)

	old.putClient("new")
	old.putUser("new", "F")
	old.putAPIKey("new", "c")
	names, keys = []string{"B", "c", "new", "é"}, append(keys, "new")
	wantLists(t, "written beside", h, names, names, append([]string{"a"}, keys...), keys)

	old.putAPIKey("a", "c") // belongs to another client now
	old.run("deleteclient", "B")
	old.run("deleteuser", "B")
	old.revoke(0, "key B")
	names, keys = []string{"c", "new", "é"}, []string{"a", "key c", "key é", "new"}
	if err := h.CreateAPIKeys(ctx, apiKey("key B", "c")); !errors.Is(err, store.ErrRevoked) {
		t.Errorf("a key that the previous version revoked: got %v, want %v", err, store.ErrRevoked)
	}
	wantLists(t, "moved and deleted", h, names, names, keys, keys)
	if ks, err := h.ListAPIKeys(ctx, "without a client", "", 9); err != nil || len(ks) != 0 {
		t.Errorf("a client whose key was moved: got %v, %v", ks, err)
	}

	old.putClient("last")
	old.putUser("last", "F")
	old.putAPIKey("last", "c")
	old.revoke(5000, "new")
	if err := errors.Join(h.CreateUsers(ctx, store.User{Login: "a"}), h.DeleteUser(ctx, "new")); err != nil {
		t.Fatal(err)
	}
	clients, users := []string{"c", "last", "new", "é"}, []string{"a", "c", "last", "é"}
	keys = []string{"a", "key c", "key é", "last"}
	wantLists(t, "after too many changes", h, clients, users, keys, keys)
	old.putUser("z", "F")
	wantLists(t, "and one more", h, clients, slices.Insert(users, 3, "z"), keys, keys)
}

// TestPreviousVersionDeletesClient lets the previous version delete a client whose keys
// this version has created.
func TestPreviousVersionDeletesClient(t *testing.T) {
	ctx, s, ns := t.Context(), services.SharedRedis(t), services.Name()
	h, old := open(t, s.DSN(), redis.Config{Namespace: ns}), previous{t, raw(t, s), ns}
	if err := errors.Join(
		h.CreateClient(ctx, store.Client{ID: "c"}), h.CreateClient(ctx, store.Client{ID: "d"}),
		h.CreateAPIKeys(ctx, owned("k", "c", "u"), owned("l", "d", "u")),
	); err != nil {
		t.Fatal(err)
	}
	old.run("deleteclient", "c")
	wantLists(t, "deleted", h, []string{"d"}, nil, []string{"l"}, nil)
	if err := errors.Join(h.CreateClient(ctx, store.Client{ID: "c"}), h.DeleteUser(ctx, "u")); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"k", "l"} {
		if err := h.CreateAPIKeys(ctx, owned(id, "c", "u")); !errors.Is(err, store.ErrRevoked) {
			t.Errorf("key %s: got %v, want %v", id, err, store.ErrRevoked)
		}
	}
}

// TestPreviousVersionKeepsFields lets the previous version write records again. The fields
// that it does not know must survive.
func TestPreviousVersionKeepsFields(t *testing.T) {
	ctx, s, ns := t.Context(), services.SharedRedis(t), services.Name()
	h, old := open(t, s.DSN(), redis.Config{Namespace: ns}), previous{t, raw(t, s), ns}
	key := owned("k", "c", "u")
	if err := errors.Join(
		h.CreateClient(ctx, store.Client{ID: "c"}),
		h.CreateUsers(ctx, store.User{Login: "u", Scopes: []string{"a"}, LimitScopes: true}),
		h.CreateAPIKeys(ctx, key),
	); err != nil {
		t.Fatal(err)
	}
	check := func(what, first string, scopes ...string) {
		t.Helper()
		u, err := h.User(ctx, "u")
		if err != nil || u.First != first || !slices.Equal(u.Scopes, scopes) || u.LimitScopes != (len(scopes) > 0) {
			t.Errorf("%s: got %+v, %v, want the scopes %q", what, u, err, scopes)
		}
		byID, errI := h.APIKeyByID(ctx, "k")
		k, err := h.APIKey(ctx, key.Digest)
		if err != nil || k.Name != key.Name || k.Owner != key.Owner || !slices.Equal(k.Addrs, key.Addrs) {
			t.Errorf("%s: got %+v, %v, want %+v", what, k, err, key)
		}
		if errI != nil || byID.Name != key.Name || byID.Owner != key.Owner || !slices.Equal(byID.Addrs, key.Addrs) {
			t.Errorf("%s: by ID: got %+v, %v, want %+v", what, byID, errI, key)
		}
	}
	rewrite := func(first string) {
		old.putUser("u", first)
		old.putAPIKey("k", "c")
	}

	rewrite("Old")
	check("written anew", "Old", "a")
	wantLists(t, "written anew", h, []string{"c"}, []string{"u"}, []string{"k"}, []string{"k"})
	check("listed", "Old", "a")
	rewrite("Older")
	key.Name = "other"
	if err := errors.Join(
		h.UpdateUser(ctx, "u", func(u *store.User) error { u.Scopes = append(u.Scopes, "b"); return nil }),
		h.UpdateAPIKey(ctx, "k", func(k *store.APIKey) error { k.Name = key.Name; return nil }),
	); err != nil {
		t.Fatal(err)
	}
	check("updated", "Older", "a", "b")
	rewrite("Oldest")
	check("written anew again", "Oldest", "a", "b")
	if err := h.UpdateUser(ctx, "u", func(u *store.User) error { u.Scopes, u.LimitScopes = nil, false; return nil }); err != nil {
		t.Fatal(err)
	}
	rewrite("New")
	check("without a limit", "New")

	if err := h.Revoke(ctx, store.Change{Kind: store.KindUser, ID: "u"}); err != nil {
		t.Fatal(err)
	}
	if k, err := h.APIKey(ctx, key.Digest); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the key of a user who was revoked: got %+v, %v", k, err)
	}
}

// TestPreviousVersionBetween lets the previous version write a record while this version
// updates it, between reading and writing. Neither change may be lost.
func TestPreviousVersionBetween(t *testing.T) {
	ctx, s, ns := t.Context(), services.SharedRedis(t), services.Name()
	h, old := open(t, s.DSN(), redis.Config{Namespace: ns}), previous{t, raw(t, s), ns}
	old.putUser("u", "F")
	calls := 0
	err := h.UpdateUser(ctx, "u", func(u *store.User) error {
		if calls++; calls == 1 {
			old.putUser("u", "G")
		}
		u.LimitScopes = true
		return nil
	})
	if u, errU := h.User(ctx, "u"); err != nil || errU != nil || calls != 2 || u.First != "G" || !u.LimitScopes {
		t.Errorf("got %v after %d calls, and %+v, %v", err, calls, u, errU)
	}
}

// TestPreviousVersionLeavesNothing lets the previous version delete records of this version
// and write them again. No index may still hold the deleted ones.
func TestPreviousVersionLeavesNothing(t *testing.T) {
	ctx, s, ns := t.Context(), services.SharedRedis(t), services.Name()
	h, old := open(t, s.DSN(), redis.Config{Namespace: ns}), previous{t, raw(t, s), ns}
	if err := errors.Join(
		h.CreateClient(ctx, store.Client{ID: "c"}),
		h.CreateUsers(ctx, store.User{Login: "u", LimitScopes: true}),
		h.CreateAPIKeys(ctx, owned("k", "c", "u"), owned("l", "c", "v")),
	); err != nil {
		t.Fatal(err)
	}
	old.run("deleteuser", "u")
	old.putAPIKey("k", "c")
	old.revoke(0, "l")
	wantLists(t, "deleted", h, []string{"c"}, nil, []string{"k"}, []string{"k"})
	old.putAPIKey("k", "c")
	old.putAPIKey("l", "c") // without an owner
	if err := errors.Join(
		h.Revoke(ctx, store.Change{Kind: store.KindUser, ID: "v"}), h.Revoke(ctx, store.Change{Kind: store.KindAPIKey, ID: "k"}),
	); err != nil {
		t.Fatal(err)
	}
	if k, err := h.APIKeyByID(ctx, "l"); err != nil || k.Owner != "" {
		t.Errorf("a key without an owner: got %+v, %v", k, err)
	}
	for key := range dump(t, s, ns) {
		if strings.Contains(key, ":owned:") || strings.Contains(key, ":added:") {
			t.Errorf("%s is left", key)
		}
	}
}

// TestSequenceLost opens a namespace whose changes are gone. Its records must be listed.
func TestSequenceLost(t *testing.T) {
	s, ns := services.SharedRedis(t), services.Name()
	old := previous{t, raw(t, s), ns}
	old.putUser("u", "F")
	do(t, old.db, "DEL", "{"+ns+"}:changes")
	wantLists(t, "without changes", open(t, s.DSN(), redis.Config{Namespace: ns}), nil, []string{"u"}, nil, nil)
}

// TestSweepIndexes sweeps a namespace of the previous version. Afterwards its records must
// have all fields, and must be listed without another scan.
func TestSweepIndexes(t *testing.T) {
	ctx, s, ns := t.Context(), services.SharedRedis(t), services.Name()
	old := previous{t, raw(t, s), ns}
	old.putUser("u", "F")
	h := open(t, s.DSN(), redis.Config{Namespace: ns})
	if err := h.Sweep(ctx, time.Now()); err != nil {
		t.Fatal(err)
	}
	if got := do(t, old.db, "HGET", "{"+ns+"}:user:u", "limit_scopes"); got != "0" {
		t.Errorf("limit_scopes is %v, want 0", got)
	}
	var cs []store.Change
	for i := range 5000 { // more changes than are kept
		cs = append(cs, store.Change{Kind: store.KindAPIKey, ID: fmt.Sprint(i)})
	}
	if err := h.Revoke(ctx, cs...); err != nil {
		t.Fatal(err)
	}
	do(t, old.db, "ZADD", "{"+ns+"}:names:user", 1, "u") // a scan would reset this score
	wantLists(t, "swept", h, nil, []string{"u"}, nil, nil)
	if got := fmt.Sprint(do(t, old.db, "ZSCORE", "{"+ns+"}:names:user", "u")); got != "1" {
		t.Errorf("the score is %v, want 1: the records were looked for again", got)
	}
}
