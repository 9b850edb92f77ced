package redis_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/services"
	"github.com/authtier/authtier/store/redis"
)

// A chain is a family whose token one goroutine rotates. Every third chain is revoked.
type chain struct {
	family  string
	rotated int  // acknowledged
	revoked bool // acknowledged
}

func (c *chain) secret(n int) string { return fmt.Sprint(c.family, "-", n) }

// run rotates until the store fails.
func (c *chain) run(t *testing.T, h *redis.Store) {
	if h.PutTokens(t.Context(), token(c.secret(0), c.family)) != nil {
		c.rotated = -1
		return
	}
	for n := range 30 {
		if h.RotateRefreshToken(t.Context(), store.DigestOf(c.secret(n)), "c", time.Now(), 0, token(c.secret(n+1), c.family)) != nil {
			return
		}
		c.rotated++
	}
	c.revoked = h.Revoke(t.Context(), store.Change{Kind: store.KindFamily, ID: c.family, Until: time.Now().Add(time.Hour)}) == nil
}

// check compares the store with the writes that were acknowledged. All of these must be
// there. A write that was under way must be there as a whole or not at all.
func (c *chain) check(t *testing.T, h *redis.Store, inForce map[string]bool) {
	t.Helper()
	if c.revoked != inForce[c.family] && c.revoked {
		t.Errorf("family %s: its revocation was lost", c.family)
	}
	live := 0
	for n := range c.rotated + 2 {
		switch tok, err := h.Token(t.Context(), store.DigestOf(c.secret(n))); {
		case errors.Is(err, store.ErrNotFound):
			if !inForce[c.family] && n <= c.rotated {
				t.Errorf("family %s: token %d of %d was lost", c.family, n, c.rotated)
			}
		case err != nil:
			t.Error(err)
		case !tok.Used:
			live++
		case n > c.rotated:
			t.Errorf("family %s: token %d of %d is used", c.family, n, c.rotated)
		}
	}
	want := 1
	if inForce[c.family] {
		want = 0
	}
	if live != want && c.rotated >= 0 {
		t.Errorf("family %s has %d live tokens, want %d", c.family, live, want)
	}
}

// TestKilled repeatedly kills the server under load. With appendfsync=always, no
// acknowledged write may be lost.
func TestKilled(t *testing.T) {
	s := services.Redis(t, "appendfsync=always")
	h := open(t, s.DSN(), redis.Config{})
	for round := range 3 {
		var chains []*chain
		var wg sync.WaitGroup
		for i := range 40 {
			chains = append(chains, &chain{family: fmt.Sprint(round, ".", i)})
		}
		stop := make(chan struct{})
		var told uint64
		wg.Go(func() {
			for n := uint64(1); ; n++ {
				counts := []store.Count{{Counter: 1, API: "a", Client: "c", Product: "p", Total: int64(n)}}
				if _, err := h.Record(t.Context(), store.Stream{byte(round)}, store.Batch{Seq: n, Through: time.Now(), Counts: counts}); err != nil {
					return
				}
				told = n
			}
		})
		for worker := range 4 {
			wg.Go(func() {
				for i := worker; i < len(chains); i += 4 {
					select {
					case <-stop:
						return
					default:
						chains[i].run(t, h)
					}
				}
			})
		}
		time.Sleep(time.Duration(100+50*round) * time.Millisecond)
		s.Kill(t)
		close(stop)
		wg.Wait()
		s.Start(t)
		recovers(t, h)

		cs, _, err := h.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		inForce := map[string]bool{}
		for _, c := range cs {
			inForce[c.ID] = true
		}
		rotations := 0
		for _, c := range chains {
			if c.rotated > 0 || c.revoked {
				c.check(t, h, inForce)
				rotations += c.rotated
			}
		}
		had, err := h.Record(t.Context(), store.Stream{byte(round)}, store.Batch{Seq: told + 2, Through: time.Now()})
		if err != nil || had < told || had > told+1 {
			t.Errorf("the stream had told %d, %v, want %d or one more", had, err, told)
		}
		t.Logf("round %d: %d rotations and %d batches before the kill", round, rotations, told)
	}
}

// TestS10PutBack puts the server back to an earlier copy. Cursors and sequence numbers
// from after the copy must be noticed.
func TestS10PutBack(t *testing.T) {
	ctx := t.Context()
	s := services.Redis(t, "appendfsync=always")
	h := open(t, s.DSN(), redis.Config{})
	revoke := func(id string) {
		t.Helper()
		if err := h.Revoke(ctx, store.Change{Kind: store.KindFamily, ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	revoke("one")
	if _, err := h.Record(ctx, store.Stream{1}, store.Batch{Seq: 5, Through: time.Now()}); err != nil {
		t.Fatal(err)
	}
	_, old, err := h.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s.CopyData(t)
	recovers(t, h)
	revoke("two")
	if _, err := h.Record(ctx, store.Stream{1}, store.Batch{Seq: 6, Through: time.Now()}); err != nil {
		t.Fatal(err)
	}
	_, lost, err := h.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s.RestoreData(t)
	recovers(t, h)
	if _, _, err := h.Since(ctx, lost); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a cursor of the lost future: got %v, want %v", err, store.ErrNotFound)
	}
	revoke("three") // gets the number that "two" had
	if cs, _, err := h.Since(ctx, lost); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a cursor whose number is taken again: got %v, %v, want %v", cs, err, store.ErrNotFound)
	}
	if cs, _, err := h.Since(ctx, old); err != nil || len(cs) != 1 || cs[0].ID != "three" {
		t.Errorf("the cursor before the copy: got %v, %v, want the change since", cs, err)
	}
	if had, err := h.Record(ctx, store.Stream{1}, store.Batch{Seq: 7, Through: time.Now()}); err != nil || had != 5 {
		t.Errorf("the stream had told %d, %v, want 5", had, err)
	}
}

// TestFlushed empties the server under a store. All records are gone, and Since must
// refuse old cursors.
func TestFlushed(t *testing.T) {
	ctx := t.Context()
	s := services.Redis(t)
	h := open(t, s.DSN(), redis.Config{})
	prepare(t, h)
	_, cursor, err := h.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	do(t, raw(t, s), "FLUSHALL")
	if _, _, err := h.Since(ctx, cursor); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Since: got %v, want %v", err, store.ErrNotFound)
	}
	cs, fresh, err := h.Snapshot(ctx)
	if err != nil || len(cs) != 0 || fresh == cursor {
		t.Errorf("Snapshot: got %v, %v, %v", cs, fresh, err)
	}
	testSmoke(t, h, open(t, s.DSN(), redis.Config{}))
}
