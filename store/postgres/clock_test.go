package postgres_test

import (
	"testing"
	"time"

	"github.com/authtier/authtier/store/internal/services"
)

// TestClock runs on the machine of the server, so that both clocks are the same.
func TestClock(t *testing.T) {
	s := open(t, services.SharedPostgres(t).Database(t, ""))
	before := time.Now()
	now, err := s.Clock(t.Context())
	after := time.Now()

	// The server counts microseconds.
	if err != nil || now.Before(before.Truncate(time.Microsecond)) || now.After(after) {
		t.Errorf("got %v, %v, want from %v to %v", now, err, before, after)
	}
	s.Close()
	if now, err := s.Clock(t.Context()); err == nil {
		t.Errorf("a closed store returned %v", now)
	}
}
