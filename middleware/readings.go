package middleware

import (
	"strings"
	"unicode"
)

// rewritings are the ways in which servers are known to read one path as
// another. Ignoring letter case, which none of them undoes, is part of lookup.
var rewritings = []func(string) string{
	decodeOnce,
	decodeDots,
	decodeAllButSlashes,
	slashBackslashes,
	cutParameters,
	removeDotSegments,
	mergeSlashes,
	cutSegments,
	cutPath,
	trimSpace,
	trimBlanks,
	trimBlanksAndDots,
	dropAuthority,
}

// decodeOnce decodes one level of percent-encoding; what is no escape stays.
func decodeOnce(p string) string { return decode(p, func(byte) bool { return true }) }

// decodeDots decodes what RFC 3986 section 6.2.2 lets a server decode, and those
// do that keep the rest: an escaped dot.
func decodeDots(p string) string { return decode(p, func(c byte) bool { return c == '.' }) }

// decodeAllButSlashes decodes as servers do that keep escaped slashes apart.
func decodeAllButSlashes(p string) string {
	return decode(p, func(c byte) bool { return c != '/' && c != '\\' })
}

// decodeUnreserved decodes the characters for which an escape means the same as
// none (RFC 3986 section 2.3), except the dot.
func decodeUnreserved(p string) string {
	return decode(p, func(c byte) bool { return alphanumeric(c) || c == '-' || c == '_' || c == '~' })
}

func decode(p string, want func(byte) bool) string {
	if !strings.Contains(p, "%") {
		return p
	}
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		if p[i] == '%' && i+2 < len(p) {
			hi, lo := unhex(p[i+1]), unhex(p[i+2])
			if c := hi<<4 | lo; hi >= 0 && lo >= 0 && want(byte(c)) {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(p[i])
	}
	return b.String()
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

func slashBackslashes(p string) string { return strings.ReplaceAll(p, `\`, "/") }

// cutParameters drops what follows a semicolon in each segment.
func cutParameters(p string) string {
	return eachSegment(p, func(s string) string {
		s, _, _ = strings.Cut(s, ";")
		return s
	})
}

// cutSegments cuts each segment at NUL, ? or #.
func cutSegments(p string) string {
	return eachSegment(p, func(s string) string {
		if i := strings.IndexAny(s, "\x00?#"); i >= 0 {
			s = s[:i]
		}
		return s
	})
}

// cutPath cuts the whole path where C ends a string, and where a URL's parser
// ends a path.
func cutPath(p string) string {
	if i := strings.IndexAny(p, "\x00?#;"); i >= 0 {
		return p[:i]
	}
	return p
}

// trimSpace drops the white space at the end of each segment.
func trimSpace(p string) string {
	return eachSegment(p, func(s string) string { return strings.TrimRightFunc(s, unicode.IsSpace) })
}

// trimBlanks drops control characters too. What is left may be a dot segment.
func trimBlanks(p string) string {
	return eachSegment(p, func(s string) string { return strings.TrimRightFunc(s, blank) })
}

// trimBlanksAndDots drops the dots too, as file systems do.
func trimBlanksAndDots(p string) string {
	return eachSegment(p, func(s string) string {
		return strings.TrimRightFunc(s, func(r rune) bool { return r == '.' || blank(r) })
	})
}

func blank(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

func eachSegment(p string, change func(string) string) string {
	segments := strings.Split(p, "/")
	for i := range segments {
		segments[i] = change(segments[i])
	}
	return strings.Join(segments, "/")
}

// removeDotSegments is RFC 3986 section 5.2.4.
func removeDotSegments(p string) string {
	segments := strings.Split(p, "/")
	out := segments[:0:len(segments)]
	for i, s := range segments {
		last := i == len(segments)-1
		switch {
		case s != "." && s != "..":
			out = append(out, s)
			continue
		case s == ".." && len(out) > 1:
			out = out[:len(out)-1]
		}
		if last {
			out = append(out, "")
		}
	}
	return strings.Join(out, "/")
}

func mergeSlashes(p string) string {
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	return p
}

// dropAuthority takes //host at the start for a network-path reference (RFC
// 3986 section 4.2).
func dropAuthority(p string) string {
	rest, ok := strings.CutPrefix(p, "//")
	if !ok {
		return p
	}
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[i:]
	}
	return "/"
}

// fold returns p with each letter in the one spelling of its case variants,
// beyond ASCII too: a server may take the Kelvin sign for a k, or a dotless i
// for an i.
func fold(p string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return unicode.ToLower(unicode.ToUpper(least))
	}, p)
}
