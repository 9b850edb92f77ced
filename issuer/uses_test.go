package issuer

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

type toucherFunc func(uses []store.Use) error

func (f toucherFunc) Touch(_ context.Context, uses ...store.Use) error { return f(uses) }

// TestUsesAreBounded notes more uses than may be remembered, while nothing takes them.
func TestUsesAreBounded(t *testing.T) {
	now, told := time.Now(), map[store.Use]int{}
	u := uses{toucher: toucherFunc(func([]store.Use) error { return errors.New("down") })}
	for hour := range 2 {
		for n := range maxUses + 1000 {
			u.note("", fmt.Sprint(hour, "-", n), now.Add(time.Duration(hour)*time.Hour))
		}
		if err := u.tell(t.Context(), time.Second); err == nil || len(u.untold) != maxUses || len(u.noted) > maxUses {
			t.Fatalf("after hour %d: %v, %d to be told and %d noted", hour, err, len(u.untold), len(u.noted))
		}
	}
	failAt := 7
	u.toucher = toucherFunc(func(uses []store.Use) error {
		if failAt--; failAt == 0 {
			return errors.New("down")
		}
		for _, use := range uses {
			told[use]++
		}
		return nil
	})
	for range 2 {
		u.tell(t.Context(), time.Minute)
	}
	if len(told) != maxUses || len(u.untold) != 0 {
		t.Errorf("told %d, and %d are left", len(told), len(u.untold))
	}
	for use, times := range told {
		if times != 1 {
			t.Fatalf("%+v was told %d times", use, times)
		}
	}
}

func BenchmarkNote(b *testing.B) {
	u, now := uses{toucher: toucherFunc(nil)}, time.Now()
	b.ReportAllocs()
	for b.Loop() {
		u.note("client", "id", now)
	}
}
