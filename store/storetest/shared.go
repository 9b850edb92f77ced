package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

// RunShared checks stores that several processes may use at once. newStores must return
// two handles on one empty store, as two processes would have them. It registers its own
// cleanup with t.
func RunShared(t *testing.T, newStores func(t *testing.T) (a, b store.Store)) {
	for _, tt := range []struct {
		name string
		test func(t *testing.T, a, b store.Store)
	}{
		{"Seen", testSeen},
		{"RotateConcurrent", testRotateBetween},
		{"RevokeWhileRotating", testRevokeWhileRotating},
		{"RevokeInGrace", testRevokeInGrace},
		{"VersionsConcurrent", testVersionsConcurrent},
		{"ReplaceAPIKeyConcurrent", testReplaceBetween},
		{"ReplaceSecretsConcurrent", testReplaceSecretsBetween},
		{"CreateConcurrent", testCreateBetween},
		{"CreateWhileRevoking", testCreateWhileRevoking},
		{"UpdateConcurrent", testUpdateBetween},
		{"Follow", testFollow},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := newStores(t)
			tt.test(t, a, b)
		})
	}
}

// testSeen checks that each handle reads what the other has written.
func testSeen(t *testing.T, a, b store.Store) {
	ctx := t.Context()
	_, cursor, err := a.Snapshot(ctx)
	must(t, err)

	clients(t, b, "c")
	must(t, b.PutTokens(ctx, access("a", "f")))
	must(t, b.Revoke(ctx, store.Change{Kind: store.KindFamily, ID: "g", Until: start}))

	if _, err := a.Client(ctx, "c"); err != nil {
		t.Errorf("client: %v", err)
	}
	present(t, a, "a", true)
	cs, _, err := a.Since(ctx, cursor)
	must(t, err)
	if len(cs) != 1 || cs[0].ID != "g" {
		t.Errorf("changes: got %+v, want the family", cs)
	}

	// A handle must not answer from a cache of its own.
	must(t, a.Revoke(ctx, store.Change{Kind: store.KindFamily, ID: "f", Until: start}))
	present(t, b, "a", false)
}

// testRotateBetween repeatedly rotates one token through both handles at once.
func testRotateBetween(t *testing.T, a, b store.Store) {
	ctx := t.Context()
	for round := range 20 {
		secret, family := fmt.Sprint("r", round), fmt.Sprint("f", round)
		must(t, a.PutTokens(ctx, refresh(secret, family)))

		var won, late atomic.Int32
		together(10, func(i int) {
			s := []store.Store{a, b}[i%2]
			switch err := s.RotateRefreshToken(ctx, digest(secret), "c", start, 0, refresh(fmt.Sprint(secret, "next", i), family)); {
			case err == nil:
				won.Add(1)
			case errors.Is(err, store.ErrReused), errors.Is(err, store.ErrNotFound):
				late.Add(1)
			default:
				t.Errorf("caller %d: %v", i, err)
			}
		})

		if won.Load() != 1 || late.Load() != 9 {
			t.Errorf("%d callers succeeded and %d came too late, want 1 and 9", won.Load(), late.Load())
		}
		for i := range 10 {
			present(t, b, fmt.Sprint(secret, "next", i), false)
		}
	}
}

// testRevokeInGrace revokes a family while many callers use its token within the grace. No
// successor may be left.
func testRevokeInGrace(t *testing.T, a, b store.Store) {
	ctx := t.Context()
	for round := range 20 {
		secret, family := fmt.Sprint("r", round), fmt.Sprint("f", round)
		must(t, a.PutTokens(ctx, refresh(secret, family)))
		must(t, a.RotateRefreshToken(ctx, digest(secret), "c", start, grace, refresh(fmt.Sprint(secret, "first"), family)))

		together(10, func(i int) {
			s := []store.Store{a, b}[i%2]
			if i == 5 {
				if err := s.Revoke(ctx, store.Change{Kind: store.KindFamily, ID: family, Until: start.Add(24 * time.Hour)}); err != nil {
					t.Errorf("revoking: %v", err)
				}
				return
			}
			err := s.RotateRefreshToken(ctx, digest(secret), "c", start, grace, refresh(fmt.Sprint(secret, "next", i), family))
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				t.Errorf("caller %d: %v", i, err)
			}
		})

		present(t, b, fmt.Sprint(secret, "first"), false)
		for i := range 10 {
			present(t, b, fmt.Sprint(secret, "next", i), false)
		}
	}
}

