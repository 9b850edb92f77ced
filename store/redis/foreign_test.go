package redis_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/services"
	"github.com/authtier/authtier/store/redis"
)

// dump returns everything that the namespace holds. Hashes and sets are sorted, which DUMP
// does not do. Everything else has the form of DUMP.
func dump(t *testing.T, s *services.Service, ns string) map[string]string {
	t.Helper()
	db, all := raw(t, s), map[string]string{}
	keys, err := db.Keys(t.Context(), "{"+ns+"}:*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		switch do(t, db, "TYPE", k) {
		case "hash":
			all[k] = fmt.Sprint(db.HGetAll(t.Context(), k).Val())
		case "set":
			all[k] = fmt.Sprintf("%q", slices.Sorted(slices.Values(db.SMembers(t.Context(), k).Val())))
		default:
			all[k] = fmt.Sprint(do(t, db, "DUMP", k))
		}
	}
	return all
}

// TestC17ForeignTypes replaces each key by one of another type, one at a time. Methods that
// use the key must fail, name it, and change nothing.
func TestC17ForeignTypes(t *testing.T) {
	s := services.SharedRedis(t)
	db, ns := raw(t, s), services.Name()
	h := open(t, s.DSN(), redis.Config{Namespace: ns})
	fill(t, h)
	uses := map[string][]string{
		"changes": {
			"Revoke", "Revoke of a user", "Since", "Snapshot", "CreateClient", "UpdateClient", "CreateUsers", "UpdateUser",
			"SetPassword", "CreateAPIKeys", "UpdateAPIKey", "ListClients", "ListUsers", "ListAPIKeys", "ReplaceAPIKey",
			"AddSecret", "DeleteSecret", "PutSigningKeys", "DeleteClient", "DeleteUser", "Sweep",
		},
		"indexed":  {"Revoke", "Snapshot", "CreateClient", "ListClients", "ListUsers", "ListAPIKeys", "Sweep"},
		"revoked":  {"Revoke", "Snapshot"},
		"versions": {"Revoke", "Snapshot", "CreateClient", "UpdateClient", "SetPassword"},
		"streams":  {"Record", "Report"}, "ended": {"Record"},
		"client:": {
			"Client", "CreateClient", "UpdateClient", "DeleteClient", "ListClients", "CreateAPIKeys",
			"SecretsOf", "AddSecret", "DeleteSecret", "Touch",
		},
		"user:": {"User", "CreateUsers of the login", "UpdateUser", "SetPassword", "Rehash", "DeleteUser", "ListUsers"},
		"apikey:": {
			"APIKey", "APIKeyByID", "CreateAPIKeys of the digest", "UpdateAPIKey", "ListAPIKeys", "ListAPIKeys of the client",
			"ReplaceAPIKey", "Touch", "Revoke of a key", "Revoke of a user", "DeleteUser", "DeleteClient",
		},
		"apikeyid:": {
			"APIKeyByID", "CreateAPIKeys of the ID", "UpdateAPIKey", "ListAPIKeys", "ListAPIKeys of the client",
			"ReplaceAPIKey", "Touch", "Revoke of a key", "Revoke of a user", "DeleteUser", "DeleteClient",
		},
		"apikeys:":            {"CreateAPIKeys", "ReplaceAPIKey", "Revoke of a key", "DeleteClient"},
		"owned:":              {"CreateAPIKeys", "UpdateAPIKey", "ReplaceAPIKey", "Revoke of a key", "Revoke of a user", "DeleteUser"},
		"names:client":        {"CreateClient", "ListClients", "DeleteClient"},
		"names:user":          {"CreateUsers", "ListUsers", "DeleteUser"},
		"names:apikey":        {"CreateAPIKeys", "ReplaceAPIKey", "ListAPIKeys", "Revoke of a key", "Revoke of a user"},
		"names:apikey:":       {"CreateAPIKeys", "ReplaceAPIKey", "ListAPIKeys of the client", "Revoke of a key", "DeleteClient"},
		"added:user:":         {"CreateUsers of the login", "UpdateUser", "DeleteUser"},
		"added:apikey:":       {"UpdateAPIKey", "Revoke of a key", "Revoke of a user", "DeleteClient"},
		"tombstones:apikeyid": {"CreateAPIKeys", "ReplaceAPIKey", "Revoke of a key", "Revoke of a user", "DeleteClient"},
		"tombstones:apikey":   {"CreateAPIKeys", "ReplaceAPIKey", "Revoke of a key", "Revoke of a user", "DeleteClient"},
		"tombstones:secrets:": {"CreateClient", "AddSecret", "DeleteSecret", "DeleteClient"},
		"token:":              {"Token", "RotateRefreshToken"},
		"session:":            {"Session", "Renew", "PutSession"},
		"series":              {"Record", "Adjust", "ForgetUsage"}, "youngest": {"Record", "Sweep"}, "places:": {"Record", "ForgetUsage"},
		"days:":   {"Record", "Report", "Adjust", "Adjustments", "ForgetUsage"},
		"counts:": {"Record", "Report", "ForgetUsage"}, "told:": {"Record", "Report", "ForgetUsage"},
		"folded:":     {"Report", "ForgetUsage"},
		"adjustments": {"Adjust", "ForgetUsage"}, "adjusted:": {"Report", "Adjust", "Adjustments", "ForgetUsage"},
		"signing:":   {"SigningKeys", "PutSigningKeys"},
		"ends:token": {"PutTokens", "RotateRefreshToken", "Sweep"}, "ends:session": {"PutSession", "Sweep"},
		"ends:signing": {"PutSigningKeys", "Sweep"}, "ends:revoked": {"Revoke", "Sweep"},
	}
	used := map[string]bool{}
	for key := range dump(t, s, ns) {
		name := strings.TrimPrefix(key, "{"+ns+"}:")
		use := ""
		for u := range uses {
			if (name == u || strings.HasSuffix(u, ":") && strings.HasPrefix(name, u)) && len(u) > len(use) {
				use = u
			}
		}
		methods := uses[use]
		if strings.Contains(name, fmt.Sprintf(":%d:", today())) { // the day of long ago has the same keys
			continue
		}
		if name == "format" || strings.HasPrefix(name, "token:") && name != fmt.Sprintf("token:%x", store.DigestOf("one")) || strings.HasPrefix(name, "tokenid:") || strings.HasPrefix(name, "family:") || strings.HasPrefix(name, "sessionid:") {
			continue
		}
		if methods == nil {
			t.Errorf("nothing uses %q", name)
		}
		used[use] = true
		saved := do(t, db, "DUMP", key)
		do(t, db, "DEL", key)
		if strings.HasPrefix(name, "apikeyid:") || name == "indexed" { // these are strings
			do(t, db, "RPUSH", key, "foreign")
		} else {
			do(t, db, "SET", key, "foreign")
		}
		before := dump(t, s, ns)
		for _, method := range methods {
			err := only(t.Context(), h, method)
			if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrReused) || !strings.Contains(err.Error(), key) {
				t.Errorf("%s with a foreign %q: got %v, want an error that names it", method, key, err)
			}
			if after := dump(t, s, ns); !maps.Equal(after, before) {
				t.Errorf("%s with a foreign %q changed something", method, key)
			}
		}
		do(t, db, "DEL", key)
		do(t, db, "RESTORE", key, 0, saved)
	}
	if len(used) != len(uses) {
		t.Errorf("%d kinds of keys were tried, want %d", len(used), len(uses))
	}
}

