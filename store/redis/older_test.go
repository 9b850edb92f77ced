package redis_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/services"
	"github.com/authtier/authtier/store/redis"
)

// TestOlderRecords reads and changes records of old versions, in which secrets had no ID,
// and the times of creation and first use were not stored.
func TestOlderRecords(t *testing.T) {
	ctx, s, ns := t.Context(), services.SharedRedis(t), services.Name()
	db, h := raw(t, s), open(t, s.DSN(), redis.Config{Namespace: ns})
	d := store.DigestOf("one")
	hex, key := fmt.Sprintf("%x", d), func(name string) string { return "{" + ns + "}:" + name }
	do(t, db, "HSET", key("client:c"), "version", "1", "disabled", "0", "scopes", "null", "default", "null", "grants", "null",
		"secrets", `[{"digest":"`+hex+`","expires":""}]`)
	do(t, db, "HSET", key("apikey:"+hex), "id", "k", "client", "c", "scopes", "null", "expires", "")
	do(t, db, "SET", key("apikeyid:k"), hex)
	do(t, db, "SADD", key("apikeys:c"), "k")
	k, err := h.APIKey(ctx, d)
	if err != nil || k.ID != "k" || !k.Created.IsZero() {
		t.Errorf("API key: got %+v, %v", k, err)
	}
	c, err := h.Client(ctx, "c")
	if err != nil || len(c.Secrets) != 1 || c.Secrets[0] != (store.Secret{Digest: d}) {
		t.Errorf("client: got %+v, %v", c, err)
	}
	until := time.Now().Add(time.Hour).UTC()
	for i, secret := range []string{"used", "unused", "beside"} {
		tk := token(secret, secret)
		tk.Used = i == 0
		if err := h.PutTokens(ctx, tk); err != nil {
			t.Fatal(err)
		}
		name := key(fmt.Sprintf("token:%x", tk.Digest))
		do(t, db, "HDEL", name, "usedat")
		if secret == "beside" { // was marked as used by an old program
			do(t, db, "HSET", name, "used", "1", "usedat", "")
		}
		if got, err := h.Token(ctx, tk.Digest); err != nil || got.Used != (i != 1) || !got.UsedAt.IsZero() {
			t.Errorf("token %s: got %+v, %v", secret, got, err)
		}
		want := store.ErrReused
		if i == 1 {
			want = nil
		}
		if err := h.RotateRefreshToken(ctx, tk.Digest, "c", time.Now(), time.Minute, token("next of "+secret, secret)); !errors.Is(err, want) {
			t.Errorf("token %s, with a grace: got %v, want %v", secret, err, want)
		}
	}
	for _, err := range []error{
		h.Touch(ctx, store.Use{ID: "k", At: until}, store.Use{Client: "c", At: until}),
		h.ReplaceAPIKey(ctx, "k", until, apiKey("k2", "c")),
		h.ReplaceSecrets(ctx, "c", store.Secret{ID: "s", Digest: store.DigestOf("two")}, until),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if k, err := h.APIKeyByID(ctx, "k"); err != nil || !k.Expires.Equal(until) || !k.LastUsed.Equal(until) {
		t.Errorf("replaced: got %+v, %v", k, err)
	}
	if secrets, err := h.SecretsOf(ctx, "c"); err != nil || len(secrets) != 2 || secrets[0].ID != "" || !secrets[0].Expires.Equal(until) {
		t.Errorf("secrets: got %+v, %v", secrets, err)
	}
}
