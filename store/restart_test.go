package store_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

// TestARestartAfterAnExpiry creates the same client and key at every start, even after
// they have expired. The error must be that they exist.
func TestARestartAfterAnExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, end := memory.New(), time.Now().Add(time.Hour)
		start := func() (client, key error) {
			return db.CreateClient(t.Context(), store.Client{
					ID: "app", Secrets: []store.Secret{{ID: "s", Digest: store.DigestOf("secret"), Expires: end}},
				}),
				db.CreateAPIKeys(t.Context(), store.APIKey{ID: "k", Client: "app", Digest: store.DigestOf("key"), Expires: end})
		}
		if client, key := start(); client != nil || key != nil {
			t.Fatal(client, key)
		}
		for _, wait := range []time.Duration{time.Minute, 2 * time.Hour} {
			time.Sleep(wait)
			if client, key := start(); !errors.Is(client, store.ErrExists) || !errors.Is(key, store.ErrExists) {
				t.Errorf("after %v: got %v and %v, want ErrExists", wait, client, key)
			}
		}
	})
}

// TestHashesThatCannotMatch checks that hashes which no password can match are refused.
func TestHashesThatCannotMatch(t *testing.T) {
	const salt, key = "c29tZXNhbHRzb21lc2FsdA", "a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2U"
	for hash, ok := range map[string]bool{
		"": true, "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key: true,
		"$2b$10$" + "abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyz01234": true,
		"$argon2id$v=16$m=19456,t=2,p=1$" + salt + "$" + key:                false,
		"$argon2id$v=19$m=2097152,t=2,p=1$" + salt + "$" + key:              false,
		"$argon2id$v=19$m=19456,t=02,p=1$" + salt + "$" + key:               false,
		"$argon2id$v=19$m=19456,t=0,p=1$" + salt + "$" + key:                false,
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$AAAA":                  false,
		"$2b$99$" + "abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyz01234": false,
		"correct horse": false,
	} {
		if err := store.CheckPasswordHash(hash); (err == nil) != ok {
			t.Errorf("%s: got %v", hash, err)
		}
	}
}
