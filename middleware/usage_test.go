package middleware_test

import (
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/middleware"
)

// tally is a meter that adds up all uses.
type tally struct {
	mu    sync.Mutex
	total int64
	fail  error
}

func (m *tally) Counter(int, string, string) (func(int64) error, error) {
	return func(n int64) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.total += n
		return nil
	}, m.fail
}

func (m *tally) sum() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.total
}

func TestUsage(t *testing.T) {
	outer, inner := &tally{}, &tally{}
	countInner := middleware.Usage(inner, nil)
	h := middleware.Chain(bearer, middleware.Usage(outer, nil), countInner, countInner)(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := middleware.AddUsage(r.Context(), 10); err != nil {
				t.Error(err)
			}
			for _, n := range []int64{0, -1} {
				if middleware.AddUsage(r.Context(), n) == nil {
					t.Errorf("AddUsage(%d): no error", n)
				}
			}
			w.WriteHeader(500)
		}))
	serve(h, "GET", "/", tokenAda)
	serve(h, "GET", "/", "Authorization: Bearer unknown")
	serve(h, "GET", "/")
	if outer.total != 1 || inner.total != 11 {
		t.Errorf("got %d and %d, want 1 and 11", outer.total, inner.total)
	}
	if middleware.AddUsage(t.Context(), 1) == nil {
		t.Error("AddUsage without Usage: no error")
	}
	broken := middleware.Chain(middleware.Chain(middleware.Errors(silent), middleware.Bearer(people, nil)), middleware.Usage(&tally{fail: errors.New("disk full")}, nil))
	if w := serve(broken(whoami), "GET", "/", tokenAda); code(w) != "AUTH-8" {
		t.Errorf("no counter is available: got %d %s", w.Code, w.Body)
	}
}

// TestUsageDay tests that a request counts for the UTC day on which it began, as the
// number of days since 1970. The clock of synctest starts with the year 2000.
func TestUsageDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &dayMeter{}
		h := middleware.Chain(bearer, middleware.Usage(m, nil))(whoami)
		time.Sleep(24*time.Hour - 1)
		serve(h, "GET", "/", tokenAda)
		time.Sleep(time.Nanosecond)
		serve(h, "GET", "/", tokenAda)

		if want := []int{10957, 10958}; !slices.Equal(m.days, want) {
			t.Errorf("just before and at midnight: got the days %v, want %v", m.days, want)
		}
	})
}

// A dayMeter notes the days of the counters that it is asked for.
type dayMeter struct{ days []int }

func (m *dayMeter) Counter(day int, _, _ string) (func(int64) error, error) {
	m.days = append(m.days, day)
	return func(int64) error { return nil }, nil
}

// TestUsageWithoutIdentity puts Usage outside of the wrapper that authenticates, or
// without any. Nothing is counted.
func TestUsageWithoutIdentity(t *testing.T) {
	counted := int64(0)
	m := meterFunc(func(string) func(int64) error {
		return func(n int64) error { counted += n; return nil }
	})
	reached := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler ran") })
	key := middleware.Chain(middleware.Errors(silent), middleware.APIKey(people, nil))
	for name, h := range map[string]http.Handler{
		"alone":                middleware.Usage(m, nil)(reached),
		"before the key":       middleware.Chain(middleware.Usage(m, nil), key)(reached),
		"by status, before it": middleware.Chain(middleware.Usage(m, &middleware.UsageConfig{CountStatus: func(int) bool { return true }}), key)(reached),
		"allowed not to count": middleware.Usage(m, &middleware.UsageConfig{AllowUncounted: true})(reached),
		"behind a refused key": middleware.Chain(key, middleware.Usage(m, nil))(reached),
	} {
		w := serve(h, "GET", "/", "X-API-KEY: wrong")
		if counted != 0 || code(w) != "AUTH-8" && code(w) != "AUTH-12" {
			t.Errorf("%s: got %d %s, and %d counted", name, w.Code, w.Body, counted)
		}
	}
}
