package middleware_test

import (
	"context"
	"testing"
	"time"
	"unsafe"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// after returns the time that the clocks read after passed, if someone has set the
// wall clock by step in between. The monotonic clock does not show such a step. No
// call of package time makes such a time, so after changes a time.Time directly.
func after(t testing.TB, passed, step time.Duration) time.Time {
	t.Helper()
	now := time.Now().Add(passed)
	then := now
	// The seconds are above 30 bits of nanoseconds.
	(*struct{ wall uint64 })(unsafe.Pointer(&then)).wall += uint64(step/time.Second) << 30
	if then.Sub(now) != 0 || then.Round(0).Sub(now.Round(0)) != step {
		t.Fatalf("time.Time is laid out otherwise: stepped by %v, got %v and %v", step, now, then)
	}
	return then
}

// TestC15ClockSteps sets the wall clock while identities are remembered. The
// monotonic clock decides how long they are remembered, and the wall clock when they
// expire.
func TestC15ClockSteps(t *testing.T) {
	for _, tt := range []struct {
		name                string
		passed, step, lasts time.Duration
		want                string
		asked               int64
	}{
		{"an hour back, within the time", 30 * time.Second, -time.Hour, 2 * time.Hour, "a", 1},
		{"an hour back, after the time", time.Minute + time.Second, -time.Hour, 2 * time.Hour, "a", 2},
		{"an hour forth, within both", 30 * time.Second, time.Hour, 2 * time.Hour, "a", 1},
		{"an hour forth, beyond the token's end", 30 * time.Second, time.Hour, time.Hour, "AUTH-11", 2},
		{"ten seconds back, the token ended", time.Minute, -10 * time.Second, 30 * time.Second, "AUTH-11", 2},
	} {
		ends := time.Now().Add(tt.lasts).Round(0)
		o := &oracle{answer: func(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
			if !c.Now().Before(ends) {
				return nil, errorsx.TokenExpired
			}
			return &middleware.Identity{Client: "a", Expires: ends}, nil
		}}
		c := newCache(t, middleware.ValidatorFunc(o.Validate), 100, middleware.CacheConfig{})
		client(t, c, token("x"))
		if got := client(t, c, token("x").At(after(t, tt.passed, tt.step))); got != tt.want || o.asked.Load() != tt.asked {
			t.Errorf("C15 %s: got %s after %d questions, want %s after %d", tt.name, got, o.asked.Load(), tt.want, tt.asked)
		}
	}
}

// TestC15SteppedAfterRevocation revokes and then sets the clock back to before the
// revocation, or forward.
func TestC15SteppedAfterRevocation(t *testing.T) {
	for _, step := range []time.Duration{-time.Hour, -24 * time.Hour, time.Hour} {
		revoked := false
		o := newSource()
		o.answer = func(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
			if revoked {
				return nil, errorsx.UnknownToken
			}
			return yes(ctx, c)
		}
		c := newCache(t, o, 100, middleware.CacheConfig{})
		if got := client(t, c, token("x")); got != "x" {
			t.Fatalf("C15 before: got %s", got)
		}
		revoked = true
		o.Forget(middleware.Revocation{TokenID: "id-x"})
		if got := client(t, c, token("x").At(after(t, time.Second, step))); got != "AUTH-12" {
			t.Errorf("C15 clock set by %v after a revocation: got %s", step, got)
		}
	}
}

// TestC15Suspended lets the machine sleep. The monotonic clock stands still, and
// revocations made in that time are unknown.
func TestC15Suspended(t *testing.T) {
	for slept, want := range map[time.Duration]string{10 * time.Second: "a", time.Minute: "AUTH-8", time.Hour: "AUTH-8"} {
		o := &oracle{answer: yes}
		o.FreshUntil(time.Now().Add(30 * time.Second))
		c := newCache(t, o, 100, middleware.CacheConfig{})
		client(t, c, token("a"))
		if got := client(t, c, token("a").At(after(t, 0, slept))); got != want {
			t.Errorf("C15 after %v of sleep: got %s, want %s", slept, got, want)
		}
	}
}
