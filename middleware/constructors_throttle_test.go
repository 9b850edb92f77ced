package middleware_test

import (
	"errors"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// TestThrottleErrors makes throttles with invalid limits. The error must name all of
// them.
func TestThrottleErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		cfg   middleware.ThrottleConfig
		wants []string
	}{
		"everything":           {middleware.ThrottleConfig{Failures: -1, Window: -time.Second}, []string{"Failures is -1", "Window is -1s"}},
		"no unit":              {middleware.ThrottleConfig{Window: 15}, []string{"Window is 15ns"}},
		"less than a second":   {middleware.ThrottleConfig{Window: time.Second - 1}, []string{"Window is 999.999999ms"}},
		"the smallest numbers": {middleware.ThrottleConfig{Failures: math.MinInt, Window: math.MinInt64}, []string{"Failures is -", "Window is -2562047h"}},
	} {
		throttle, err := middleware.NewThrottle(&tt.cfg)
		if err == nil || throttle != nil || !says(err.Error(), "NewThrottle", tt.wants...) {
			t.Errorf("%s: got %v, %v, want an error that says %q", name, throttle, err, tt.wants)
		}
	}
}

// TestThrottlePanics calls Around with nothing. The panic must name all faults.
func TestThrottlePanics(t *testing.T) {
	var none *middleware.Throttle
	var noCache *middleware.Cache
	throttle := newThrottle(t, middleware.ThrottleConfig{})
	keys := throttle.Around(keysAlone)
	for name, tt := range map[string]struct {
		constructor string
		wire        func()
		wants       []string
	}{
		"nothing":              {"Throttle.Around", func() { none.Around(nil) }, []string{"nil Throttle", "nil Validator"}},
		"a nil throttle":       {"Throttle.Around", func() { none.Around(people) }, []string{"nil Throttle"}},
		"a nil cache":          {"Throttle.Around", func() { throttle.Around(noCache) }, []string{"nil Validator"}},
		"a scheme that it has": {"Basic", func() { middleware.Basic(keys, nil) }, []string{"no validator for the scheme Basic"}},
	} {
		if text := panicOf(tt.wire); !says(text, tt.constructor, tt.wants...) {
			t.Errorf("%s: got the panic %q, want %q", name, text, tt.wants)
		}
	}
}

// TestZeroThrottle tests that the zero value has the limits of the zero configuration.
func TestZeroThrottle(t *testing.T) {
	var zero middleware.Throttle
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