// fill stores one record of each type: the client c, the user u, the API key k, and so on.
func fill(t *testing.T, h *redis.Store) {
	t.Helper()
	prepare(t, h)
	for method, err := range everything(t.Context(), h) {
		if err != nil {
			t.Fatalf("%s: %v", method, err)
		}
	}
	ctx, soon := t.Context(), time.Now().Add(time.Hour)
	for _, err := range []error{
		h.PutTokens(ctx, token("one", "f")),
		h.DeleteClient(ctx, "new"), h.DeleteUser(ctx, "new"), h.Revoke(ctx, store.Change{Kind: store.KindAPIKey, ID: "k3"}),
		h.SetPassword(ctx, "u", hash("p")),
		h.UpdateAPIKey(ctx, "k", func(k *store.APIKey) error { k.Owner = "u"; return nil }),
		h.Revoke(ctx, store.Change{Kind: store.KindClient, ID: "c"}, store.Change{Kind: store.KindToken, ID: "soon", Until: soon}),
		h.PutSigningKeys(ctx, store.SigningKey{Set: "set", ID: "ends", Alg: "ES256", Sealed: []byte("x"), Published: soon, Ends: soon}),
		fold(ctx, h, store.Count{API: "a", Issuer: "i", Day: longAgo, Total: 5}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// fold records a count of a day long ago, and folds its stream.
func fold(ctx context.Context, h *redis.Store, c store.Count) error {
	_, err := h.Record(ctx, store.Stream{2}, store.Batch{Seq: 1, Counts: []store.Count{c}})
	return errors.Join(err, h.Sweep(ctx, time.Now()))
}

// only calls one method with arguments for which it must use the stored records.
func only(ctx context.Context, h *redis.Store, method string) (err error) {
	now, d := time.Now(), store.DigestOf("one")
	switch method {
	case "Client":
		_, err = h.Client(ctx, "c")
	case "User":
		_, err = h.User(ctx, "u")
	case "APIKey":
		_, err = h.APIKey(ctx, d)
	case "APIKeyByID":
		_, err = h.APIKeyByID(ctx, "k")
	case "CreateAPIKeys":
		err = h.CreateAPIKeys(ctx, owned("more", "c", "u"))
	case "CreateAPIKeys of the ID":
		err = h.CreateAPIKeys(ctx, apiKey("k", "c"))
	case "CreateAPIKeys of the digest":
		err = h.CreateAPIKeys(ctx, store.APIKey{ID: "more", Client: "c", Digest: d})
	case "UpdateAPIKey":
		err = h.UpdateAPIKey(ctx, "k", func(k *store.APIKey) error { k.Name += "x"; return nil })
	case "ListAPIKeys":
		_, err = h.ListAPIKeys(ctx, "", "", 9)
	case "ListAPIKeys of the client":
		_, err = h.ListAPIKeys(ctx, "c", "", 9)
	case "ReplaceAPIKey":
		err = h.ReplaceAPIKey(ctx, "k", now.Add(time.Hour), owned("more", "c", "u"))
	case "Revoke of a key":
		err = h.Revoke(ctx, store.Change{Kind: store.KindAPIKey, ID: "k"})
	case "Revoke of a user":
		err = h.Revoke(ctx, store.Change{Kind: store.KindUser, ID: "u"})
	case "SecretsOf":
		_, err = h.SecretsOf(ctx, "c")
	case "AddSecret":
		err = h.ReplaceSecrets(ctx, "c", store.Secret{ID: "more", Digest: store.DigestOf("more")}, now)
	case "DeleteSecret":
		err = h.DeleteSecret(ctx, "c", "s")
	case "Touch":
		err = h.Touch(ctx, store.Use{ID: "k", At: now}, store.Use{Client: "c", ID: "s", At: now})
	case "Token":
		_, err = h.Token(ctx, d)
	case "Session":
		_, err = h.Session(ctx, d)
	case "PutTokens":
		err = h.PutTokens(ctx, token("new", "f"))
	case "RotateRefreshToken":
		err = h.RotateRefreshToken(ctx, d, "c", now, 0, token("next", "f"))
	case "PutSession":
		err = h.PutSession(ctx, session("s", d, now))
	case "Renew":
		err = h.Renew(ctx, d, now, now.Add(time.Minute))
	case "Revoke":
		err = h.Revoke(ctx, store.Change{Kind: store.KindFamily, ID: "f", Until: now}, store.Change{Kind: store.KindClient, ID: "c"})
	case "Since":
		_, _, err = h.Since(ctx, store.Cursor{N: 1})
	case "Snapshot":
		_, _, err = h.Snapshot(ctx)
	case "Record":
		_, err = h.Record(ctx, store.Stream{1}, store.Batch{Seq: 9, Through: now, Counts: []store.Count{{Counter: 1, API: "a", Issuer: "i", Day: longAgo, Total: 9}}})
	case "Adjust":
		err = h.Adjust(ctx, adjustment("k", longAgo))
	case "Adjustments":
		_, err = h.Adjustments(ctx, all)
	case "ForgetUsage":
		err = h.ForgetUsage(ctx, today()-100)
	case "Report":
		_, err = h.Report(ctx, all)
	case "SigningKeys":
		_, err = h.SigningKeys(ctx, "set")
	case "PutSigningKeys":
		err = h.PutSigningKeys(ctx, signingKey("k"))
	case "CreateClient":
		err = h.CreateClient(ctx, store.Client{ID: "c"})
	case "UpdateClient":
		err = h.UpdateClient(ctx, "c", func(c *store.Client) error { c.Disabled = !c.Disabled; return nil })
	case "ListClients":
		_, err = h.ListClients(ctx, "", 9)
	case "CreateUsers":
		err = h.CreateUsers(ctx, store.User{Login: "more"})
	case "CreateUsers of the login":
		err = h.CreateUsers(ctx, store.User{Login: "u"})
	case "UpdateUser":
		err = h.UpdateUser(ctx, "u", func(u *store.User) error { u.First += "x"; return nil })
	case "ListUsers":
		_, err = h.ListUsers(ctx, "", 9)
	case "SetPassword":
		err = h.SetPassword(ctx, "u", hash("q"))
	case "Rehash":
		err = h.Rehash(ctx, "u", hash("p"), hash("q"))
	case "DeleteClient":
		err = h.DeleteClient(ctx, "c")
	case "DeleteUser":
		err = h.DeleteUser(ctx, "u")
	case "Sweep":
		err = h.Sweep(ctx, now.Add(-1000*time.Hour)) // at a time when nothing had ended
	}
	return err
}

// TestC17ForeignFields damages or removes each field of each record.
func TestC17ForeignFields(t *testing.T) {
	s := services.SharedRedis(t)
	db, ns := raw(t, s), services.Name()
	h := open(t, s.DSN(), redis.Config{Namespace: ns})
	fill(t, h)
	reads := map[string]string{"client": "Client", "user": "User", "apikey": "APIKeyByID", "token": "Token", "session": "Session", "signing": "SigningKeys", "streams": "Report", "counts": "Report", "folded": "Report", "adjusted": "Adjustments", "adjustments": "Adjust"}
	// Any text is valid in these fields, even an empty one.
	texts := []string{"id", "family", "client", "user", "audience", "scopes", "password", "first", "last", "lang", "name", "owner"}
	newer := map[string][]string{ // fields that older records lack
		"token": {"usedat"}, "apikey": {"created", "used", "name", "owner", "addrs"},
		"client": {"used:s"}, "user": {"scopes", "limit_scopes"},
	}
	one := fmt.Sprintf("%x", store.DigestOf("one"))
	for key := range dump(t, s, ns) {
		name := strings.TrimPrefix(key, "{"+ns+"}:")
		head, id, _ := strings.Cut(name, ":")
		method := reads[head]
		if method == "" || (head == "token" && id != one) || strings.Contains(name, fmt.Sprintf(":%d:", today())) {
			continue
		}
		for field, value := range db.HGetAll(t.Context(), key).Val() {
			method := method
			if strings.HasPrefix(field, "used:") || field == "secrets" {
				method = "SecretsOf"
			}
			spoilt := []string{"x", "{", "-1", "1.5", "999999999999999999999", "[1]", strings.Repeat("é", 32)}
			if slices.Contains(texts, field) && (head == "token" || field != "scopes") {
				spoilt = nil
			}
			for _, v := range spoilt {
				do(t, db, "HSET", key, field, v)
				if err := only(t.Context(), h, method); err == nil || errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), key) {
					t.Errorf("%s where %s of %s is %q: got %v, want an error that names the key", method, field, key, v, err)
				}
			}
			newer := slices.Contains(newer[head], field)
			if !newer && !slices.Contains([]string{"signing", "streams", "counts", "folded", "adjusted", "adjustments"}, head) {
				do(t, db, "HDEL", key, field)
				if err := only(t.Context(), h, method); err == nil || errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), key) {
					t.Errorf("%s where %s of %s is missing: got %v, want an error that names the key", method, field, key, err)
				}
			}
			do(t, db, "HSET", key, field, value)
		}
		if err := only(t.Context(), h, method); err != nil {
			t.Errorf("%s with all put back: %v", method, err)
		}
	}
}

