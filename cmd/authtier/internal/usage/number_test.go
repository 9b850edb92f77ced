package usage

import (
	"math"
	"testing"

	"github.com/dustin/go-humanize"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
)

func TestNumbers(t *testing.T) {
	for _, tt := range []struct {
		n               int64
		grouped, signed string
	}{
		{0, "0", ""}, {7, "7", "+7"}, {-7, "-7", "-7"}, {999, "999", "+999"}, {1000, "1,000", "+1,000"}, {-123456, "-123,456", "-123,456"},
		{1e12, "1,000,000,000,000", "+1,000,000,000,000"}, {math.MinInt64, "-9,223,372,036,854,775,808", "-9,223,372,036,854,775,808"},
	} {
		if g, s := humanize.Comma(tt.n), signed(tt.n); g != tt.grouped || s != tt.signed {
			t.Errorf("%d: got %q and %q, want %q and %q", tt.n, g, s, tt.grouped, tt.signed)
		}
	}
	for v, want := range map[float64]string{0: "0", 250: "250", 7500: "7,500", 20_000: "20k", -1_500_000: "-1.5M", 2e12: "2T", 5e18: "5E"} {
		if got := compact(v); got != want {
			t.Errorf("compact(%v) = %q, want %q", v, got, want)
		}
	}
}

func TestScale(t *testing.T) {
	for _, tt := range []struct{ min, max, wantMin, wantMax, step float64 }{
		{0, 0, 0, 1, 1}, {0, 1, 0, 1, 1}, {0, 3, 0, 3, 1}, {0, 100, 0, 100, 50}, {0, 140_579, 0, 150_000, 50_000}, {-640, 3629, -2000, 4000, 2000},
		{-60, 0, -60, 0, 20}, {0, 9.3e18, 0, 1e19, 5e18}, {5, 8, 0, 8, 2},
	} {
		s := newScale(tt.min, tt.max)
		if s != (scale{tt.wantMin, tt.wantMax, tt.step}) {
			t.Errorf("%v to %v: got %+v, want %v to %v by %v", tt.min, tt.max, s, tt.wantMin, tt.wantMax, tt.step)
		}
		all := s.ticks()
		if len(all) < 2 || len(all) > 7 || all[0] != s.max || all[len(all)-1] != s.min {
			t.Errorf("%v to %v: the ticks are %v", tt.min, tt.max, all)
		}
	}
}

func TestBar(t *testing.T) {
	for _, tt := range []struct {
		part float64
		want string
	}{
		{1, "████████"}, {0.5, "████"}, {1.0 / 64, "▏"}, {1e-9, "▏"}, {0, ""}, {-0.5, "░░░░"}, {-1e-9, "░"}, {math.NaN(), ""}, {9.0 / 64, "█▏"}, {7, "████████"},
	} {
		if got := drawBar(tt.part, 8); got != tt.want || cli.Width(got) > 8 {
			t.Errorf("drawBar(%v) = %q, want %q", tt.part, got, tt.want)
		}
	}
}
