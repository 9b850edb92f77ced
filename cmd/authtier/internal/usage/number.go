package usage

import (
	"math"
	"strconv"

	"github.com/dustin/go-humanize"
)

// signed is like [humanize.Comma], with a plus sign before positive numbers. It returns "" for 0.
func signed(n int64) string {
	switch {
	case n > 0:
		return "+" + humanize.Comma(n)
	case n == 0:
		return ""
	}
	return humanize.Comma(n)
}

// compact returns a number for an axis, such as 250, 7,500, 20k or 1.5M.
func compact(v float64) string {
	if math.Abs(v) < 10_000 {
		return humanize.Comma(int64(v))
	}
	units := []struct {
		size   float64
		suffix string
	}{{1e18, "E"}, {1e15, "P"}, {1e12, "T"}, {1e9, "B"}, {1e6, "M"}, {1e3, "k"}}
	for _, u := range units {
		if math.Abs(v) >= u.size {
			return strconv.FormatFloat(v/u.size, 'f', -1, 64) + u.suffix
		}
	}
	return ""
}

// A scale is the vertical axis of a chart. Its ends are ticks.
type scale struct {
	min, max, step float64
}

// newScale returns an axis with about four round ticks that holds 0, min and max.
// Quantities are whole, and so are the ticks.
func newScale(min, max float64) scale {
	min, max = math.Min(min, 0), math.Max(max, 0)
	if min == max {
		max = 1
	}

	rough := (max - min) / 4
	power := math.Pow(10, math.Floor(math.Log10(rough)))
	step := 10 * power
	for _, factor := range []float64{1, 2, 5} {
		if factor*power >= rough {
			step = factor * power
			break
		}
	}
	step = math.Max(step, 1)
	return scale{min: math.Floor(min/step) * step, max: math.Ceil(max/step) * step, step: step}
}

// ticks returns the values that have a line, from the largest to the smallest.
func (s scale) ticks() []float64 {
	var all []float64
	first, last := math.Round(s.max/s.step), math.Round(s.min/s.step)
	for n := first; n >= last; n-- {
		all = append(all, n*s.step)
	}
	return all
}