// TestC17ForeignChanges damages the sequence of changes.
func TestC17ForeignChanges(t *testing.T) {
	s := services.SharedRedis(t)
	db := raw(t, s)
	for what, entry := range map[string][]any{
		"an entry of another kind": {"hello", "world"},
		"a nonce too short":        {"kind", 1, "id", "x", "version", 0, "until", "", "nonce", "00"},
		"a kind too high":          {"kind", 257, "id", "x", "version", 0, "until", "", "nonce", "0011223344556677"},
		"no time":                  {"kind", 1, "id", "x", "version", 0, "until", "soon", "nonce", "0011223344556677"},
	} {
		ns := services.Name()
		h := open(t, s.DSN(), redis.Config{Namespace: ns})
		_, cursor, err := h.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		key := "{" + ns + "}:changes"
		do(t, db, append([]any{"XADD", key, fmt.Sprintf("%d-0", cursor.N+1)}, entry...)...)
		if cs, _, err := h.Since(t.Context(), cursor); err == nil || errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: Since returned %v, %v, want an error that names the key", what, cs, err)
		}
		if cs, _, err := h.Snapshot(t.Context()); err == nil || !strings.Contains(err.Error(), ns) {
			t.Errorf("%s: Snapshot returned %v, %v, want an error that names the namespace", what, cs, err)
		}
		do(t, db, "XADD", key, "5000000-7", "a", "b")
		if err := h.Revoke(t.Context(), store.Change{Kind: store.KindToken, ID: "x"}); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: Revoke after a foreign ID: got %v, want an error that names the key", what, err)
		}
	}
}
