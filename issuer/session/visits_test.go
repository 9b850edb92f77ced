package session

import (
	"fmt"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

// TestVisitsAreSwept checks that the memory for sessions grows only with those that are
// alive.
func TestVisitsAreSwept(t *testing.T) {
	s := &Manager{cfg: Config{Timeout: time.Minute}, visits: map[string]*visit{}, sweep: minSweep}
	now := time.Now()
	for i := range 20 * minSweep {
		at := now.Add(time.Duration(i) * time.Second)
		s.seen(&store.Session{ID: fmt.Sprint(i), Expires: at.Add(time.Minute), Ends: at.Add(time.Hour)}, at)
	}
	if n := len(s.visits); n > 2*minSweep || n < 60 {
		t.Errorf("%d visits are remembered, 60 are alive", n)
	}
}
