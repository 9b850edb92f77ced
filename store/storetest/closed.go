package storetest

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

// A closer is a store with a Close method.
type closer interface {
	store.Store
	io.Closer
}

// testClosed uses a store after Close. Every method must return an error, and none may
// return an answer, even to a question that was asked before.
func testClosed(t *testing.T, s closer) {
	must(t, s.CreateClient(t.Context(), store.Client{ID: "c"}))
	must(t, s.CreateUsers(t.Context(), store.User{Login: "u"}))
	must(t, s.PutTokens(t.Context(), refresh("r", "f")))
	record(t, s, store.Stream{1}, store.Batch{Seq: 1, Through: start, Counts: []store.Count{count(0, 1, "a", "p", 1)}})
	_, cursor, err := s.Snapshot(t.Context())
	must(t, err)
	report(t, s, everything)

	// Closing a second time is not an error.
	must(t, s.Close())
	must(t, s.Close())
	for what, err := range usedAfterClose(t, s, cursor) {
		// A closed store knows nothing. "Not found" would be taken for a fact.
		answered := err == nil
		for _, answer := range []error{store.ErrNotFound, store.ErrExists, store.ErrRevoked, store.ErrReused, store.ErrStreamClosed} {
			answered = answered || errors.Is(err, answer)
		}
		if answered {
			t.Errorf("%s after Close: got %v, want an error that is not an answer", what, err)
		}
	}
}

func usedAfterClose(t *testing.T, s store.Store, cursor store.Cursor) map[string]error {
	ctx := t.Context()
	errs := map[string]error{
		"CreateClient": s.CreateClient(ctx, store.Client{ID: "c2"}),
		"UpdateUser":   s.UpdateUser(ctx, "u", func(u *store.User) error { u.Disabled = true; return nil }),
		"PutTokens":    s.PutTokens(ctx, refresh("r2", "f")),
		"Rotate":       s.RotateRefreshToken(ctx, digest("r"), "c", start, 0, refresh("r3", "f")),
		"Revoke":       s.Revoke(ctx, store.Change{Kind: store.KindFamily, ID: "f"}),
		"Sweep":        s.Sweep(ctx, time.Now()),
	}
	_, errs["Client"] = s.Client(ctx, "c")
	_, errs["User"] = s.User(ctx, "u")
	_, errs["Token"] = s.Token(ctx, digest("r"))
	_, errs["SigningKeys"] = s.SigningKeys(ctx, "set")
	_, errs["ListClients"] = s.ListClients(ctx, "", 9)
	_, _, errs["Since"] = s.Since(ctx, cursor)
	_, _, errs["Snapshot"] = s.Snapshot(ctx)
	_, errs["Record"] = s.Record(ctx, store.Stream{1}, store.Batch{Seq: 2, Through: start, Counts: []store.Count{count(0, 1, "a", "p", 2)}})

	r, err := s.Report(ctx, everything)
	if err == nil {
		for _, rowErr := range r.Rows() {
			err = rowErr
		}
	}
	errs["Report"] = err
	return errs
}
