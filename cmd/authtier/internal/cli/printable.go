package cli

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Printable returns s in a form that a terminal shows on one line. Control characters,
// characters that change the direction of text, and bytes that are not UTF-8 become
// escapes such as \n and \u202e. Names in old records can contain them.
func Printable(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[0])|0x100, 16)[1:])
		case strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[size:]
	}
	return b.String()
}

// Width returns the number of columns that a printable text takes in a terminal.
func Width(s string) int { return uniseg.StringWidth(s) }

// Shorten returns a text that takes at most the given number of columns, which must be
// positive. A text that was cut ends with an ellipsis.
func Shorten(s string, columns int) string {
	if Width(s) <= columns {
		return s
	}
	var b strings.Builder
	taken := 1 // the ellipsis
	for g := uniseg.NewGraphemes(s); g.Next() && taken+g.Width() <= columns; taken += g.Width() {
		b.WriteString(g.Str())
	}
	return b.String() + "…"
}
