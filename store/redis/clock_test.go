package redis_test

import (
	"testing"
	"time"

	"github.com/authtier/authtier/store/internal/services"
	"github.com/authtier/authtier/store/redis"
)

// TestClock runs on the machine of the server, so that both clocks are the same.
func TestClock(t *testing.T) {
	s := open(t, services.SharedRedis(t).DSN(), redis.Config{Namespace: services.Name()})
	before := time.Now()
	now, err := s.Clock(t.Context())
	after := time.Now()

	// The server may keep the time of the start of its event loop's turn.
	if err != nil || now.Before(before.Add(-time.Second)) || now.After(after) {
		t.Errorf("got %v, %v, want from %v to %v", now, err, before, after)
	}
	s.Close()
	if now, err := s.Clock(t.Context()); err == nil {
		t.Errorf("a closed store returned %v", now)
	}
}
