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

// dump returns all that the namespace holds, in the form that DUMP gives it.
func dump(t *testing.T, s *services.Service, ns string) map[string]string {
	t.Helper()
	db, all := raw(t, s), map[string]string{}
	keys, err := db.Keys(t.Context(), "{"+ns+"}:*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		all[k] = fmt.Sprint(do(t, db, "DUMP", k))
	}
	return all
}

// TestC17ForeignTypes puts another type in the place of each key, one at a time.
// What would read or write it fails and names it, and nothing is changed.
func TestC17ForeignTypes(t *testing.T) {
	s := services.SharedRedis(t)
	db, ns := raw(t, s), services.Name()
	h := open(t, s.DSN(), redis.Config{Namespace: ns})
	fill(t, h)
	uses := map[string][]string{
		"changes":  {"Revoke", "Since", "Snapshot", "PutClient", "PutUser", "PutAPIKey", "ReplaceAPIKey", "AddSecret", "DeleteSecret", "PutSigningKeys", "DeleteClient", "DeleteUser"},
		"revoked":  {"Revoke", "Snapshot"},
		"versions": {"Revoke", "Snapshot", "PutClient"},
		"streams":  {"Tell", "Report"}, "ended": {"Tell"},
		"client:":   {"Client", "PutClient", "SecretsOf", "AddSecret", "DeleteSecret", "Touch"},
		"user:":     {"User", "PutUser", "Rehash"},
		"apikey:":   {"APIKey", "PutAPIKey", "APIKeyByID", "APIKeysOf", "ReplaceAPIKey", "Touch"},
		"apikeyid:": {"PutAPIKey", "APIKeyByID", "APIKeysOf", "ReplaceAPIKey", "Touch"},
		"apikeys:":  {"PutAPIKey", "APIKeysOf", "ReplaceAPIKey"},
		"token:":    {"Token", "Rotate"},
		"session:":  {"Session", "Renew", "PutSession"},
		"series":    {"Tell", "Adjust", "ForgetUsage"}, "youngest": {"Tell", "Sweep"}, "places:": {"Tell", "ForgetUsage"},
		"days:":   {"Tell", "Report", "Adjust", "Adjustments", "ForgetUsage"},
		"counts:": {"Tell", "Report", "ForgetUsage"}, "told:": {"Tell", "Report", "ForgetUsage"},
		"folded:":     {"Report", "ForgetUsage"},
		"adjustments": {"Adjust", "ForgetUsage"}, "adjusted:": {"Report", "Adjust", "Adjustments", "ForgetUsage"},
		"signing:":   {"SigningKeys", "PutSigningKeys"},
		"ends:token": {"PutTokens", "Rotate", "Sweep"}, "ends:session": {"PutSession", "Sweep"},
		"ends:signing": {"PutSigningKeys", "Sweep"}, "ends:revoked": {"Revoke", "Sweep"},
	}
	used := 0
	for key := range dump(t, s, ns) {
		name := strings.TrimPrefix(key, "{"+ns+"}:")
		methods := uses[name]
		if head, _, ok := strings.Cut(name, ":"); ok && methods == nil {
			methods = uses[head+":"]
		}
		if strings.Contains(name, fmt.Sprintf(":%d:", today())) { // like that of day 0
			continue
		}
		if name == "format" || strings.HasPrefix(name, "token:") && name != fmt.Sprintf("token:%x", store.DigestOf("one")) || strings.HasPrefix(name, "tokenid:") || strings.HasPrefix(name, "family:") || strings.HasPrefix(name, "sessionid:") {
			continue
		}
		if methods == nil {
			t.Errorf("nothing uses %q", name)
		}
		used++
		saved := do(t, db, "DUMP", key)
		do(t, db, "DEL", key)
		if strings.HasPrefix(name, "apikeyid:") {
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
	if used != len(uses) {
		t.Errorf("%d keys were tried, want %d", used, len(uses))
	}
}

// fill puts one of each record.
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
		h.PutUser(ctx, store.User{Login: "u", Password: "p"}),
		h.Revoke(ctx, store.Change{Kind: store.KindClient, ID: "c"}, store.Change{Kind: store.KindToken, ID: "soon", Until: soon}),
		h.PutSigningKeys(ctx, store.SigningKey{Set: "set", ID: "ends", Published: soon, Ends: soon}),
		fold(ctx, h, store.Count{API: "a", Total: 5}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// fold has a stream tell a count of long ago, and folds it.
func fold(ctx context.Context, h *redis.Store, c store.Count) error {
	_, err := h.Tell(ctx, store.Stream{2}, store.Telling{Seq: 1, Counts: []store.Count{c}})
	return errors.Join(err, h.Sweep(ctx, time.Now()))
}

// only calls one method, in such a way that it must touch what is there.
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
	case "APIKeysOf":
		_, err = h.APIKeysOf(ctx, "c")
	case "ReplaceAPIKey":
		err = h.ReplaceAPIKey(ctx, "k", now.Add(time.Hour), store.APIKey{ID: "k2", Client: "c", Digest: store.DigestOf("k2")})
	case "SecretsOf":
		_, err = h.SecretsOf(ctx, "c")
	case "AddSecret":
		err = h.AddSecret(ctx, "c", store.Secret{ID: "s2", Digest: d}, now)
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
	case "Rotate":
		err = h.Rotate(ctx, d, "c", now, 0, token("next", "f"))
	case "PutSession":
		err = h.PutSession(ctx, store.Session{ID: "s", Token: d, Ends: now})
	case "Renew":
		err = h.Renew(ctx, d, now, now.Add(time.Minute))
	case "Revoke":
		err = h.Revoke(ctx, store.Change{Kind: store.KindFamily, ID: "f", Until: now}, store.Change{Kind: store.KindClient, ID: "c"})
	case "Since":
		_, _, err = h.Since(ctx, store.Cursor{N: 1})
	case "Snapshot":
		_, _, err = h.Snapshot(ctx)
	case "Tell":
		_, err = h.Tell(ctx, store.Stream{1}, store.Telling{Seq: 9, Through: now, Counts: []store.Count{{Counter: 1, API: "a", Total: 9}}})
	case "Adjust":
		err = h.Adjust(ctx, store.Adjustment{Key: "k", API: "a", Client: "c", Quantity: -1})
	case "Adjustments":
		_, err = h.Adjustments(ctx, store.Query{API: "a"})
	case "ForgetUsage":
		err = h.ForgetUsage(ctx, today()-100)
	case "Report":
		_, _, err = h.Report(ctx, store.Query{API: "a"})
	case "SigningKeys":
		_, err = h.SigningKeys(ctx, "set")
	case "PutSigningKeys":
		err = h.PutSigningKeys(ctx, store.SigningKey{Set: "set", ID: "k", Ends: now})
	case "PutClient":
		err = h.PutClient(ctx, store.Client{ID: "c"})
	case "PutUser":
		err = h.PutUser(ctx, store.User{Login: "u", Password: "other"})
	case "Rehash":
		err = h.Rehash(ctx, "u", "p", "q")
	case "PutAPIKey":
		err = h.PutAPIKey(ctx, store.APIKey{ID: "k", Client: "c", Digest: d})
	case "DeleteClient":
		err = h.DeleteClient(ctx, "c")
	case "DeleteUser":
		err = h.DeleteUser(ctx, "u")
	case "Sweep":
		err = h.Sweep(ctx, now.Add(-1000*time.Hour)) // nothing has ended
	}
	return err
}

// TestC17ForeignFields spoils each field of each record, or takes it away.
func TestC17ForeignFields(t *testing.T) {
	s := services.SharedRedis(t)
	db, ns := raw(t, s), services.Name()
	h := open(t, s.DSN(), redis.Config{Namespace: ns})
	fill(t, h)
	reads := map[string]string{"client": "Client", "user": "User", "apikey": "APIKeyByID", "token": "Token", "session": "Session", "signing": "SigningKeys", "streams": "Report", "counts": "Report", "folded": "Report", "adjusted": "Adjustments", "adjustments": "Adjust"}
	// Any text is good for these, and an empty one too.
	texts := []string{"id", "family", "client", "user", "audience", "scopes", "password", "first", "last", "lang"}
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
			if slices.Contains(texts, field) && (head != "apikey" && head != "client" || field != "scopes") {
				spoilt = nil
			}
			for _, v := range spoilt {
				do(t, db, "HSET", key, field, v)
				if err := only(t.Context(), h, method); err == nil || errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), key) {
					t.Errorf("%s where %s of %s is %q: got %v, want an error that names the key", method, field, key, v, err)
				}
			}
			newer := head == "token" && field == "usedat" || head == "apikey" && (field == "created" || field == "used") || head == "client" && field == "used:s" // than some records
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

// TestC17ForeignChanges spoils the sequence.
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
