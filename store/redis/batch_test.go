package redis_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/services"
	"github.com/authtier/authtier/store/redis"
)

// TestLargeBatches creates 10,000 users and keys in one call, all or none. It lists them,
// and revokes the keys with their owner.
func TestLargeBatches(t *testing.T) {
	const n = 10_000
	ctx, s := t.Context(), services.SharedRedis(t)
	h := open(t, s.DSN(), redis.Config{Namespace: services.Name()})
	var users []store.User
	var keys []store.APIKey
	for i := range n {
		users = append(users, store.User{Login: fmt.Sprintf("u%05d", i), Password: hash("p"), LimitScopes: true})
		keys = append(keys, owned(fmt.Sprintf("k%05d", i), "c", "owner"))
	}
	last := n - 1
	if err := errors.Join(
		h.CreateClient(ctx, store.Client{ID: "c"}),
		h.CreateUsers(ctx, users[last]), h.CreateAPIKeys(ctx, keys[last]),
	); err != nil {
		t.Fatal(err)
	}

	step := func(what string, f func() error) error {
		begin := time.Now()
		err := f()
		t.Logf("%s: %v", what, time.Since(begin))
		return err
	}
	for what, f := range map[string]func() error{
		users[last].Login: func() error { return h.CreateUsers(ctx, users...) },
		keys[last].ID:     func() error { return h.CreateAPIKeys(ctx, keys...) },
	} {
		if err := f(); !errors.Is(err, store.ErrExists) || !strings.Contains(err.Error(), what) {
			t.Errorf("a batch with %s, which exists: got %v", what, err)
		}
	}
	if us, err := h.ListUsers(ctx, "", 9); err != nil || len(us) != 1 {
		t.Errorf("after a batch that was refused: got %v, %v", us, err)
	}
	if ks, err := h.ListAPIKeys(ctx, "", "", 9); err != nil || len(ks) != 1 {
		t.Errorf("after a batch that was refused: got %v, %v", ks, err)
	}

	if err := errors.Join(
		step("users", func() error { return h.CreateUsers(ctx, users[:last]...) }),
		step("keys", func() error { return h.CreateAPIKeys(ctx, keys[:last]...) }),
	); err != nil {
		t.Fatal(err)
	}
	listed, after := 0, ""
	for {
		ks, err := h.ListAPIKeys(ctx, "c", after, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(ks) == 0 {
			break
		}
		for _, k := range ks {
			if k.ID != keys[listed].ID {
				t.Fatalf("key %d is %s, want %s", listed, k.ID, keys[listed].ID)
			}
			listed++
		}
		after = ks[len(ks)-1].ID
	}
	if listed != n {
		t.Errorf("%d keys are listed, want %d", listed, n)
	}

	owner := store.Change{Kind: store.KindUser, ID: "owner"}
	if err := step("revoking the owner", func() error { return h.Revoke(ctx, owner) }); err != nil {
		t.Fatal(err)
	}
	if ks, err := h.ListAPIKeys(ctx, "", "", 9); err != nil || len(ks) != 0 {
		t.Errorf("after the owner was revoked: got %v, %v", ks, err)
	}
	for i := range last { // the key of the last one is a tombstone
		keys[i] = apiKey(fmt.Sprintf("new%05d", i), "c")
	}
	if err := h.CreateAPIKeys(ctx, keys...); !errors.Is(err, store.ErrRevoked) || !strings.Contains(err.Error(), keys[last].ID) {
		t.Errorf("a batch with a key that was revoked: got %v", err)
	}
	if err := h.CreateAPIKeys(ctx, make([]store.APIKey, 30_000)...); err == nil {
		t.Error("a batch that is too large was accepted")
	}
}