// testRevokeWhileRotating revokes a family while its token is rotated as fast as possible.
// No successor may be left.
func testRevokeWhileRotating(t *testing.T, a, b store.Store) {
	ctx := t.Context()
	for round := range 20 {
		family := fmt.Sprint("f", round)
		name := func(n int) string { return fmt.Sprint(family, "-", n) }
		must(t, a.PutTokens(ctx, refresh(name(0), family)))

		var wg sync.WaitGroup
		rotated := make(chan struct{}, 1000)
		made := 0
		wg.Go(func() {
			defer close(rotated)
			for ; made < 500; made++ {
				err := a.RotateRefreshToken(ctx, digest(name(made)), "c", start, 0, refresh(name(made+1), family))
				if errors.Is(err, store.ErrNotFound) {
					return
				}
				if err != nil {
					t.Errorf("rotation %d: %v", made, err)
					return
				}
				rotated <- struct{}{}
			}
		})

		// The revocation must hit rotations that are under way.
		for range 3 {
			<-rotated
		}
		must(t, b.Revoke(ctx, store.Change{Kind: store.KindFamily, ID: family, Until: start}))
		wg.Wait()
		for n := range made + 2 {
			present(t, b, name(n), false)
		}
	}
}

func testVersionsConcurrent(t *testing.T, a, b store.Store) {
	const callers, times = 8, 5
	ctx := t.Context()
	clients(t, a, "c")
	first, err := a.Client(ctx, "c")
	must(t, err)

	together(callers, func(i int) {
		for range times {
			if err := []store.Store{a, b}[i%2].Revoke(ctx, store.Change{Kind: store.KindClient, ID: "c"}); err != nil {
				t.Error(err)
			}
		}
	})

	// If two revocations had one version, a token issued between them would stay valid.
	last, err := b.Client(ctx, "c")
	must(t, err)
	if last.Version != first.Version+callers*times {
		t.Errorf("version %d after %d revocations of version %d", last.Version, callers*times, first.Version)
	}
}

// testFollow writes changes through both handles, several in each call, and follows them
// through one handle. Each change must come once, and those of one writer in their order.
func testFollow(t *testing.T, a, b store.Store) {
	follow(t, b, func(i int) store.Store { return []store.Store{a, b}[i%2] })
}

func testChangesConcurrent(t *testing.T, s store.Store) {
	follow(t, s, func(int) store.Store { return s })
}

func follow(t *testing.T, reader store.Store, writer func(i int) store.Store) {
	const writers, calls, each = 6, 15, 3
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, cursor, err := reader.Snapshot(ctx)
	must(t, err)

	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range calls {
				var cs []store.Change
				for k := range each {
					cs = append(cs, store.Change{Kind: store.KindToken, ID: fmt.Sprintf("%d:%d", w, n*each+k), Until: start})
				}
				if err := writer(w).Revoke(ctx, cs...); err != nil {
					t.Errorf("writer %d: %v", w, err)
				}
			}
		})
	}

	ended := make(chan struct{})
	go func() { wg.Wait(); close(ended) }()
	next := make([]int, writers)
	total := 0

	for done := false; !done; {
		select {
		case <-ended:
			done = true // read once more, for the last changes
		default:
		}

		cs, after, err := reader.Since(ctx, cursor)
		if err != nil {
			<-ended
			t.Fatal(err)
		}

		for _, c := range cs {
			var w, n int
			if _, err := fmt.Sscanf(c.ID, "%d:%d", &w, &n); err != nil || w >= writers || n != next[w] {
				<-ended
				t.Fatalf("change %q, of a writer of whom %d came before", c.ID, next[min(w, writers-1)])
			}
			next[w]++
			total++
		}

		if after.N-cursor.N != uint64(len(cs)) {
			t.Errorf("%d changes moved the cursor by %d", len(cs), after.N-cursor.N)
		}
		cursor = after
	}
	if total != writers*calls*each {
		t.Errorf("followed %d changes of %d", total, writers*calls*each)
	}
}
