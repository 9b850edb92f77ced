package cli

import "testing"

func TestPrintable(t *testing.T) {
	for _, tt := range []struct {
		in, want string
		width    int
	}{
		{"tiles", "tiles", 5},
		{"", "", 0},
		{"a\nb\tc\x1b[31m", `a\nb\tc\x1b[31m`, 15},
		{"a\xffb", `a\xffb`, 6},
		{"evil\u202etxt", `evil\u202etxt`, 13},
		{"地図", "地図", 4},
		{"e\u0301", "e\u0301", 1},
		{"مفتاح", "مفتاح", 5},
		{"🎉x", "🎉x", 3},
	} {
		if got := Printable(tt.in); got != tt.want || Width(got) != tt.width {
			t.Errorf("Printable(%q) = %q of width %d, want %q of width %d", tt.in, got, Width(got), tt.want, tt.width)
		}
	}
}

func TestShorten(t *testing.T) {
	for _, tt := range []struct {
		in      string
		columns int
		want    string
	}{
		{"tiles", 5, "tiles"},
		{"tiles", 4, "til…"},
		{"tiles", 1, "…"},
		{"地図地図", 5, "地図…"},
		{"地図地図", 4, "地…"},
	} {
		if got := Shorten(tt.in, tt.columns); got != tt.want || Width(got) > tt.columns {
			t.Errorf("Shorten(%q, %d) = %q, want %q", tt.in, tt.columns, got, tt.want)
		}
	}
}
