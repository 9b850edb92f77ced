package usage

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// luminance is the relative luminance of WCAG 2.2.
func luminance(c color.RGBA) float64 {
	linear := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}

func contrast(a, b color.RGBA) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// colours returns the colours of a picture, the commonest first.
func colours(picture image.Image) []color.RGBA {
	n := map[color.RGBA]int{}
	b := picture.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			n[color.RGBAModel.Convert(picture.At(x, y)).(color.RGBA)]++
		}
	}
	return slices.SortedFunc(maps.Keys(n), func(a, b color.RGBA) int {
		return cmp.Or(cmp.Compare(n[b], n[a]), cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)))
	})
}

func commonest(picture image.Image) color.RGBA { return colours(picture)[0] }

// strongest returns the best contrast of any colour with the ground.
func strongest(picture image.Image, ground color.RGBA) (best float64) {
	for _, c := range colours(picture) {
		best = max(best, contrast(c, ground))
	}
	return best
}

var variable = regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6})([0-9a-f]{2})?;`)

// schemes returns the colours of the style by the part that sets them: for light, for
// dark and for print.
func schemes(t *testing.T) map[string]map[string]color.RGBA {
	t.Helper()
	lightPart, rest, ok1 := strings.Cut(style, "@media (prefers-color-scheme: dark)")
	darkPart, rest, ok2 := strings.Cut(rest, "* { box-sizing")
	_, printPart, ok3 := strings.Cut(rest, "@media print")
	if !ok1 || !ok2 || !ok3 {
		t.Fatal("the style has other parts than expected")
	}

	all := map[string]map[string]color.RGBA{}
	for name, part := range map[string]string{"light": lightPart, "dark": darkPart, "print": printPart} {
		all[name] = map[string]color.RGBA{}
		for _, m := range variable.FindAllStringSubmatch(part, -1) {
			c := color.RGBA{A: 255}
			fmt.Sscanf(m[2], "%02x%02x%02x", &c.R, &c.G, &c.B)
			all[name][m[1]] = c
		}
	}
	return all
}

// TestContrast checks the colours against WCAG 2.2, 1.4.3 and 1.4.11.
func TestContrast(t *testing.T) {
	for scheme, colours := range schemes(t) {
		for _, pair := range []struct {
			on, what string
			least    float64
		}{
			{"ground", "text", 7}, {"ground", "muted", 4.5}, {"raised", "text", 7}, {"note", "note-text", 4.5}, {"ground", "adjusted", 4.5},
			{"ground", "bar", 3}, {"ground", "axis", 3},
		} {
			a, ok1 := colours[pair.on]
			b, ok2 := colours[pair.what]
			if !ok1 || !ok2 {
				t.Errorf("%s: no colour --%s or --%s", scheme, pair.on, pair.what)
			} else if c := contrast(a, b); c < pair.least {
				t.Errorf("%s: --%s on --%s has a contrast of %.2f, want at least %v", scheme, pair.what, pair.on, c, pair.least)
			}
		}
	}
}
