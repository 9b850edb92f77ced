package throttle_test

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/throttle"
)

// TestThrottleErrors makes throttles with invalid limits. The error must name all of
// them.
func TestThrottleErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		cfg   throttle.Config
		wants []string
	}{
		"everything":           {throttle.Config{Failures: -1, Window: -time.Second}, []string{"Failures is -1", "Window is -1s"}},
		"no unit":              {throttle.Config{Window: 15}, []string{"Window is 15ns"}},
		"less than a second":   {throttle.Config{Window: time.Second - 1}, []string{"Window is 999.999999ms"}},
		"the smallest numbers": {throttle.Config{Failures: math.MinInt, Window: math.MinInt64}, []string{"Failures is -", "Window is -2562047h"}},
	} {
		limit, err := throttle.New(&tt.cfg)
		if err == nil || limit != nil || !says(err.Error(), "New", tt.wants...) {
			t.Errorf("%s: got %v, %v, want an error that says %q", name, limit, err, tt.wants)
		}
	}
}

// TestThrottlePanics calls Around with nothing. The panic must name all faults.
func TestThrottlePanics(t *testing.T) {
	var none *throttle.Throttle
	var noCache *middleware.Cache
	for name, tt := range map[string]struct {
		wire  func()
		wants []string
	}{
		"nothing":        {func() { none.Around(nil) }, []string{"nil Throttle", "nil Validator"}},
		"a nil throttle": {func() { none.Around(middleware.ValidatorFunc(passwords)) }, []string{"nil Throttle"}},
		"a nil cache":    {func() { new(throttle.Throttle).Around(noCache) }, []string{"nil Validator"}},
	} {
		func() {
			defer func() {
				if text := fmt.Sprint(recover()); !says(text, "Around", tt.wants...) {
					t.Errorf("%s: got the panic %q, want %q", name, text, tt.wants)
				}
			}()
			tt.wire()
		}()
	}
}

// TestZeroThrottle tests that the zero value has the limits of the zero configuration.
func TestZeroThrottle(t *testing.T) {
	var zero throttle.Throttle
	c := middleware.Credential{Scheme: middleware.SchemeBasic, Username: "app", Secret: "guess"}.WithAddr(netip.MustParseAddr("192.0.2.1"))
	for n := range 11 {
		attempt, err := zero.Begin(c)
		if err != nil {
			t.Fatalf("attempt %d: %v", n, err)
		}
		attempt.End(errorsx.CredentialsIncorrect)
	}
	if _, err := zero.Begin(c); !errors.Is(err, errorsx.TooManyRequests) {
		t.Errorf("after 11 failures: got %v, want AUTH-13", err)
	}
}

// says reports whether an error's text names the constructor and all of wants.
func says(text, constructor string, wants ...string) bool {
	for _, want := range wants {
		if !strings.Contains(text, want) {
			return false
		}
	}
	return strings.HasPrefix(text, "throttle: "+constructor+": ")
}
