package memory_test

import (
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

// TestZeroStore uses a store that New has not made. Writes return an error that says
// so, and so does reading the revocations, which is the first thing that an issuer
// does.
func TestZeroStore(t *testing.T) {
	var s memory.Store
	ctx, now := t.Context(), time.Now()
	_, _, since := s.Since(ctx, store.Cursor{})
	_, _, snapshot := s.Snapshot(ctx)
	_, record := s.Record(ctx, store.Stream{1}, store.Batch{Seq: 1})
	for what, err := range map[string]error{
		"Since": since, "Snapshot": snapshot,
		"CreateClient":   s.CreateClient(ctx, store.Client{ID: "c"}),
		"CreateUsers":    s.CreateUsers(ctx, store.User{Login: "u"}),
		"CreateAPIKeys":  s.CreateAPIKeys(ctx, store.APIKey{ID: "k", Client: "c", Digest: store.DigestOf("k")}),
		"PutSession":     s.PutSession(ctx, store.Session{ID: "s", Token: store.DigestOf("s"), Cookie: store.DigestOf("c"), User: "u", Expires: now, Ends: now}),
		"PutSigningKeys": s.PutSigningKeys(ctx, store.SigningKey{Set: "s", ID: "k", Alg: "ES256", Sealed: []byte{1}, Published: now, Signs: now}),
		"Revoke":         s.Revoke(ctx, store.Change{Kind: store.KindSession, ID: "s", Until: now.Add(time.Hour)}),
		"Sweep":          s.Sweep(ctx, now),
		"Record":         record,
		"Adjust":         s.Adjust(ctx, store.Adjustment{Key: "k", Issuer: "i", Client: "c", API: "a", Product: "p", Quantity: 1, Reason: "r", Day: store.DayOf(now)}),
	} {
		if err == nil || !strings.Contains(err.Error(), "memory: the Store does not come from New") {
			t.Errorf("%s: got %v", what, err)
		}
	}
	if u, err := s.User(ctx, "u"); err != store.ErrNotFound {
		t.Errorf("User: got %v, %v", u, err)
	}
}
